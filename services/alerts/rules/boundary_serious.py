"""A boundary event of severity 3 or 4 was noted or assessed."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from services.alerts.episodes import Moment, verdict
from services.alerts.example import Example, assessed, closed, noted
from services.alerts.rule import Audience, Family, Urgency, Verdict
from services.alerts.severities import severities
from shared import ids
from shared.alliance.history import BoundaryEvent, Phase


class BoundarySerious:
    """Tell at once when a boundary event is noted or assessed at severity 3 or 4.

    Severity is a judgement by people, on Rapport's own scale; nothing is inferred. Each such
    event is told, and told again when its severity rises. Clears when all of them are closed.
    The scale and the steps are own, not validated.
    """

    name: str = "boundary-serious"
    version: int = 1
    family: Family = "boundary"
    title: str = "A boundary event of severity 3 or 4 is recorded"
    needs: frozenset[str] = frozenset({"boundary"})
    reads: frozenset[str] = frozenset(
        {"boundary.noted", "boundary.assessed", "boundary.closed", "boundary.reopened"}
    )
    tell: Mapping[Urgency, tuple[Audience, ...]] = {
        "attention": ("governance", "leadership"),
        "urgent": ("governance", "safeguarding", "leadership"),
    }
    next_steps: tuple[str, ...] = (
        "See that the client is safe, and has somebody other than the person concerned to "
        "speak with.",
        "Follow the organisation's safeguarding procedure; record the assessment by a named role.",
        "Protect who reported it; hear everybody before anything is concluded.",
    )
    defaults: Mapping[str, Any] = {"attention_severity": 3, "urgent_severity": 4}
    always_news: bool = True
    example: Example = (noted(0, 3, "confidentiality"), assessed(2, 4), closed(30))

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge each boundary event at every step of its life."""
        chosen = {**self.defaults, **settings}
        moments = [
            moment for event in phase.boundary_events for moment in _moments(phase, event, chosen)
        ]
        return verdict(self, phase, moments, until, ends_with_phase=False)


def _moments(phase: Phase, event: BoundaryEvent, chosen: Mapping[str, Any]) -> Iterator[Moment]:
    name = ids.derived_id("boundary_event", phase.organisation, phase.client, event.ref)
    for fact, severity in severities(event):
        if fact.type == "boundary.closed":
            yield Moment(fact.occurred_at, name, urgency=None)
            continue
        urgency = _urgency(severity, chosen)
        if urgency is not None:
            how = fact.type.removeprefix("boundary.")
            yield Moment(
                fact.occurred_at,
                name,
                urgency=urgency,
                evidence=(fact,),
                title=f"A boundary event of severity {severity} was {how}",
                explanation=f"A boundary event was {how} at severity {severity} (of 0 to 4, "
                "Rapport's own scale).",
                numbers={"severity": severity},
                again=name,
            )


def _urgency(severity: int | None, chosen: Mapping[str, Any]) -> Urgency | None:
    if severity is None or severity < chosen["attention_severity"]:
        return None
    return "urgent" if severity >= chosen["urgent_severity"] else "attention"

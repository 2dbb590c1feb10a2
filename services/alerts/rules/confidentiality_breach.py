"""A boundary event about confidentiality."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from services.alerts.episodes import Moment, verdict
from services.alerts.example import Example, closed, noted
from services.alerts.rule import Audience, Family, Urgency, Verdict
from services.alerts.severities import severities
from shared import ids
from shared.alliance.history import BoundaryEvent, Phase


class ConfidentialityBreach:
    """Tell of a boundary event about confidentiality, at once and whatever its severity.

    Duties to tell others of a breach run from the day on which it became known, and differ
    from place to place; so the people who know them are told at once. Urgent from severity 3.
    Clears when the matter is closed. The step is own, not validated.
    """

    name: str = "confidentiality-breach"
    version: int = 1
    family: Family = "boundary"
    title: str = "A boundary event about confidentiality was noted"
    needs: frozenset[str] = frozenset({"boundary"})
    reads: frozenset[str] = frozenset(
        {"boundary.noted", "boundary.assessed", "boundary.closed", "boundary.reopened"}
    )
    tell: Mapping[Urgency, tuple[Audience, ...]] = {
        "attention": ("governance",),
        "urgent": ("governance", "safeguarding", "leadership"),
    }
    next_steps: tuple[str, ...] = (
        "Ask whoever answers for data protection whether a report is due, and by when.",
        "See that the client is told what happened, by somebody they can ask.",
        "Stop what may still be going on; then look at how it came about.",
    )
    defaults: Mapping[str, Any] = {"urgent_severity": 3}
    always_news: bool = True
    example: Example = (noted(0, 2, "confidentiality"), closed(20))

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge each boundary event of that kind at every step of its life."""
        chosen = {**self.defaults, **settings}
        moments = [
            moment
            for event in phase.boundary_events
            if event.area == "confidentiality"
            for moment in _moments(phase, event, chosen["urgent_severity"])
        ]
        return verdict(self, phase, moments, until, ends_with_phase=False)


def _moments(phase: Phase, event: BoundaryEvent, urgent_from: int) -> Iterator[Moment]:
    about = ids.derived_id("boundary_event", phase.organisation, phase.client, event.ref)
    for fact, severity in severities(event):
        if fact.type == "boundary.closed":
            yield Moment(fact.occurred_at, about, urgency=None)
            continue
        said = "without a severity so far"
        if severity is not None:
            said = f"with severity {severity} (of 0 to 4, Rapport's own scale)"
        yield Moment(
            fact.occurred_at,
            about,
            urgency="urgent" if (severity or 0) >= urgent_from else "attention",
            evidence=(fact,),
            explanation=f"A boundary event about confidentiality is recorded, {said}.",
            numbers={"severity": severity},
        )

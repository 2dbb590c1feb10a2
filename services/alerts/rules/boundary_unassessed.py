"""A boundary event that nobody has assessed by its deadline."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from services.alerts.episodes import NO_GRACE, Moment, verdict
from services.alerts.example import Example, assessed, noted
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared import ids
from shared.alliance.calendar import end_of_working_day
from shared.alliance.history import BoundaryEvent, Phase
from shared.alliance.wording import counted

URGENT_FROM = 3
"""Severity from which an assessment that is overdue is urgent (own)."""


class BoundaryUnassessed:
    """Tell when a boundary event has not been assessed by its deadline.

    Severity 0 or 1 has none (it goes to supervision); 2, or none given, five working days;
    3 two; 4 the end of the day, in the clinic's calendar and time zone, without grace. Clears
    when it is assessed or closed. Deadlines are own.
    """

    name: str = "boundary-unassessed"
    version: int = 1
    family: Family = "boundary"
    title: str = "A boundary event has not been assessed in time"
    needs: frozenset[str] = frozenset({"boundary"})
    reads: frozenset[str] = frozenset(
        {
            "boundary.noted", "boundary.assessed", "boundary.closed", "boundary.reopened",
            "clinic.configured", "clinic.closed",
        }
    )  # fmt: skip
    tell: Mapping[Urgency, tuple[Audience, ...]] = {
        "attention": ("governance", "leadership"),
        "urgent": ("governance", "safeguarding", "leadership"),
    }
    next_steps: tuple[str, ...] = (
        "Name who assesses it, and by when; it may turn out to be harmless, or helpful.",
        "Where it was assessed already, see that the assessment is recorded.",
        "Tell whoever reported it that it is being looked at.",
    )
    defaults: Mapping[str, Any] = {
        "severity_2_working_days": 5,
        "severity_3_working_days": 2,
        "severity_4_working_days": 0,
    }
    always_news: bool = True
    example: Example = (noted(0, 2), assessed(11, 1))

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge each boundary event at the deadline of its assessment."""
        chosen = {**self.defaults, **settings}
        moments = [
            moment for event in phase.boundary_events for moment in _moments(phase, event, chosen)
        ]
        return verdict(self, phase, moments, until, ends_with_phase=False)


def _moments(phase: Phase, event: BoundaryEvent, chosen: Mapping[str, Any]) -> Iterator[Moment]:
    noted = next((fact for fact in event.facts if fact.type == "boundary.noted"), None)
    if noted is None:
        return
    severity: int | None = noted.data.get("severity")
    days = _working_days(severity, chosen)
    settled = [
        fact.occurred_at
        for fact in event.facts
        if fact.type in ("boundary.assessed", "boundary.closed")
    ]
    if days is None:
        return
    due_at = end_of_working_day(phase.clinic, noted.occurred_at, days)
    settled_at = min(settled, default=None)
    if settled_at is not None and settled_at <= due_at:
        return
    name = ids.derived_id("boundary_event", phase.organisation, phase.client, event.ref)
    grave = severity is not None and severity >= URGENT_FROM
    within = counted(days, "working day") if days else "the day"
    given = "without a severity" if severity is None else f"at severity {severity}"
    yield Moment(
        due_at,
        name,
        urgency="urgent" if grave else "attention",
        evidence=(noted,),
        explanation=f"A boundary event was noted {given}, and no assessment is recorded within "
        f"{within}.",
        numbers={"severity": severity, "working_days": days},
        again=name,
        grace=NO_GRACE,
    )
    if settled_at is not None:
        yield Moment(settled_at, name, urgency=None)


def _working_days(severity: int | None, chosen: Mapping[str, Any]) -> int | None:
    """Return how many working days there are for the assessment; None where it has no deadline."""
    if severity is not None and severity < 2:
        return None
    days: int = chosen[f"severity_{2 if severity is None else severity}_working_days"]
    return days

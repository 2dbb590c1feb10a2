"""A boundary event that nobody has assessed by its deadline."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from services.alerts.episodes import NO_GRACE, Moment, verdict
from services.alerts.example import Example, assessed, noted
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.boundaries import ASSESSED_IN, clinic_of, deadline, name_of
from shared.alliance.history import BoundaryEvent, Phase
from shared.alliance.wording import counted

URGENT_FROM = 3
"""Severity from which an assessment that is overdue is urgent (own)."""


class BoundaryUnassessed:
    """Tell when a boundary event has not been assessed by its deadline.

    Severity 0 or 1 has none (it goes to supervision); 2, or none given, five working days; 3
    two; 4 the end of the day, in the calendar of the clinic where it was noted first, without
    grace. Noted again before it is assessed, the earliest of the deadlines holds. Clears when
    it is assessed or closed. The deadlines are own, not validated.
    """

    name: str = "boundary-unassessed"
    version: int = 3
    family: Family = "boundary"
    title: str = "No assessment of a boundary event was recorded by its deadline"
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
    defaults: Mapping[str, Any] = ASSESSED_IN
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
    clinic = phase.clinic_called(clinic_of(event))
    due = deadline(event, clinic, {name: chosen[name] for name in ASSESSED_IN})
    if due is None or not due.missed:
        return
    name = name_of(phase.organisation, phase.client, event.ref)
    severity, days = due.severity, due.working_days
    grave = severity is not None and severity >= URGENT_FROM
    within = counted(days, "working day") if days else "the day"
    given = (
        "without a severity"
        if severity is None
        else f"at severity {severity} (of 0 to 4, Rapport's own scale)"
    )
    yield Moment(
        due.due_at,
        name,
        urgency="urgent" if grave else "attention",
        evidence=(due.noted,),
        explanation=f"A boundary event was noted {given}, and no assessment is recorded within "
        f"{within}.",
        numbers={"severity": severity, "working_days": days},
        again=name,
        grace=NO_GRACE,
    )
    if due.settled_at is not None:
        yield Moment(due.settled_at, name, urgency=None)

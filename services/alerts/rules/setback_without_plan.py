"""A setback after which no relapse plan was agreed."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from services.alerts.episodes import Moment, verdict
from services.alerts.example import Example, looked_at, planned, set_back
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.calendar import after_days
from shared.alliance.consistency.left_out import pauses
from shared.alliance.consistency.said import is_sent, said
from shared.alliance.history import Phase
from shared.alliance.reading import Fact
from shared.alliance.wording import counted

GRACE = timedelta(hours=48)
"""Own: as for every deadline; what is agreed in a session is entered late."""


class SetbackWithoutPlan:
    """Tell when no relapse plan was agreed within four weeks of a setback.

    A setback is part of most courses of care; what helps is to have a plan for the next one. A
    mild one is information. Days of the clinic, those in pauses left out; the last of them is
    in time. Only where relapse plans are sent. Clears when one is agreed. The deadline is own,
    not validated.
    """

    name: str = "setback-without-plan"
    version: int = 2
    family: Family = "outcome"
    title: str = "No relapse plan was agreed after a setback"
    needs: frozenset[str] = frozenset({"plan"})
    reads: frozenset[str] = frozenset(
        {
            "setback.noted", "relapse_plan.agreed", "care.paused", "care.resumed",
            "care.transferred", "care.ended", "clinic.configured",
        }
    )  # fmt: skip
    tell: Mapping[Urgency, tuple[Audience, ...]] = {
        "information": ("therapist",),
        "attention": ("therapist", "supervisor"),
    }
    next_steps: tuple[str, ...] = (
        "Agree with the client what the first signs are, and what helps then; write it down "
        "together.",
        "Where there is a plan already, see that it is recorded.",
    )
    defaults: Mapping[str, Any] = {"within_days": 28}
    always_news: bool = False
    example: Example = (set_back(0, "moderate"), looked_at(31), planned(35))

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge each setback at its deadline."""
        chosen = {**self.defaults, **settings}
        if not is_sent(phase, "plan", "relapse_plan.agreed"):
            return Verdict(())
        setbacks = [fact for fact in phase.facts if fact.type == "setback.noted"]
        plans = said(phase, "relapse_plan.agreed")
        moments = [
            moment
            for fact in setbacks
            for moment in _moments(phase, fact, plans, chosen["within_days"])
        ]
        return verdict(self, phase, moments, until)


def _moments(phase: Phase, setback: Fact, plans: Sequence[Fact], days: int) -> Iterator[Moment]:
    # The last of the days is in time, whatever the hour.
    due_at = after_days(phase.clinic, setback.occurred_at, days + 1, phase.care.pauses)
    agreed = [plan.occurred_at for plan in plans if plan.occurred_at >= setback.occurred_at]
    if due_at is None or (agreed and agreed[0] < due_at):
        return
    severity = setback.data["severity"]
    yield Moment(
        due_at,
        setback.event,
        urgency="information" if severity == "mild" else "attention",
        evidence=(setback,),
        explanation=f"A {severity} setback was noted, and within {counted(days, 'day')} no "
        "relapse plan was recorded.",
        numbers={"within_days": days},
        not_counted=pauses(phase, setback.occurred_at, due_at),
        grace=GRACE,
    )
    if agreed:
        yield Moment(agreed[0], setback.event, urgency=None)

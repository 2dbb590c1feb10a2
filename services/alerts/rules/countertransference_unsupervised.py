"""Countertransference that was noted twice and not taken to supervision."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.alerts.episodes import Moment, verdict
from services.alerts.example import Example, sensed
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.calendar import days_from
from shared.alliance.history import Phase
from shared.alliance.reading import Fact
from shared.alliance.wording import counted


class CountertransferenceUnsupervised:
    """Tell when countertransference was noted twice in four weeks and not taken to supervision.

    A note of one's own reaction is good practice; it asks for an hour in which to look at it.
    Needs that supervision is sent. Clears when one is taken to supervision, or supervision on
    it is held. The family is trust: it stands on no boundary event. The counts are own, not
    validated.
    """

    name: str = "countertransference-unsupervised"
    version: int = 1
    family: Family = "trust"
    title: str = "Countertransference was noted, and no supervision on it is recorded"
    needs: frozenset[str] = frozenset({"supervision"})
    reads: frozenset[str] = frozenset(
        {"dynamics.noted", "supervision.held", "care.transferred", "care.ended"}
    )
    tell: Mapping[Urgency, tuple[Audience, ...]] = {"attention": ("therapist", "supervisor")}
    next_steps: tuple[str, ...] = (
        "Offer an hour soon: noting it twice is an invitation to look at it together.",
        "Where it was taken to supervision, see that this is recorded.",
    )
    defaults: Mapping[str, Any] = {"times": 2, "within_weeks": 4}
    always_news: bool = False
    example: Example = (
        sensed(0, supervised=False), sensed(14, supervised=False), sensed(21, supervised=True),
    )  # fmt: skip

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge at every note, and at every hour of supervision."""
        chosen = {**self.defaults, **settings}
        notes = [fact for fact in phase.facts if _noted(fact)]
        supervised = [fact for fact in phase.supervision if _on_it(fact)] if notes else []
        moments: list[Moment] = []
        waiting: list[Fact] = []
        for fact in sorted(
            (*notes, *supervised), key=lambda one: (one.occurred_at, one.source, one.id)
        ):
            if fact.type == "supervision.held" or fact.data["taken_to_supervision"]:
                waiting = []
                moments.append(Moment(fact.occurred_at, "notes", urgency=None))
                continue
            since = days_from(phase.clinic, fact.occurred_at, -7 * chosen["within_weeks"])
            waiting = [one for one in (*waiting, fact) if one.occurred_at >= since]
            if len(waiting) >= chosen["times"]:
                moments.append(_moment(waiting, chosen["within_weeks"]))
        return verdict(self, phase, moments, until)


def _moment(waiting: list[Fact], weeks: int) -> Moment:
    n = len(waiting)
    return Moment(
        waiting[-1].occurred_at,
        "notes",
        urgency="attention",
        evidence=tuple(waiting),
        explanation=f"Countertransference was noted {counted(n, 'time')} within "
        f"{counted(weeks, 'week')}, and no supervision on it is recorded since.",
        numbers={"noted": n, "within_weeks": weeks},
    )


def _noted(fact: Fact) -> bool:
    return fact.type == "dynamics.noted" and fact.data["kind"] == "countertransference"


def _on_it(fact: Fact) -> bool:
    return bool({"transference", "countertransference"} & set(fact.data["topics"]))

"""Which facts, and which figures of consistency, speak to a facet (domain.md section 7). Pure.

They move no number: they stand beside it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from shared.alliance.calendar import days_from
from shared.alliance.reading import Fact
from shared.alliance.things import Phase

AFTER_SETBACK_DAYS: Final = 28
"""A contact so soon after a setback speaks to emotional support (own)."""

Speaks = Callable[[Fact], bool]


def _always(_: Fact) -> bool:
    return True


def _of_area(area: str) -> Speaks:
    return lambda fact: bool(fact.data.get("area") == area)


def _agreed_by(*everybody: str) -> Speaks:
    return lambda fact: set(everybody) <= set(fact.data["agreed_by"])


FACTS: Final[Mapping[str, Sequence[tuple[str, Speaks]]]] = {
    "rupture.noted": (("trust", _always), ("challenge", _always)),
    "rupture.repaired": (("validation", _always), ("challenge", _always)),
    "boundary.noted": (
        ("safety", _always),
        ("boundaries", _always),
        ("confidentiality", _of_area("confidentiality")),
        ("objectivity", _of_area("dual_relationship")),
    ),
    "goal.agreed": (
        ("collaboration", _agreed_by("client", "therapist")),
        ("empowerment", _agreed_by("client")),
    ),
    "goal.rated": (("goal_orientation", _always),),
    "goal.closed": (("goal_orientation", _always),),
    "plan.reviewed": (
        ("collaboration", lambda fact: bool(fact.data["with_client"])),
        ("flexibility", lambda fact: bool(fact.data["adapted"])),
    ),
    "assignment.completed": (("motivation", lambda fact: bool(fact.data["extent"] != "none")),),
    "dynamics.noted": (("dynamics", _always),),
    "supervision.held": (("objectivity", _always),),
    "setback.noted": (("relapse_prevention", _always),),
    "relapse_plan.agreed": (("relapse_prevention", _always),),
}
"""Type of fact → the facets that it speaks to, and when it does."""

MEASURES: Final[Mapping[str, tuple[str, ...]]] = {
    "boundaries": ("late_starts", "shortened_sessions"),
    "consistency": (
        "therapist_cancellations", "session_not_held", "session_gap", "late_starts",
        "shortened_sessions", "reschedule_churn", "change_of_therapist", "next_session",
        "case_without_activity", "measures_due", "review_overdue", "ended_early_by_provider",
    ),
    "goal_orientation": ("goals_without_progress",),
    "motivation": ("did_not_attend",),
    "respect": ("late_starts", "did_not_attend"),
}  # fmt: skip
"""Facet → the figures of ``phases[].consistency`` that speak to it."""


def beside(phases: Iterable[Phase]) -> dict[str, list[Fact]]:
    """Return facet → the facts of some phases that speak to it, in time."""
    found: dict[str, list[Fact]] = {}
    for phase in phases:
        for fact in (*phase.facts, *phase.supervision):
            for facet, speaks in FACTS.get(fact.type, ()):
                if speaks(fact):
                    found.setdefault(facet, []).append(fact)
        for fact in _support(phase):
            found.setdefault("support", []).append(fact)
    for facts in found.values():
        facts.sort(key=lambda fact: (fact.occurred_at, fact.source, fact.id))
    return found


def _support(phase: Phase) -> Iterable[Fact]:
    """Yield the contacts that reached the client soon after a setback."""
    until: datetime | None = None
    for fact in phase.facts:
        if fact.type == "setback.noted":
            until = days_from(phase.clinic, fact.occurred_at, AFTER_SETBACK_DAYS)
        elif (
            fact.type == "contact.attempted"
            and fact.data["reached"]
            and until is not None
            and fact.occurred_at <= until
        ):
            yield fact

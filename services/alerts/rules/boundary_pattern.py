"""Boundary events of several kinds with one client within a short time."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from services.alerts.episodes import Moment, verdict
from services.alerts.example import Example, closed, noted
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.history import BoundaryEvent, Phase
from shared.alliance.wording import counted

NONE_AFTER_ALL: Final = frozenset({"not_a_boundary_matter", "merged"})
"""Outcomes that say that there was no (other) boundary event: it never counts."""


class BoundaryPattern:
    """Tell when boundary events of three kinds were noted with one client within eight weeks.

    Each of them may be harmless, or helpful: several of different kinds are a reason to look at
    the frame of this therapy in supervision, whatever each comes to. What turned out to be no
    boundary matter, or the same one, does not count. Clears when enough of them are closed. The
    counts are own.
    """

    name: str = "boundary-pattern"
    version: int = 1
    family: Family = "boundary"
    title: str = "Boundary events of several kinds were noted within a few weeks"
    needs: frozenset[str] = frozenset({"boundary"})
    reads: frozenset[str] = frozenset(
        {"boundary.noted", "boundary.assessed", "boundary.closed", "boundary.reopened"}
    )
    tell: Mapping[Urgency, tuple[Audience, ...]] = {"attention": ("supervisor", "governance")}
    next_steps: tuple[str, ...] = (
        "Look in supervision at the frame of this therapy as a whole, not at each event alone.",
        "Hear the client's view, by somebody whom none of the events is about.",
    )
    defaults: Mapping[str, Any] = {"kinds": 3, "within_weeks": 8}
    always_news: bool = True
    example: Example = (
        noted(0, 1, "time", "a"), noted(14, 1, "gifts", "b"), noted(35, 2, "contact_outside", "c"),
        closed(50, "a"),
    )  # fmt: skip

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge at every event that was noted, and at every one that was closed."""
        chosen = {**self.defaults, **settings}
        events = sorted(
            (one for one in phase.boundary_events
             if one.noted_at is not None and one.outcome not in NONE_AFTER_ALL),
            key=lambda one: (one.noted_at, one.facts[0].source, one.facts[0].id),
        )  # fmt: skip
        moments: list[Moment] = []
        for at in range(len(events)):
            moments += _moments(events[: at + 1], chosen["kinds"], chosen["within_weeks"])
        return verdict(self, phase, moments, until, ends_with_phase=False)


def _moments(events: Sequence[BoundaryEvent], kinds: int, weeks: int) -> list[Moment]:
    latest = events[-1]
    noted_at = _noted_at(latest)
    recent = [one for one in events if noted_at - _noted_at(one) <= timedelta(weeks=weeks)]
    areas = {one.area for one in recent}
    if len(areas) < kinds:
        return []
    found = Moment(
        noted_at,
        latest.facts[0].event,
        urgency="attention",
        evidence=tuple(one.facts[0] for one in recent),
        explanation=f"{counted(len(recent), 'boundary event')} of {counted(len(areas), 'kind')} "
        f"were noted within {counted(weeks, 'week')}.",
        numbers={"events": len(recent), "kinds": len(areas), "within_weeks": weeks},
    )
    ends = sorted(one.closed_at for one in recent if one.closed_at is not None)
    # As soon as fewer than would make a pattern are open.
    needed = len(recent) - kinds
    if len(ends) <= needed:
        return [found]
    cleared_at = max(ends[needed], noted_at)
    return [found, Moment(cleared_at, latest.facts[0].event, urgency=None)]


def _noted_at(event: BoundaryEvent) -> datetime:
    return event.noted_at or event.facts[0].occurred_at

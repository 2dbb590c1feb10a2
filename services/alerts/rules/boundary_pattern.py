"""Boundary events of several kinds with one client within a short time."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from services.alerts.episodes import Moment, verdict
from services.alerts.example import Example, closed, noted
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.boundaries import KINDS, WITHIN_WEEKS, Pattern, patterns
from shared.alliance.history import Phase
from shared.alliance.wording import counted


class BoundaryPattern:
    """Tell when boundary events of three kinds were noted with one client within eight weeks.

    Each of them may be harmless, or helpful: several of different kinds are a reason to look
    at the frame of this therapy in supervision, whatever each comes to. What turned out to be
    no boundary matter, or the same one, does not count. Weeks are those of the clinic's clock.
    Clears when enough of them are closed. The counts are own, not validated.
    """

    name: str = "boundary-pattern"
    version: int = 2
    family: Family = "boundary"
    title: str = "Boundary events of several kinds were noted within a few weeks"
    needs: frozenset[str] = frozenset({"boundary"})
    reads: frozenset[str] = frozenset(
        {
            "boundary.noted", "boundary.assessed", "boundary.closed", "boundary.reopened",
            "clinic.configured",
        }
    )  # fmt: skip
    tell: Mapping[Urgency, tuple[Audience, ...]] = {"attention": ("supervisor", "governance")}
    next_steps: tuple[str, ...] = (
        "Look in supervision at the frame of this therapy as a whole, not at each event alone.",
        "Hear the client's view, by somebody whom none of the events is about.",
    )
    defaults: Mapping[str, Any] = {"kinds": KINDS, "within_weeks": WITHIN_WEEKS}
    always_news: bool = True
    example: Example = (
        noted(0, 1, "time", "a"), noted(14, 1, "gifts", "b"), noted(35, 2, "contact_outside", "c"),
        closed(50, "a"),
    )  # fmt: skip

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge at every event that was noted, and at every one that was closed."""
        chosen = {**self.defaults, **settings}
        moments = [
            moment
            for found in patterns(
                phase.boundary_events,
                phase.clinic_called,
                chosen["kinds"],
                chosen["within_weeks"],
            )
            for moment in _moments(found, chosen["kinds"], chosen["within_weeks"])
        ]
        return verdict(self, phase, moments, until, ends_with_phase=False)


def _moments(pattern: Pattern, kinds: int, weeks: int) -> Iterator[Moment]:
    recent, latest = pattern.events, pattern.events[-1]
    noted_at = latest.noted_at or latest.facts[0].occurred_at
    were = "was" if len(recent) == 1 else "were"
    yield Moment(
        noted_at,
        latest.facts[0].event,
        urgency="attention",
        evidence=tuple(one.facts[0] for one in recent),
        explanation=f"{counted(len(recent), 'boundary event')} of "
        f"{counted(pattern.kinds, 'kind')} {were} noted within {counted(weeks, 'week')}.",
        numbers={"events": len(recent), "kinds": pattern.kinds, "within_weeks": weeks},
    )
    ends = sorted(one.closed_at for one in recent if one.closed_at is not None)
    # As soon as fewer than would make a pattern are open.
    needed = len(recent) - kinds
    if len(ends) > needed:
        yield Moment(max(ends[needed], noted_at), latest.facts[0].event, urgency=None)

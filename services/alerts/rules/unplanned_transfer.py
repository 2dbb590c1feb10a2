"""A change of therapist that was not planned, or a second one in a case."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from services.alerts.episodes import Moment, verdict
from services.alerts.example import Example, held, transferred
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.handover import handover
from shared.alliance.history import Phase


class UnplannedTransfer:
    """Tell when a client came to another therapist unplanned, or for the second time.

    It is told of the client with the new therapist, whatever the reason; a cover is no transfer.
    Clears with the first session that is held there. The counts are own, not validated.
    """

    name: str = "unplanned-transfer"
    version: int = 1
    family: Family = "consistency"
    title: str = "The client's therapist changed"
    needs: frozenset[str] = frozenset({"sessions"})
    reads: frozenset[str] = frozenset(
        {
            "session.scheduled", "session.rescheduled", "session.cancelled", "session.missed",
            "session.held", "care.transferred", "care.ended",
        }
    )  # fmt: skip
    tell: Mapping[Urgency, tuple[Audience, ...]] = {"attention": ("supervisor", "leadership")}
    next_steps: tuple[str, ...] = (
        "See that the client was told why, by somebody they know, and could say goodbye.",
        "See that the new therapist has what they need to begin, and a first session is booked.",
        "Ask early how the work with the new therapist feels.",
    )
    defaults: Mapping[str, Any] = {"transfers": 2}
    always_news: bool = False
    example: Example = (held(0), held(7), transferred(10, planned=False), held(24))

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge the transfer that began the phase."""
        chosen = {**self.defaults, **settings}
        return verdict(self, phase, _moments(phase, chosen["transfers"]), until)


def _moments(phase: Phase, many: int) -> Iterator[Moment]:
    found = handover(phase)
    if found is None:
        return
    planned = bool(found.fact.data["planned"])
    if planned and found.number < many:
        return
    which = "the first" if found.number == 1 else f"number {found.number}"
    yield Moment(
        found.fact.occurred_at,
        about="transfer",
        urgency="attention",
        evidence=(found.fact,),
        title="The client's therapist changed unplanned"
        if not planned
        else "The client's therapist changed again",
        explanation=f"{'A planned' if planned else 'An unplanned'} transfer to another therapist "
        f"is recorded ({which} in this course of care).",
        numbers={"transfers": found.number, "planned": planned},
    )
    if found.held_at is not None:
        yield Moment(found.held_at, about="transfer", urgency=None)

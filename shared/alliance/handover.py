"""How a client came from one therapist to another. Pure."""

from dataclasses import dataclass
from datetime import datetime

from shared.alliance.attendance import outcomes
from shared.alliance.consistency.said import held
from shared.alliance.reading import Fact
from shared.alliance.things import Phase


@dataclass(frozen=True, slots=True)
class Handover:
    """The transfer that began a phase.

    Attributes:
        fact: The transfer.
        number: Which one it is in the course of care, from 1 on.
        held_at: When the first session with the new therapist had been held; None while none was.
        since: From when one is waited for, in time: the transfer, then each session before the
            first held one that the client cancelled or missed.
    """

    fact: Fact
    number: int
    held_at: datetime | None
    since: tuple[tuple[datetime, Fact], ...]


def handover(phase: Phase) -> Handover | None:
    """Return the transfer that began a phase; None where it began otherwise."""
    return phase.derived(_handover)


def _handover(phase: Phase) -> Handover | None:
    every = phase.care.transfers
    into = [fact for fact in every if _begins(phase, fact)]
    if not into:
        return None
    transfer, began = into[0], into[0].occurred_at
    held_at = min((one.state_at for one in held(phase) if one.state_at >= began), default=None)
    kept_away = [
        (one.since, one.fact)
        for one in outcomes(phase)
        if one.by_client and one.since > began and (held_at is None or one.since < held_at)
    ]
    since = ((began, transfer), *kept_away)
    return Handover(transfer, every.index(transfer) + 1, held_at, since)


def _begins(phase: Phase, transfer: Fact) -> bool:
    """Return whether a transfer leads to the phase's therapist, while it is open."""
    at, closed_at = transfer.occurred_at, phase.closed_at
    open_then = phase.opened_at <= at and (closed_at is None or at < closed_at)
    return open_then and bool(transfer.data["to_therapist"] == phase.therapist)

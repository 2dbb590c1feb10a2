"""Sessions that were not held, and that never count as anybody's lapse. Pure."""

from collections.abc import Iterator
from typing import Final

from shared.alliance.attendance import FIRST_SICKNESS, SICKNESS, Outcome, excuse, lapses, windows
from shared.alliance.attendance import outcomes as outcomes_of
from shared.alliance.things import Phase

WINDOW: Final = 8
SICKNESS_GRACE: Final = 1
"""The first sickness among the last eight bookings (own)."""

BY_ITSELF: Final = frozenset({"announced_leave", "break_the_client_asked_for", "pause"})
"""What lasts, and stops a clock by itself for as long as it lasts."""

CLOSED: Final = frozenset({"bank_holiday", "closure"})


def nobodys_lapses(phase: Phase) -> tuple[tuple[str, Outcome], ...]:
    """Return each with its reason: an excuse of domain.md section 3, or nobody is known."""
    return phase.derived(_found)


def _found(phase: Phase) -> tuple[tuple[str, Outcome], ...]:
    if not any(map(_not_by_client, outcomes_of(phase))):
        return ()
    return tuple(_each(phase))


def _each(phase: Phase) -> Iterator[tuple[str, Outcome]]:
    for at, outcome, window in windows(phase, WINDOW):
        if at != outcome.since or not _not_by_client(outcome):
            continue
        session = outcome.session
        if not outcome.by_provider:
            yield f"{session.state}_by_{session.by or 'unknown'}", outcome
            continue
        counted, _ = lapses(phase, window, SICKNESS_GRACE)
        reason = excuse(phase, session)
        if reason is None or reason in BY_ITSELF or any(one is outcome for one in counted):
            continue
        named = {SICKNESS: FIRST_SICKNESS, **dict.fromkeys(CLOSED, "session_on_a_closed_day")}
        yield named.get(reason, reason), outcome


def _not_by_client(outcome: Outcome) -> bool:
    return outcome.session.state in ("cancelled", "missed") and not outcome.by_client

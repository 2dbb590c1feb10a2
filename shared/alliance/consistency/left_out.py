"""What several measures leave out in the same way, in the same words. Pure."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from shared.alliance.attendance import Outcome, pause_reason
from shared.alliance.things import Phase

_UNATTRIBUTED = (None, "unknown", "nobody")


def by_nobody_known(window: Iterable[Outcome]) -> dict[str, int]:
    """Return what was not held by unknown or by nobody: it never counts against a therapist."""
    found: Counter[str] = Counter()
    for outcome in window:
        session = outcome.session
        if session.state in ("cancelled", "missed") and session.by in _UNATTRIBUTED:
            found[f"{session.state}_by_{session.by or 'unknown'}"] += 1
    return dict(sorted(found.items()))


def pauses(phase: Phase, start: datetime, end: datetime) -> dict[str, int]:
    """Return the pauses of care that stop the clock between two moments."""
    found = Counter(
        pause_reason(pause)
        for pause in phase.care.pauses
        if pause.start < end and (pause.until is None or pause.until > start)
    )
    return dict(sorted(found.items()))


def excused(reasons: Iterable[str]) -> dict[str, int]:
    """Return how often each reason came."""
    return dict(sorted(Counter(reasons).items()))

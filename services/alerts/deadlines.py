"""Deadlines that run from one thing to the next, in days of the clinic. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from shared.alliance.calendar import after_days
from shared.alliance.history import Phase

_T = TypeVar("_T")


def overdue(
    phase: Phase, anchors: Sequence[tuple[datetime, _T]], days: int, end: datetime | None = None
) -> Iterator[tuple[datetime, _T, datetime]]:
    """Yield each anchor after which the next one did not come in time, with when it was due.

    Args:
        phase: Whose clinic's days count, those in pauses left out.
        anchors: Since when something is waited for, and what began it; in time.
        days: How many days it may take.
        end: When the last wait ended; None while it lasts.
    """
    for number, (since, what) in enumerate(anchors, start=1):
        upcoming = anchors[number][0] if number < len(anchors) else end
        # The usual case, answered without a calendar; a day to spare, as some have 25 hours.
        if upcoming is not None and upcoming - since < timedelta(days=days - 2):
            continue
        due_at = after_days(phase.clinic, since, days, phase.care.pauses)
        if due_at is not None and (upcoming is None or upcoming > due_at):
            yield since, what, due_at

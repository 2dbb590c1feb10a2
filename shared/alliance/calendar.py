"""The clinic's own calendar: its days, its working days, and clocks that stand still. Pure.

Everything is computed from local dates, so that a day in which the clock changes is still a day.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from shared.alliance.clinics import day_start
from shared.alliance.things import Clinic, Span

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

LOOK_AHEAD_DAYS: Final = 400
"""A clinic without a working day in that time has none; a deadline there is its last day."""


def local_date(clinic: Clinic, moment: datetime) -> date:
    """Return the date that a moment has in the clinic."""
    return moment.astimezone(ZoneInfo(clinic.timezone)).date()


def closed_because(clinic: Clinic, day: date) -> str | None:
    """Return why the clinic is closed on a day (a holiday, an announced closure), or None."""
    if day in clinic.holidays:
        return "bank_holiday"
    noon = day_start(clinic, day) + timedelta(hours=12)
    return next((span.reason for span in clinic.closures if covers(span, noon)), None)


def is_working_day(clinic: Clinic, day: date) -> bool:
    """Return whether the clinic works on a day."""
    return WEEKDAYS[day.weekday()] in clinic.working_days and closed_because(clinic, day) is None


def end_of_day(clinic: Clinic, moment: datetime) -> datetime:
    """Return when the day of a moment ends in the clinic: the start of the next one."""
    return day_start(clinic, local_date(clinic, moment) + timedelta(days=1))


def end_of_working_day(clinic: Clinic, moment: datetime, days: int) -> datetime:
    """Return when the n-th working day after the day of a moment ends.

    Args:
        clinic: Whose zone, working days, holidays and closures count.
        moment: When counting begins; its own day does not count.
        days: n; 0 is the end of the moment's own day, working day or not.
    """
    day = local_date(clinic, moment)
    left = days
    for _ in range(LOOK_AHEAD_DAYS):
        if left == 0:
            break
        day += timedelta(days=1)
        left -= is_working_day(clinic, day)
    return day_start(clinic, day + timedelta(days=1))


def covers(span: Span, moment: datetime) -> bool:
    """Return whether a span lasts at a moment."""
    return span.start <= moment and (span.until is None or moment < span.until)


def since_announced(span: Span) -> datetime:
    """Return from when a span counts: it cannot count before it was announced."""
    return max(span.start, span.fact.occurred_at)


def after_running(
    start: datetime,
    running: timedelta,
    stopped: Iterable[tuple[datetime, datetime | None]],
) -> datetime | None:
    """Return when a clock that was started at ``start`` has run for ``running``.

    Args:
        start: When it was started.
        running: How long it must run.
        stopped: Stretches in which it stands still, in any order; they may overlap. One without
            an end never ends.

    Returns:
        None where it never gets there.
    """
    now, left = start, running
    for begin, end in sorted(stopped, key=lambda stretch: stretch[0]):
        if end is not None and end <= now:
            continue
        if begin > now:
            if now + left <= begin:
                break
            left -= begin - now
            now = begin
        if end is None:
            return None
        now = end
    return now + left

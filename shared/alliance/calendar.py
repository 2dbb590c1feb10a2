"""The clinic's own calendar: its days, its working days, and clocks that stand still. Pure.

Everything is computed from local dates, so that a day in which the clock changes is still a day.
"""

import math
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from shared.alliance.clinics import day_start
from shared.alliance.things import Clinic, Span

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

FIRST: Final = datetime.min.replace(tzinfo=UTC)
LAST: Final = datetime.max.replace(tzinfo=UTC)
"""Before and after them there is no time; senders write them for one that they do not know."""

LOOK_AHEAD_DAYS: Final = 400
"""A clinic without a working day in that time has none; a deadline there is its last day."""


class Stretch(Protocol):
    """A time in which a clock stands still, such as a span."""

    @property
    def start(self) -> datetime:
        """From when."""

    @property
    def until(self) -> datetime | None:
        """Until when; None: with no end so far."""


def local_date(clinic: Clinic, moment: datetime) -> date:
    """Return the date that a moment has in the clinic; at the ends of the calendar, in UTC.

    Senders write the first and the last moment that exist for "unknown": there a zone has no date.
    """
    try:
        return moment.astimezone(ZoneInfo(clinic.timezone)).date()
    except OverflowError:
        return moment.date()


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


def days_from(clinic: Clinic, moment: datetime, days: float) -> datetime:
    """Return the same time of day in the clinic so many days later; earlier where negative.

    A weekly hour is four weeks ago exactly, also where the clock was changed in between. Beyond
    the calendar it is the first or the last moment that exists.
    """
    zone = ZoneInfo(clinic.timezone)
    try:
        there = moment.astimezone(zone).replace(tzinfo=None) + timedelta(days=days)
        return there.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:
        return FIRST if days < 0 else LAST


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
            an end never ends; one that ends before it begins (announced when it was over) stops
            nothing.

    Returns:
        None where it never gets there.
    """
    now, left = start, running
    for begin, end in sorted(stopped, key=lambda stretch: stretch[0]):
        if end is not None and end <= max(now, begin):
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


def ran(
    start: datetime, end: datetime, stopped: Iterable[tuple[datetime, datetime | None]]
) -> timedelta:
    """Return for how long a clock that was started at ``start`` has run by ``end``.

    The other side of ``after_running``. Nothing before ``start`` counts.

    Args:
        start: When it was started.
        end: When it is read.
        stopped: As in ``after_running``.
    """
    now, running = start, timedelta(0)
    for begin, until in sorted(stopped, key=lambda stretch: stretch[0]):
        if now >= end:
            break
        if until is not None and until <= max(now, begin):
            continue
        if begin > now:
            running += min(begin, end) - now
        now = end if until is None else max(now, until)
    return running + max(end - now, timedelta(0))


def days_between(
    clinic: Clinic, start: datetime, end: datetime, pauses: Iterable[Stretch] = ()
) -> int:
    """Return how many days of the clinic lie between two moments, those in pauses left out.

    Days are counted from date to date: a day of 23 or of 25 hours is one.
    """
    still = [_dated(clinic, pause.start, pause.until) for pause in pauses]
    return ran(_dated(clinic, start, None)[0], _dated(clinic, end, None)[0], still).days


def after_days(
    clinic: Clinic, start: datetime, days: float, pauses: Iterable[Stretch] = ()
) -> datetime | None:
    """Return when the day begins on which ``days_between`` reaches ``days``; None if never.

    There are no half days there: of 3.5 the fourth is the first that reaches them.
    """
    still = [_dated(clinic, pause.start, pause.until) for pause in pauses]
    day = after_running(_dated(clinic, start, None)[0], timedelta(days=math.ceil(days)), still)
    return None if day is None else day_start(clinic, day.date())


def _dated(
    clinic: Clinic, start: datetime, end: datetime | None
) -> tuple[datetime, datetime | None]:
    """Return moments as their dates in the clinic, each at midnight UTC: days of one length."""
    first = datetime.combine(local_date(clinic, start), time.min, UTC)
    last = None if end is None else datetime.combine(local_date(clinic, end), time.min, UTC)
    return first, last

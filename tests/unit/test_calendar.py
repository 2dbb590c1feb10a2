"""Working days, ends of days and stopped clocks, in the clinic's own zone and calendar."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.alliance.calendar import (
    LOOK_AHEAD_DAYS,
    after_days,
    after_running,
    days_between,
    end_of_day,
    end_of_working_day,
    is_working_day,
    local_date,
    ran,
)
from shared.alliance.clinics import surroundings
from shared.alliance.things import Clinic
from tests.support import events as an
from tests.support.events import CLINIC, ORGANISATION, on

LONDON = Clinic("elm", timezone="Europe/London")
HOUR = timedelta(hours=1)


def at(text: str) -> datetime:
    """Return a moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "days", "end"),
    [
        # Friday 2 January 2026: the weekend does not count.
        ("2026-01-02T15:00", 0, "2026-01-03T00:00"),
        ("2026-01-02T15:00", 1, "2026-01-06T00:00"),
        ("2026-01-02T15:00", 5, "2026-01-10T00:00"),
        # Saturday: counting begins on Monday; the end of the day is that Saturday's.
        ("2026-01-03T15:00", 0, "2026-01-04T00:00"),
        ("2026-01-03T15:00", 2, "2026-01-07T00:00"),
        # The last moment of a day belongs to it, the first of the next one does not.
        ("2026-01-05T23:59", 2, "2026-01-08T00:00"),
        ("2026-01-06T00:00", 2, "2026-01-09T00:00"),
        # The clock goes forward on 29 March: Thursday 26 + 2 ends on Monday 30 in summer time.
        ("2026-03-26T12:00", 2, "2026-03-30T23:00"),
        # That Sunday itself has 23 hours.
        ("2026-03-29T12:00", 0, "2026-03-29T23:00"),
        # It goes back on 25 October: Friday 23 + 1 ends on Monday 26 in winter time.
        ("2026-10-23T12:00", 1, "2026-10-27T00:00"),
        # Half past eleven at night in UTC is the next day in British summer time.
        ("2026-06-01T23:30", 0, "2026-06-02T23:00"),
    ],
)
def test_working_days_end_at_local_midnight(moment: str, days: int, end: str) -> None:
    """The n-th working day after a moment's own ends at the clinic's midnight."""
    assert end_of_working_day(LONDON, at(moment), days) == at(end)


def test_holidays_closures_and_own_weeks_count() -> None:
    """Holidays, announced closures and the clinic's own working days are not counted."""
    around = [
        an.a_clinic_configured(working_days=["mon", "tue", "wed", "thu"], holidays=["2026-01-06"]),
        an.a_clinic_closed("2026-01-07", "2026-01-07"),
    ]
    clinic = surroundings(ORGANISATION, around).clinic(CLINIC)
    monday = at("2026-01-05T10:00")
    assert [is_working_day(clinic, date(2026, 1, day)) for day in (5, 6, 7, 8, 9)] == [
        True, False, False, True, False,
    ]  # fmt: skip
    assert end_of_working_day(clinic, monday, 1) == at("2026-01-09T00:00")
    assert end_of_working_day(clinic, monday, 2) == at("2026-01-13T00:00")


def test_a_clinic_that_never_works_has_an_end_all_the_same() -> None:
    """Without any working day, looking ahead stops."""
    never = Clinic("elm", working_days=())
    moment = at("2026-01-05T10:00")
    end = end_of_working_day(never, moment, 1)
    assert end - moment <= timedelta(days=LOOK_AHEAD_DAYS + 1)


@given(
    st.integers(0, 5_000_000).map(lambda minutes: at("2020-01-01") + timedelta(minutes=minutes)),
    st.sampled_from(("Europe/London", "Pacific/Auckland", "America/Sao_Paulo", "UTC")),
    st.integers(0, 10),
)
def test_ends_of_days_are_ends_of_days(then: datetime, zone: str, days: int) -> None:
    """An end lies after the moment, and just before it is a working day of the clinic."""
    clinic = Clinic("elm", timezone=zone)
    end = end_of_working_day(clinic, then, days)
    last = local_date(clinic, end - timedelta(microseconds=1))
    assert end > then
    assert local_date(clinic, end) == last + timedelta(days=1)
    assert days == 0 or is_working_day(clinic, last)
    assert end_of_day(clinic, then) == end_of_working_day(clinic, then, 0)


@pytest.mark.parametrize(
    ("stopped", "end"),
    [
        ([], 10),
        ([(20, 30)], 10),
        ([(10, 30)], 10),
        ([(9, 30)], 31),
        ([(-5, 0)], 10),
        ([(-5, 2)], 12),
        ([(2, 4), (3, 6)], 14),
        ([(3, 6), (2, 4), (7, 8)], 15),
        ([(2, None)], None),
        ([(12, None)], 10),
        ([(2, 2)], 10),
        ([(5, 3)], 10),
        ([(2, 4), (6, 5)], 12),
    ],
)
def test_a_clock_stands_still(stopped: list[tuple[int, int | None]], end: int | None) -> None:
    """A clock of ten hours stands still in stretches that overlap, never end, or never began."""
    start = on(0)
    stretches = [(start + a * HOUR, None if b is None else start + b * HOUR) for a, b in stopped]
    expected = None if end is None else start + end * HOUR
    assert after_running(start, 10 * HOUR, stretches) == expected
    if expected is not None:
        assert ran(start, expected, stretches) == 10 * HOUR


@given(st.floats(0, 40), st.integers(0, 40), st.integers(0, 100))
def test_days_are_reached_on_the_first_day_that_has_so_many(
    days: float, hours: int, later: int
) -> None:
    """What says since when, and what says for how long, agree: of parts of days too."""
    start = at("2026-03-20T12:00") + timedelta(hours=hours)
    due_at = after_days(LONDON, start, days)
    assert due_at is not None
    moment = start + timedelta(hours=10 * later)
    assert (moment >= due_at) == (days_between(LONDON, start, moment) >= days)

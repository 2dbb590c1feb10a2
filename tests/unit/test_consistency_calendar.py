"""Days of the clinic in figures: zones, changes of the clock, leap days, holidays, two clinics."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.alliance.calendar import after_days, after_running, days_between, local_date, ran
from shared.alliance.clinics import day_start
from shared.alliance.things import Clinic
from shared.envelope import Envelope
from tests.support import events as an
from tests.support.events import CLIENT, CLINIC, MONDAY, THERAPIST, on
from tests.support.figures import about, figure, figures, left_out, until

LONDON = Clinic("elm", timezone="Europe/London")
AUCKLAND = Clinic("fern", timezone="Pacific/Auckland")
DAY = timedelta(days=1)

moments = st.datetimes(datetime(2024, 1, 1), datetime(2028, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone.
stretches = st.lists(
    st.tuples(st.integers(0, 60), st.integers(-20, 30)).map(
        lambda pair: (MONDAY + pair[0] * DAY, MONDAY + sum(pair) * DAY)
    ),
    max_size=4,
)


def at(text: str) -> datetime:
    """Return a moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@given(stretches, st.integers(0, 60))
def test_ran_is_the_other_side_of_after_running(
    stopped: list[tuple[datetime, datetime]], days: int
) -> None:
    """A clock read when it has run for so long has run for so long."""
    running = timedelta(days=days)
    end = after_running(MONDAY, running, stopped)
    assert end is not None
    assert ran(MONDAY, end, stopped) == running
    assert ran(MONDAY, end - timedelta(seconds=1), stopped) <= running
    assert ran(end, MONDAY, stopped) == timedelta(0)


@given(stretches, st.integers(0, 90))
def test_ran_counts_each_day_that_no_stretch_covers(
    stopped: list[tuple[datetime, datetime]], days: int
) -> None:
    """Counted one by one; a stretch that ends before it begins covers none."""
    every = (MONDAY + day * DAY for day in range(days))
    left = [day for day in every if not any(begin <= day < end for begin, end in stopped)]
    assert ran(MONDAY, MONDAY + days * DAY, stopped) == len(left) * DAY


def test_a_pause_without_an_end_stops_a_clock_for_good() -> None:
    """From then on nothing counts, and nothing falls due."""
    pause: list[tuple[datetime, datetime | None]] = [(on(5, 0), None)]
    assert ran(on(0, 0), on(50, 0), pause) == 5 * DAY
    assert after_running(on(0, 0), 6 * DAY, pause) is None


@given(moments, st.integers(0, 400), st.sampled_from((LONDON, AUCKLAND)))
def test_a_day_is_a_day_in_every_zone(start: datetime, days: int, clinic: Clinic) -> None:
    """So many days later is so many days between, whatever the clock did; a moment less is not."""
    then = after_days(clinic, start, days)
    assert then is not None
    assert days_between(clinic, start, then) == days
    assert days_between(clinic, start, then - timedelta(microseconds=1)) == days - 1 or days == 0
    assert then == day_start(clinic, local_date(clinic, then))


@pytest.mark.parametrize(
    ("start", "end", "clinic", "days"),
    [
        # The clock goes forward in London on 29 March 2026: that day has 23 hours, and is one.
        ("2026-03-28T23:30", "2026-03-29T22:59", LONDON, 1),
        ("2026-03-28T23:30", "2026-03-29T23:00", LONDON, 2),
        # It goes back on 25 October: 25 hours, one day.
        ("2026-10-24T23:00", "2026-10-25T23:59", LONDON, 0),
        ("2026-10-24T23:00", "2026-10-26T00:00", LONDON, 1),
        # A leap day is a day.
        ("2028-02-28T12:00", "2028-03-01T12:00", LONDON, 2),
        ("2026-02-28T12:00", "2026-03-01T12:00", LONDON, 1),
        # Noon in UTC on 5 January is the small hours of 6 January in Auckland.
        ("2026-01-05T10:00", "2026-01-05T12:00", AUCKLAND, 1),
        ("2026-01-05T10:00", "2026-01-05T12:00", LONDON, 0),
    ],
)
def test_days_change_at_the_clinics_midnight(
    start: str, end: str, clinic: Clinic, days: int
) -> None:
    """Days are counted from date to date in the clinic's zone."""
    assert days_between(clinic, at(start), at(end)) == days


def test_inactivity_over_a_leap_day_and_a_change_of_the_clock() -> None:
    """From 1 February 2028 day 60 is 1 April in London: 29 and 31 days, less an hour."""
    held = an.a_session_held("s1", at("2028-02-01T10:00"))
    zone = an.a_clinic_configured()
    one = figure("case_without_activity", [zone, held, until(at("2028-04-01T22:59"))])
    assert (one["value"], one["met"], one["due_at"]) == (60, None, "2028-04-01T23:00:00Z")
    one = figure("case_without_activity", [zone, held, until(at("2028-04-01T23:00"))])
    assert (one["value"], one["met"]) == (61, "attention")


def at_fern(envelope: Envelope) -> Envelope:
    """Return the same at another clinic, in another course of care, with another therapist."""
    names = {"clinic": "fern", "therapist": "th_eve", "care": "other"}
    data: dict[str, Any] = {**envelope.event.data, **names}
    if "session" in data:
        data["session"] = f"fern-{data['session']}"
    return an.an_event(envelope.event.type, envelope.event.time, data, client=CLIENT)


def test_two_clinics_count_by_their_own_zones_and_calendars() -> None:
    """The same facts at two clinics fall on other days, and on a holiday of one alone."""
    missed = [
        an.a_session_scheduled("s1", on(1, 22), at=on(-5)),
        an.a_session_cancelled("s1", at=on(0), by="clinic"),
        an.a_session_scheduled("s2", on(8, 10), at=on(-5)),
        an.a_session_held("s2", on(8, 10)),
    ]
    given = [
        an.a_clinic_configured(CLINIC, timezone="Europe/London", holidays=["2026-01-07"]),
        an.a_clinic_configured("fern", timezone="Pacific/Auckland", holidays=["2026-01-07"]),
        *missed,
        *map(at_fern, missed),
        about("setback.noted", on(68, 12), severity="mild"),
    ]
    elm, fern = figures(given, THERAPIST), figures(given, "th_eve")
    assert elm["therapist_cancellations"]["value"] == 1
    assert fern["therapist_cancellations"]["value"] == 0
    assert left_out(fern["therapist_cancellations"]) == {"bank_holiday": 1}
    assert (elm["case_without_activity"]["value"], elm["case_without_activity"]["met"]) == (
        60,
        None,
    )
    assert fern["case_without_activity"]["value"] == 61
    assert fern["case_without_activity"]["met"] == "attention"


def test_figures_go_up_to_the_clients_last_fact_and_never_to_a_clock() -> None:
    """A later fact of any kind moves the present; a closed phase's figures stand still."""
    held = an.a_session_held("s1", on(0))
    assert figures([held])["case_without_activity"]["value"] == 0
    assert figures([held, until(on(61))])["case_without_activity"]["met"] == "attention"
    ended = [an.a_care_event("started", on(-2), agreed_interval_days=7),
             held, an.a_care_event("ended", on(7))]  # fmt: skip
    still = figures(ended)["session_gap"]
    new = an.a_care_event("started", on(90), therapist="th_eve", care="other")
    assert figures([*ended, new])["session_gap"] == still
    assert (still["met"], still["due_at"]) == (None, None)


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/New_York"])
@pytest.mark.parametrize("by", ["client", "therapist"])
def test_the_ends_of_the_calendar_stop_no_figure(zone: str, by: str) -> None:
    """The first and the last moment that exist, which senders write for unknown, are survived."""
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    measures = [{"instrument": "srs-3", "every_days": 9}]
    given = [
        an.a_clinic_configured(timezone=zone),
        an.a_care_event("started", first, agreed_interval_days=7, measures=measures),
        an.a_session_held("held", first),
        an.a_rating(at=first),
        an.a_session_scheduled("cancelled", first, at=first),
        an.a_session_cancelled("cancelled", at=first, by=by),
        an.a_session_scheduled("moved", first, at=first),
        an.a_session_rescheduled("moved", last, at=first, by=by),
        an.a_session_missed("missed", at=first, by=by),
        an.a_session_scheduled("far", last, at=on(0)),
        an.a_session_cancelled("far", at=on(1), by=by),
        until(on(3)),
    ]
    assert figures(given)["case_without_activity"]["numbers"]["band"] == "more than 120"

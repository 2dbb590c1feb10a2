"""Figures about time kept: late starts, short sessions, moves at short notice."""

from datetime import timedelta
from typing import Any

import pytest

from shared.envelope import Envelope
from tests.support import events as an
from tests.support.events import on
from tests.support.figures import a_session, about, figure, left_out


# late_starts ------------------------------------------------------------------------------------
def late(*minutes: float, **stated: Any) -> dict[str, Any]:
    """Return the figure of weekly sessions that began so many minutes late."""
    given = [
        fact
        for n, one in enumerate(minutes)
        for fact in a_session(f"s{n}", on(7 * n), late=one, **stated)
    ]
    return figure("late_starts", given)


def test_a_median_of_more_than_ten_minutes() -> None:
    """Exactly ten is not more than ten; only the last four starts count."""
    assert (late(10, 10, 10, 10)["value"], late(10, 10, 10, 10)["met"]) == (10, None)
    assert late(9, 10, 10.5, 12)["value"] == 10.25
    assert late(9, 10, 10.5, 12)["met"] == "attention"
    assert late(60, 60, 60, 60, 0, 0, 0, 12)["value"] == 0


def test_within_the_grace_a_start_is_on_time() -> None:
    """Five minutes are no lateness, six are six; who begins early is not early for others."""
    one = late(5, 5, 6, 6)
    assert [value["minutes_late"] for value in one["values"]] == [0, 0, 6, 6]
    assert one["value"] == 3
    assert late(-20, -20, 12, 12)["value"] == 6


def test_starts_that_equal_the_schedule_are_filled_in() -> None:
    """Exactly 80 % equal is observed; more than 80 % of at least four is not analysable."""
    assert late(0, 0, 0, 0, 12)["value"] == 0
    filled_in = late(0, 0, 0, 0, 0, 12)
    assert filled_in["not_analysable_because"].startswith("5 of 6 starts equal the schedule")
    assert late(0, 0, 0, 0)["value"] is None
    assert late(0, 0, 0)["not_analysable_because"] == (
        "3 starts with the client there on time, 4 needed"
    )


def test_only_where_the_client_was_there_on_time() -> None:
    """A late client, an unknown arrival and a start without a plan or a clock are listed."""
    sessions = [a_session(f"s{n}", on(7 * n), late=12) for n in range(4)]
    given = [
        *(fact for pair in sessions for fact in pair),
        *a_session("late", on(28), late=30, client_arrival="late"),
        *a_session("unknown", on(35), late=30, client_arrival="unknown"),
        *a_session("said nothing", on(42), late=30, client_arrival=None),
        *a_session("by day", on(49), late=30, time_precision="day"),
        an.a_session_held("unplanned", on(56), client_arrival="on_time"),
    ]
    one = figure("late_starts", given)
    assert (one["value"], one["met"]) == (12, "attention")
    assert left_out(one) == {
        "client_late": 1, "arrival_unknown": 2, "no_planned_or_exact_time": 2,
    }  # fmt: skip


# shortened_sessions -----------------------------------------------------------------------------
def short(*minutes: float) -> dict[str, Any]:
    """Return the figure of weekly sessions that lasted so long."""
    given = [
        fact
        for n, one in enumerate(minutes)
        for fact in a_session(f"s{n}", on(7 * n), minutes=one)
    ]
    return figure("shortened_sessions", given)


def test_two_of_the_last_four_below_nine_tenths() -> None:
    """Exactly 0.9 of the first four's median is not shorter than that; one alone is no pattern."""
    assert short(50, 50, 50, 50, 45, 45, 45, 45)["value"] == 0
    one = short(50, 50, 50, 50, 44, 50, 50, 50)
    assert (one["value"], one["denominator"], one["met"]) == (1, 4, None)
    two = short(50, 50, 50, 50, 44, 50, 44, 50)
    assert (two["value"], two["met"], len(two["events"])) == (2, "attention", 2)
    assert short(50, 50, 50, 50, 44, 44, 50, 50, 50, 50)["value"] == 0
    assert short(40, 60, 30, 70, 44)["numbers"]["own_median_minutes"] == 50


def test_the_first_four_are_what_others_are_compared_with() -> None:
    """They are never short themselves: four sessions give no figure, five do."""
    four = short(50, 50, 10, 10)
    assert four["not_analysable_because"] == "4 sessions of a known length, 5 needed"
    assert (short(50, 50, 50, 50, 10)["value"], short(50, 50, 50, 50, 10)["denominator"]) == (1, 1)


def test_what_says_nothing_of_the_therapists_time() -> None:
    """Ended by the client, by technology, by unknown, or begun by a late client: listed."""
    usual = [fact for n in range(4) for fact in a_session(f"s{n}", on(7 * n))]
    given = [
        *usual,
        *a_session("a", on(30), minutes=10, ended_early_by="client"),
        *a_session("b", on(37), minutes=10, ended_early_by="technical"),
        *a_session("c", on(44), minutes=10, ended_early_by="unknown"),
        *a_session("d", on(51), minutes=10, client_arrival="late"),
        *a_session("e", on(58), minutes=10, time_precision="day"),
        *a_session("f", on(65), minutes=10, ended_early_by="therapist"),
        *a_session("g", on(72), minutes=10),
    ]
    one = figure("shortened_sessions", given)
    assert (one["numerator"], one["denominator"], one["met"]) == (2, 2, "attention")
    assert left_out(one) == {
        "ended_early_by_client": 1,
        "ended_early_by_technical": 1,
        "ended_early_by_unknown": 1,
        "client_late": 1,
        "no_exact_time": 1,
    }


# reschedule_churn -------------------------------------------------------------------------------
def moved(
    ref: str, start_day: float, notice: timedelta, by: str = "therapist", **stated: Any
) -> list[Envelope]:
    """Return a session that was moved by a day with so much notice, and then held."""
    start, later = on(start_day), on(start_day + 1)
    return [
        an.a_session_scheduled(ref, start, at=start - timedelta(days=20)),
        an.a_session_rescheduled(ref, later, at=start - notice, by=by, **stated),
        an.a_session_held(ref, later),
    ]


TWO_DAYS = timedelta(hours=48)
LESS = TWO_DAYS - timedelta(seconds=1)


@pytest.mark.parametrize(
    ("notices", "value", "met"),
    [
        ((TWO_DAYS, TWO_DAYS), 0, None),
        ((LESS, TWO_DAYS), 1, None),
        ((LESS, timedelta(0)), 2, "attention"),
        ((LESS, timedelta(hours=-1)), 2, "attention"),
    ],
)
def test_two_moves_with_less_than_48_hours(
    notices: tuple[timedelta, ...], value: int, met: str | None
) -> None:
    """Exactly 48 hours are notice enough; a move after the start is none at all."""
    given = [f for n, notice in enumerate(notices) for f in moved(f"s{n}", 30 + 7 * n, notice)]
    one = figure("reschedule_churn", given)
    assert (one["value"], one["denominator"], one["met"]) == (value, 2, met)
    assert len(one["values"]) == value


def test_moves_of_more_than_eight_sessions_ago_are_past() -> None:
    """The window is eight sessions by planned start; one of it moved twice counts twice."""
    first = moved("first", 25, LESS)
    held = [fact for n in range(8) for fact in a_session(f"s{n}", on(40 + 7 * n))]
    assert figure("reschedule_churn", [*first, *held[:-2]])["value"] == 1
    assert figure("reschedule_churn", [*first, *held])["value"] == 0
    again = an.a_session_rescheduled("first", on(26, 12), at=on(26, 9), by="clinic")
    assert figure("reschedule_churn", [*first, again])["met"] == "attention"


def test_moves_that_do_not_count_are_listed() -> None:
    """By unknown, another therapist only, after a cancellation, by the day, in leave; not by
    the client, which is no matter of the provider's."""
    start = on(140)
    only_who = [
        an.a_session_scheduled("who", start, therapist=None),
        an.a_session_rescheduled("who", start, at=on(139), by="clinic"),
    ]
    cancelled = [
        an.a_session_scheduled("c", on(150), at=on(100)),
        an.a_session_cancelled("c", at=on(110), by="therapist"),
        an.a_session_rescheduled("c", on(152), at=on(149), by="therapist"),
    ]
    given = [
        an.a_therapist_away("2026-06-22", "2026-06-28"),
        *moved("u", 120, LESS, by="unknown"),
        *moved("mine", 127, LESS, by="client"),
        *moved("d", 133, LESS, time_precision="day"),
        *only_who,
        *cancelled,
        *moved("leave", 170, LESS),
        about("setback.noted", on(200), severity="mild"),
    ]
    one = figure("reschedule_churn", given)
    assert (one["value"], one["met"]) == (0, None)
    assert left_out(one) == {
        "announced_leave": 1,
        "booked_again_after_it_was_cancelled_or_missed": 1,
        "moved_by_unknown": 1,
        "no_exact_time": 1,
        "only_the_therapist_changed": 1,
    }

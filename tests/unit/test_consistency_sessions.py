"""Figures about sessions that were held, missed, cancelled: each threshold at it and under it."""

from datetime import timedelta
from typing import Any

import pytest

from shared.alliance.attendance import latest, windows
from shared.envelope import Envelope
from tests.support import events as an
from tests.support.events import on
from tests.support.figures import about, figure, left_out, until
from tests.support.phases import a_life, phases_of, weekly

HELD = "held"


def cancellations(*outcomes: str, reason: str | None = None, **settings: Any) -> dict[str, Any]:
    """Return the figure of weekly outcomes."""
    return figure("therapist_cancellations", weekly(*outcomes, reason=reason), **settings)


def test_two_of_the_last_eight_meet_the_threshold() -> None:
    """One of eight does not, two are attention, three urgent; the words have the numbers."""
    one = cancellations("cancelled:clinic", *[HELD] * 7)
    assert (one["numerator"], one["denominator"], one["met"]) == (1, 8, None)
    two = cancellations("cancelled:clinic", *[HELD] * 6, "cancelled:therapist")
    assert (two["numerator"], two["denominator"], two["met"]) == (2, 8, "attention")
    assert two["words"] == (
        "2 of the last 8 sessions were cancelled by the clinic or therapist "
        "(threshold 2, urgent 3)."
    )
    three = cancellations("missed:therapist", "cancelled:clinic", HELD, "cancelled:therapist")
    assert (three["value"], three["denominator"], three["met"]) == (3, 4, "urgent")
    assert three["numbers"] == {"missed": 1}
    assert (len(three["events"]), len(three["among"])) == (3, 4)


def test_the_ninth_pushes_the_first_out() -> None:
    """Only the last eight bookings with an outcome are looked at."""
    assert cancellations("cancelled:clinic", *[HELD] * 7, "cancelled:clinic")["value"] == 1


def test_what_never_counts_is_listed_with_its_number() -> None:
    """Excused, unknown and nobody's stand beside the figure; the client's own are no lapse."""
    given = [
        *weekly("cancelled:therapist", reason="weather"),
        *_later(weekly("cancelled:unknown", "missed:nobody", "cancelled:client", first=7), "b"),
        *_later(
            weekly("cancelled:therapist", "cancelled:clinic", reason="illness", first=28), "c"
        ),
    ]
    one = figure("therapist_cancellations", given)
    assert (one["numerator"], one["denominator"], one["met"]) == (1, 6, None)
    assert left_out(one) == {
        "weather": 1,
        "first_sickness": 1,
        "cancelled_by_unknown": 1,
        "missed_by_nobody": 1,
    }
    assert "; not counted: 1 cancelled by unknown, 1 first sickness" in one["words"]
    assert figure("therapist_cancellations", given, sickness_grace=0)["met"] == "attention"


def _later(envelopes: list[Envelope], prefix: str) -> list[Envelope]:
    """Return the same about other sessions."""
    return [
        an.an_event(one.event.type, one.event.time,
                    {**one.event.data, "session": f"{prefix}{one.event.data['session']}"})
        for one in envelopes
    ]  # fmt: skip


def test_announced_leave_is_not_counted() -> None:
    """A cancellation in leave that was announced before stands beside the figure."""
    leave = an.a_therapist_away("2026-01-12", "2026-01-18")
    given = weekly("cancelled:clinic", "cancelled:therapist", "cancelled:clinic")
    assert figure("therapist_cancellations", given)["met"] == "urgent"
    one = figure("therapist_cancellations", [*given, leave])
    assert (one["numerator"], one["met"]) == (2, "attention")
    assert left_out(one) == {"announced_leave": 1}


def test_a_correction_counts_from_then_on() -> None:
    """What was corrected later is counted as corrected; what was retracted is not there."""
    given = weekly("cancelled:clinic", "cancelled:therapist", HELD)
    first, second = (one for one in given if one.event.type == "session.cancelled")
    assert figure("therapist_cancellations", given)["met"] == "attention"
    corrected = an.a_correction(first, cancelled_by="client", at=on(300))
    assert figure("therapist_cancellations", [*given, corrected])["numerator"] == 1
    retracted = an.a_retraction(second, at=on(300))
    one = figure("therapist_cancellations", [*given, retracted])
    assert (one["numerator"], one["denominator"]) == (1, 2)


def test_contradictory_codes_count_by_the_last_word() -> None:
    """A session missed by the client and then told to be cancelled by the clinic is one lapse."""
    given = [*weekly("missed:client"), an.a_session_cancelled("s1", at=on(1), by="clinic")]
    assert figure("therapist_cancellations", given)["numerator"] == 1
    assert figure("did_not_attend", given)["not_analysable_because"] is not None


def test_a_phase_without_an_outcome_is_not_analysable() -> None:
    """Where nothing was held, missed or cancelled there is no figure, not a nought."""
    booked = [an.a_session_scheduled("s1", on(7))]
    for name in ("therapist_cancellations", "session_not_held", "did_not_attend", "session_gap",
                 "next_session", "case_without_activity", "late_starts", "shortened_sessions",
                 "reschedule_churn"):  # fmt: skip
        one = figure(name, booked)
        assert (one["value"], one["met"]) == (None, None)
        assert one["not_analysable_because"] in one["words"]


def test_the_latest_window_is_where_windows_end() -> None:
    """The figure looks at the same bookings as the rule does at the last change."""
    for seed in range(40):
        for phase in phases_of(a_life(seed)):
            last = [list(window) for _, _, window in windows(phase, 8)][-1:]
            assert [list(latest(phase, 8))] == (last or [[]])


# session_not_held -------------------------------------------------------------------------------
def test_one_not_held_is_attention_and_a_second_within_12_weeks_urgent() -> None:
    """Twelve weeks are within, a day more is not."""
    first = weekly("missed:therapist")
    assert figure("session_not_held", first)["met"] == "attention"

    def then(day: float) -> dict[str, Any]:
        second = _later(weekly("missed:therapist", first=day), "b")
        return figure("session_not_held", [*first, *second])

    assert (then(84)["numerator"], then(84)["met"]) == (2, "urgent")
    assert (then(85)["numerator"], then(85)["met"]) == (1, "attention")


def test_it_is_urgent_where_nobody_reached_the_client_within_two_working_days() -> None:
    """Monday's session: due when Wednesday ends; not known where contacts are never sent."""
    given = weekly("missed:therapist")
    silent = figure("session_not_held", [*given, until(on(3))])
    assert silent["numbers"]["client_reached"].startswith("not analysable")
    sends = an.a_clinic_configured(sends=["sessions", "contacts"])
    before = figure("session_not_held", [*given, sends, until(on(2, 23, 59))])
    assert (before["met"], before["numbers"]["client_reached"]) == ("attention", "not yet due")
    after = figure("session_not_held", [*given, sends, until(on(3, 0))])
    assert (after["met"], after["numbers"]["client_reached"]) == ("urgent", "not in time")
    spoke = about("contact.attempted", on(2, 23), by="clinic", reached=True)
    reached = figure("session_not_held", [*given, sends, spoke, until(on(9))])
    assert (reached["met"], reached["numbers"]["client_reached"]) == ("attention", "in time")


def test_an_excused_miss_stands_beside() -> None:
    """The first sickness in eight is not counted; one by unknown neither."""
    given = [*weekly("missed:therapist", reason="emergency"),
             *_later(weekly("missed:unknown", first=7), "b")]  # fmt: skip
    one = figure("session_not_held", given)
    assert (one["numerator"], one["denominator"], one["met"]) == (0, 2, None)
    assert left_out(one) == {"emergency": 1, "missed_by_unknown": 1}


# did_not_attend ---------------------------------------------------------------------------------
def test_missed_by_client_of_held_and_missed() -> None:
    """Too late to be seen is on neither side; cancelled ones are not in it; nothing is met."""
    given = [
        *weekly(HELD, HELD, "missed:client", "cancelled:client", "missed:therapist"),
        *_later(weekly("missed:client", reason="arrived_too_late", first=60), "b"),
    ]
    one = figure("did_not_attend", given)
    assert (one["numerator"], one["denominator"], one["value"]) == (1, 3, 0.333)
    assert left_out(one) == {"arrived_too_late": 1}
    assert (one["met"], one["threshold"]["words"]) == (None, "")


# session_gap ------------------------------------------------------------------------------------
AGREED = an.a_care_event("started", on(-2), agreed_interval_days=10)
ENDED = timedelta(minutes=50)


@pytest.mark.parametrize(
    ("after", "met"),
    [
        (timedelta(days=15), None),
        (timedelta(days=15, seconds=1), "attention"),
        (timedelta(days=20), "attention"),
        (timedelta(days=20, seconds=1), "urgent"),
    ],
)
def test_more_than_one_and_a_half_intervals(after: timedelta, met: str | None) -> None:
    """Exactly 1.5 and 2 agreed intervals are not more than that; a second later is."""
    one = figure("session_gap", [AGREED, *weekly(HELD), until(on(0) + ENDED + after)])
    assert one["met"] == met
    assert (one["denominator"], one["due_at"]) == (10, "2026-01-20T10:50:00Z")


def test_pauses_leave_closures_and_the_clients_own_are_taken_out() -> None:
    """Days in which the clock stands still do not count, and are listed; long ones are shown."""
    given = [
        AGREED,
        *weekly(HELD),
        an.a_therapist_away("2026-01-06", "2026-01-10"),
        an.a_clinic_closed("2026-01-12", "2026-01-13"),
        an.a_care_event("paused", on(10)),
        an.a_care_event("resumed", on(15)),
        until(on(31)),
    ]
    one = figure("session_gap", given)
    days = one["numerator"]
    assert days == pytest.approx(31 - 50 / 1440 - 5 - 2 - 5, abs=0.001)
    assert one["value"] == pytest.approx(days / 10, abs=0.001)
    assert left_out(one) == {"announced_leave": 1, "closure": 1, "pause": 1}
    assert one["numbers"]["over_15_days"]
    assert one["numbers"]["over_30_days"]
    assert not one["numbers"]["next_session_booked"]


def test_ended_gaps_are_listed_without_those_that_the_client_broke() -> None:
    """Only gaps from one held session to the next are listed, with both events."""
    given = [AGREED, *weekly(HELD, HELD, "cancelled:client", HELD, HELD)]
    values = figure("session_gap", given)["values"]
    assert [(one["days"], one["ratio"]) for one in values] == [(7.0, 0.7), (7.0, 0.7)]


def test_without_an_interval_four_gaps_stand_in() -> None:
    """Three gaps are too few to know the rhythm: not analysable; four are enough."""
    few = figure("session_gap", weekly(*[HELD] * 4))
    assert few["not_analysable_because"] == (
        "no interval is agreed, and fewer than 4 gaps stand in for it"
    )
    one = figure("session_gap", [*weekly(*[HELD] * 5), until(on(49))])
    assert (one["denominator"], one["met"], one["numbers"]["agreed"]) == (7, "urgent", False)


# next_session, case_without_activity ------------------------------------------------------------
def test_no_next_session_for_a_week() -> None:
    """Booked at the last fact, or not; after seven days of the clinic it meets the threshold."""
    held = weekly(HELD)
    six = figure("next_session", [*held, until(on(6))])
    assert (six["value"], six["met"], six["due_at"]) == (0, None, "2026-01-12T00:00:00Z")
    assert figure("next_session", [*held, until(on(7, 0))])["met"] == "attention"
    booked = an.a_session_scheduled("s9", on(30), at=on(7, 0))
    one = figure("next_session", [*held, booked])
    assert (one["value"], one["met"], one["due_at"]) == (1, None, None)
    off = an.a_session_cancelled("s9", at=on(8), by="client")
    fresh = figure("next_session", [*held, booked, off])
    assert (fresh["met"], fresh["due_at"]) == (None, "2026-01-20T00:00:00Z")
    assert fresh["numbers"] == {"days_since_held": 8, "days_without": 0}
    late = figure("next_session", [*held, booked, off, until(on(15, 0))])
    assert late["met"] == "attention"
    assert late["words"].startswith("no next session is booked for 7 days, 15 days after")
    ended = an.a_care_event("ended", on(20))
    closed = figure("next_session", [*held, ended])
    assert closed["not_analysable_because"] == "the phase is closed"


@pytest.mark.parametrize(
    ("days", "band", "met"),
    [
        (0, "up to 60", None),
        (60, "up to 60", None),
        (61, "61 to 90", "attention"),
        (90, "61 to 90", "attention"),
        (91, "91 to 120", "attention"),
        (120, "91 to 120", "attention"),
        (121, "more than 120", "attention"),
    ],
)
def test_bands_of_an_open_case(days: int, band: str, met: str | None) -> None:
    """Each band ends with its last day; more than 60 days meet the threshold."""
    one = figure("case_without_activity", [*weekly(HELD), until(on(days, 23))])
    assert (one["value"], one["numbers"]["band"], one["met"]) == (days, band, met)


def test_a_break_the_client_asked_for_is_no_inactivity() -> None:
    """Its days are left out and it is listed; the whole number of days stands beside."""
    paused = [an.a_care_event("paused", on(10)), an.a_care_event("resumed", on(40))]
    one = figure("case_without_activity", [*weekly(HELD), *paused, until(on(90))])
    assert (one["value"], one["met"], one["numbers"]["days_with_pauses"]) == (60, None, 90)
    assert left_out(one) == {"break_the_client_asked_for": 1}

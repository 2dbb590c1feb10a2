"""What is known of the clinics around a client: calendar, absences, in the clinic's own zone."""

from datetime import date

from shared.alliance.clinics import Surroundings, surroundings
from shared.envelope import Envelope
from tests.support.events import (
    COVER,
    ORGANISATION,
    THERAPIST,
    a_clinic_closed,
    a_clinic_configured,
    a_correction,
    a_retraction,
    a_session_held,
    a_therapist_away,
    an_event,
    on,
)


def around(*envelopes: Envelope) -> Surroundings:
    """Return what these facts say."""
    return surroundings(ORGANISATION, envelopes)


def test_a_clinic_nobody_configured_is_in_utc_and_arms_nothing() -> None:
    """Accepted unknown: Monday to Friday, no holidays, and nothing said of what it sends."""
    clinic = around().clinic("oak")
    assert (clinic.ref, clinic.timezone, clinic.sends) == ("oak", "UTC", None)
    assert clinic.working_days == ("mon", "tue", "wed", "thu", "fri")


def test_the_latest_word_on_each_field_counts() -> None:
    """What a later configuration leaves out stays; an empty list clears."""
    clinic = around(
        a_clinic_configured(at=on(1), sends=["sessions"], holidays=["2026-12-25"]),
        a_clinic_configured(at=on(2), timezone="Europe/Paris", working_days=["mon", "sat"]),
        a_clinic_configured(at=on(3), timezone="Europe/Paris", holidays=[]),
    ).clinic("elm")
    assert (clinic.timezone, clinic.working_days) == ("Europe/Paris", ("mon", "sat"))
    assert (clinic.sends, clinic.holidays) == (frozenset({"sessions"}), frozenset())
    assert len(clinic.facts) == 3


def test_days_are_inclusive_in_the_clinics_zone() -> None:
    """A closure begins and ends at midnight there, whenever the zone became known."""
    closed = a_clinic_closed("2026-03-28", "2026-03-29", at=on(0))
    (closure,) = around(closed, a_clinic_configured(at=on(9))).clinic("elm").closures
    assert closure.start == on(82, 0)
    assert closure.until == on(83, 23), "the clock in London went forward that night"
    (closure,) = around(closed).clinic("elm").closures
    assert closure.until == on(84, 0)


def test_closures_and_absences_are_in_order_of_their_start() -> None:
    """Not in the order in which they were announced."""
    known = around(
        a_clinic_closed("2026-05-01", "2026-05-02", at=on(0)),
        a_clinic_closed("2026-04-01", "2026-04-02", at=on(1)),
        a_therapist_away("2026-05-01", None, at=on(0), cover=COVER),
        a_therapist_away("2026-04-01", "2026-04-02", at=on(1)),
    )
    assert [span.start.month for span in known.clinic("elm").closures] == [4, 5]
    assert [absence.span.start.month for absence in known.away[THERAPIST]] == [4, 5]
    (covered,) = known.covered[COVER]
    assert (covered.therapist, covered.span.until) == (THERAPIST, None)


def test_amendments_reach_what_concerns_many() -> None:
    """Corrected leave is the leave; a retracted closure is none."""
    away = a_therapist_away("2026-05-01", "2026-05-02", id="a1")
    closed = a_clinic_closed("2026-05-01", "2026-05-02", id="c1")
    known = around(away, a_correction(away, cover=COVER), closed, a_retraction(closed))
    assert known.away[THERAPIST][0].cover == COVER
    assert known.clinic("elm").closures == ()


def test_what_is_not_about_clinics_is_left_alone() -> None:
    """Ticks, rules and a client's facts say nothing here, however many there are."""
    tick = an_event("clock.ticked", on(1), {"tick_at": "2026-01-06T10:00:00Z"}, client=None)
    assert around(tick, a_session_held()) == Surroundings()


def test_an_absence_covers_its_first_moment_and_not_the_one_after_its_end() -> None:
    """From the start of the first day to the end of the last."""
    (absence,) = around(a_therapist_away("2026-01-12", "2026-01-12")).away[THERAPIST]
    assert absence.span.fact.data["from"] == date(2026, 1, 12).isoformat()
    assert absence.covers(on(7, 0))
    assert not absence.covers(on(8, 0))

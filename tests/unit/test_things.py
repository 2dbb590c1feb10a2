"""Boundary events, ruptures, ratings and cares: what their facts make of them."""

from collections.abc import Sequence

from shared.alliance.history import Phase, fold
from shared.alliance.series import client_series
from shared.envelope import Envelope
from tests.support.events import (
    CLIENT,
    ORGANISATION,
    a_boundary_step,
    a_care_event,
    a_clinic_configured,
    a_rating,
    a_rupture_noted,
    a_rupture_repaired,
    a_session_held,
    on,
)


def the_phase(*client: Envelope, around: Sequence[Envelope] = ()) -> Phase:
    """Return the only phase."""
    (phase,) = fold(ORGANISATION, CLIENT, client, around).phases
    return phase


def test_a_boundary_event_may_be_reopened_and_lacks_what_was_never_sent() -> None:
    """Reopened it is open; with only later steps there, nothing is made up."""
    phase = the_phase(a_boundary_step("closed", at=on(8)), a_boundary_step("reopened", at=on(9)))
    (event,) = phase.boundary_events
    assert (event.noted_at, event.severity, event.closed_at) == (None, None, None)
    assert event.reopened_at == on(9)


def test_a_rupture_is_repaired_from_resolution_three_and_open_when_noted_again() -> None:
    """The first repair that resolves it counts; a new note of it opens it again."""
    noted = a_rupture_noted(at=on(1))
    half = a_rupture_repaired(at=on(2), resolution=2)
    whole = a_rupture_repaired(at=on(3), resolution=3)
    (rupture,) = the_phase(noted, half, whole).ruptures
    assert (rupture.noted_at, rupture.repaired_at, rupture.resolution) == (on(1), on(3), 3)
    (rupture,) = the_phase(noted, half).ruptures
    assert (rupture.repaired_at, rupture.resolution) == (None, 2)
    (rupture,) = the_phase(noted, whole, a_rupture_noted(at=on(5))).ruptures
    assert (rupture.noted_at, rupture.repaired_at) == (on(1), None)


def test_the_last_word_on_a_rating_counts() -> None:
    """Sent again under its own reference, a rating is one rating."""
    first = a_rating(30, at=on(1), rating="q1")
    (rating,) = the_phase(first, a_rating(20, at=on(2), rating="q1")).ratings
    assert rating.score.scales["total"].value == 20
    assert rating.facts[0].event == first.id


def test_ratings_without_a_reference_are_each_their_own() -> None:
    """An event id names them."""
    phase = the_phase(a_rating(30, at=on(1)), a_rating(20, at=on(2)))
    assert [rating.ref for rating in phase.ratings] == [one.fact.event for one in phase.ratings]


def test_ratings_of_a_group_session_are_a_series_apart() -> None:
    """They never enter the individual trend."""
    group = a_session_held("g1", on(1), kind="group")
    one, other = the_phase(group, a_rating(at=on(1, 12), session="g1"), a_rating(at=on(2))).ratings
    assert (one.in_group, other.in_group) == (True, False)
    assert one.series != other.series


def test_a_series_comes_by_its_first_rating_whatever_its_respondent_is_called() -> None:
    """Opaque ids are random: two installations must look at a couple's ratings in one order."""
    for one, other in (("pe_a", "pe_b"), ("pe_b", "pe_a")):
        phase = the_phase(
            a_rating(30, at=on(1), respondent=one, id="first"),
            a_rating(31, at=on(2), respondent=other, id="second"),
        )
        names = [series.points[0].rating.fact.id for series in client_series(phase, "alliance")]
        assert names == ["first", "second"]


def test_an_unknown_instrument_version_is_kept_and_not_scored() -> None:
    """Nothing is scored by a version that it does not carry."""
    (rating,) = the_phase(a_rating(30, instrument_version="99")).ratings
    assert (rating.instrument, rating.version) == (None, "99")
    assert rating.score.unscored_because == "unknown_instrument"


def test_a_pause_ends_on_its_last_day_or_when_care_resumes() -> None:
    """Its last day is inclusive, in the clinic's zone; resuming or ending cuts it short."""
    london = a_clinic_configured()
    paused = a_care_event("paused", on(1), until="2026-06-30")
    (pause,) = the_phase(paused, around=[london]).care.pauses
    assert (pause.start, pause.until) == (on(1), on(176, 23))
    (pause,) = the_phase(paused, a_care_event("resumed", on(9)), around=[london]).care.pauses
    assert pause.until == on(9)
    (pause,) = the_phase(paused, a_care_event("ended", on(5)), around=[london]).care.pauses
    assert pause.until == on(5)


def test_what_was_agreed_at_the_start_is_the_cares() -> None:
    """Interval, plan and measures come from the start; a later start changes what it says."""
    measures = [{"instrument": "srs-3", "every_sessions": 1}]
    care = the_phase(
        a_care_event("started", on(1), agreed_interval_days=7, measures=measures),
        a_care_event("started", on(30), agreed_interval_days=14, planned_sessions=20),
    ).care
    assert (care.agreed_interval_days, care.planned_sessions) == (14, 20)
    assert care.measures == tuple(measures)

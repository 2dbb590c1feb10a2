"""Figures about the course of care: transfers, questionnaires, reviews, goals, its end."""

from typing import Any

import pytest

from shared.envelope import Envelope
from tests.support import events as an
from tests.support.events import on
from tests.support.figures import about, figure, figures, left_out, until
from tests.support.phases import weekly


# change_of_therapist ----------------------------------------------------------------------------
def test_one_unplanned_transfer_or_a_second_one() -> None:
    """One that was planned is none; unplanned is; a second in the case is, planned or not."""
    held = weekly("held")
    assert figure("change_of_therapist", held)["value"] == 0
    planned = an.a_care_event("transferred", on(10))
    one = figures([*held, planned])["change_of_therapist"]
    assert (one["value"], one["numerator"], one["met"]) == (1, 0, None)
    unplanned = an.a_care_event("transferred", on(10), planned=False, reason="capacity")
    one = figures([*held, unplanned])["change_of_therapist"]
    assert (one["value"], one["numerator"], one["met"]) == (1, 1, "attention")
    assert one["values"][0]["reason"] == "capacity"
    again = an.a_care_event("transferred", on(20), therapist="th_new", to_therapist="th_eve")
    given = [*held, planned, again]
    assert figures(given)["change_of_therapist"]["met"] is None
    later = figures(given, "th_eve")["change_of_therapist"]
    assert (later["value"], later["met"], len(later["events"])) == (2, "attention", 2)


def test_a_cover_is_no_transfer() -> None:
    """A session held by who stands in belongs to the phase, and transfers nobody."""
    away = an.a_therapist_away("2026-01-12", "2026-01-18", cover="th_eve")
    held = an.a_session_held("s9", on(7), therapist="th_eve")
    assert figure("change_of_therapist", [away, *weekly("held"), held])["value"] == 0


# ended_early_by_provider ------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("reason", "value", "met", "beside"),
    [
        ("provider_ended", 1, "attention", {}),
        ("agreed", 0, None, {}),
        ("ended_earlier_than_planned", 0, None, {}),
        ("funding_ended", 0, None, {"funding_ended": 1}),
        ("service_closed", 0, None, {"service_closed": 1}),
        ("moved_away", 0, None, {"moved_away": 1}),
    ],
)
def test_only_the_providers_own_ending(
    reason: str, value: int, met: str | None, beside: dict[str, int]
) -> None:
    """Funding, a move and a closed service are not the provider's ending, and stand beside."""
    ended = an.a_care_event("ended", on(30), reason=reason)
    one = figure("ended_early_by_provider", [*weekly("held"), ended])
    assert (one["value"], one["met"], left_out(one)) == (value, met, beside)


def test_an_end_for_unknown_reasons_is_not_guessed() -> None:
    """Unknown is not analysable; nor is care that goes on."""
    ended = an.a_care_event("ended", on(30), reason="unknown")
    one = figure("ended_early_by_provider", [*weekly("held"), ended])
    assert one["not_analysable_because"] == "the reason of the end is unknown"
    assert figure("ended_early_by_provider", weekly("held"))["value"] is None


# measures_due -----------------------------------------------------------------------------------
def agreed(**rhythm: int) -> Envelope:
    """Return the start of care with one questionnaire agreed."""
    return an.a_care_event("started", on(-2, 9), measures=[{"instrument": "srs-3", **rhythm}])


RATING = an.a_rating(at=on(0, 11))


def due(*envelopes: Envelope) -> dict[str, Any]:
    """Return the figure."""
    return figure("measures_due", envelopes)


def test_four_weeks_past_an_agreed_number_of_days() -> None:
    """Rated on day 0, due on day 14, overdue when the clinic's day 42 begins."""
    given = [agreed(every_days=14), *weekly("held"), RATING]
    before = due(*given, until(on(41, 23, 59)))
    assert (before["numerator"], before["denominator"], before["met"]) == (0, 1, None)
    assert before["due_at"] == "2026-02-16T00:00:00Z"
    assert before["values"][0]["due_at"] == "2026-01-19T00:00:00Z"
    after = due(*given, until(on(42, 0)))
    assert (after["numerator"], after["met"]) == (1, "attention")
    assert after["due_at"] is None


def test_an_agreed_number_of_sessions() -> None:
    """Due when the second session after the rating's own was held; four weeks later overdue."""
    given = [agreed(every_sessions=2), *weekly("held", "held", "held"), RATING]
    one = due(*given, until(on(41, 23)))
    assert (one["values"][0]["due_at"], one["met"]) == ("2026-01-19T10:50:00Z", None)
    assert due(*given, until(on(42, 0)))["met"] == "attention"
    assert due(agreed(every_sessions=3), *given[1:], until(on(300)))["met"] is None


def test_a_rating_before_the_end_of_its_session_was_given_in_it() -> None:
    """The session of the same day, or the one it names, is not one that followed it."""
    early = an.a_rating(at=on(0, 10, 20))
    one = due(agreed(every_sessions=1), *weekly("held"), early, until(on(90)))
    assert (one["value"], one["values"][0]["due_at"]) == (0, None)
    named = an.a_rating(at=on(-1, 10), session="s1")
    one = due(agreed(every_sessions=1), *weekly("held"), named, until(on(90)))
    assert (one["value"], one["values"][0]["due_at"]) == (0, None)


def test_not_offered_differs_from_not_answered() -> None:
    """What was offered starts the rhythm anew and is listed; what was not offered does not."""
    given = [agreed(every_days=14), *weekly("held"), RATING, until(on(45))]
    for reason, beside in (
        ("declined", {"declined": 1}),
        ("not_answered", {"not_answered": 1}),
        ("unknown", {"skipped_why_unknown": 1}),
    ):
        one = due(*given, an.a_rating_skipped(at=on(14), reason=reason))
        assert (one["met"], left_out(one)) == (None, beside)
    one = due(*given, an.a_rating_skipped(at=on(14), reason="not_offered"))
    assert (one["met"], one["numbers"], left_out(one)) == ("attention", {"not_offered": 1}, {})


def test_nothing_agreed_or_nothing_sent_is_not_analysable() -> None:
    """Never sent is not never happened; only what care.started agreed is due."""
    one = due(*weekly("held"), RATING)
    assert one["not_analysable_because"] == "no rhythm is agreed"
    silent = [agreed(every_days=1), *weekly("held"), until(on(90))]
    assert due(*silent)["not_analysable_because"] == "ratings are not known to be sent"
    assert due(*silent, an.a_clinic_configured(sends=["ratings"]))["met"] == "attention"
    ended = an.a_care_event("ended", on(91))
    assert due(*silent, RATING, ended)["not_analysable_because"] == "the phase is closed"


def test_nothing_was_due_before_it_was_agreed_or_the_phase_began() -> None:
    """An agreement after the last rating, or before a transfer, makes nothing late."""
    later = an.a_care_event(
        "started", on(100), measures=[{"instrument": "srs-3", "every_days": 14}]
    )
    given = [*weekly("held"), RATING, later]
    assert due(*given, until(on(141, 23)))["met"] is None
    assert due(*given, until(on(142, 0)))["met"] == "attention"
    moved, sends = (
        an.a_care_event("transferred", on(200)),
        an.a_clinic_configured(sends=["ratings"]),
    )
    held = an.a_session_held("n1", on(210), therapist="th_new")
    one = figures([*given, moved, held, sends], "th_new")["measures_due"]
    assert (one["value"], one["values"][0]["since"]) == (0, moved.id)


def test_a_pause_stops_the_rhythm() -> None:
    """Three weeks of a break move what is due by three weeks."""
    paused = [an.a_care_event("paused", on(7)), an.a_care_event("resumed", on(28))]
    given = [agreed(every_days=14), *weekly("held"), RATING, *paused]
    assert due(*given, until(on(62)))["met"] is None
    assert due(*given, until(on(63)))["met"] == "attention"


# review_overdue ---------------------------------------------------------------------------------
def review(day: float, with_client: bool = True) -> Envelope:
    """Return a review of the plan."""
    return about("plan.reviewed", on(day), with_client=with_client, adapted=False)


def test_twelve_weeks_since_the_last_review_with_the_client() -> None:
    """84 days meet it, 83 do not; one without the client is listed and resets nothing."""
    given = [*weekly("held"), review(7)]
    under = figure("review_overdue", [*given, until(on(90, 23))])
    assert (under["value"], under["met"], under["due_at"]) == (83, None, "2026-04-06T00:00:00Z")
    assert figure("review_overdue", [*given, until(on(91, 0))])["met"] == "attention"
    alone = figure("review_overdue", [*given, review(60, with_client=False), until(on(91))])
    assert (alone["value"], alone["met"]) == (84, "attention")
    assert left_out(alone) == {"reviewed_without_the_client": 1}
    assert figure("review_overdue", [*given, review(60), until(on(91))])["met"] is None


def test_without_any_review_it_runs_from_the_first_session() -> None:
    """Only where plan reviews are known to be sent, and once a session was held."""
    given = [*weekly("held", "held"), until(on(84))]
    one = figure("review_overdue", given)
    assert one["not_analysable_because"] == "plan reviews are not known to be sent"
    sends = an.a_clinic_configured(sends=["plan"])
    assert figure("review_overdue", [*given, sends])["met"] == "attention"
    unheld = [an.a_session_scheduled("s1", on(7)), sends, until(on(84))]
    assert figure("review_overdue", unheld)["not_analysable_because"] == "no session was held yet"


# goals_without_progress -------------------------------------------------------------------------
def goal(what: str, day: float, ref: str = "g1", **data: Any) -> Envelope:
    """Return a word on a goal."""
    return about(f"goal.{what}", on(day), goal=ref, **data)


AGREED = goal("agreed", 0, agreed_by=["client", "therapist"])


def test_six_weeks_without_a_word_on_a_goal() -> None:
    """42 days meet it, 41 do not; a rating of the goal, or of all goals by gbo, is a word."""
    under = figure("goals_without_progress", [AGREED, until(on(41, 23))])
    assert (under["numerator"], under["denominator"], under["met"]) == (0, 1, None)
    assert under["due_at"] == "2026-02-16T00:00:00Z"
    one = figure("goals_without_progress", [AGREED, until(on(42, 0))])
    assert (one["numerator"], one["met"], one["events"]) == (1, "attention", [AGREED.id])
    rated = goal("rated", 20, attainment=0, rater="client")
    assert figure("goals_without_progress", [AGREED, rated, until(on(61))])["met"] is None
    assert figure("goals_without_progress", [AGREED, rated, until(on(62))])["met"] == "attention"
    together = an.a_rating(5, at=on(20), instrument="gbo")
    assert figure("goals_without_progress", [AGREED, together, until(on(61))])["met"] is None


def test_closed_goals_wait_for_nothing() -> None:
    """Each open goal is counted by itself; closed and agreed again it is open."""
    other = goal("agreed", 30, "g2", agreed_by=["client"])
    closed = goal("closed", 35, outcome="reached")
    one = figure("goals_without_progress", [AGREED, other, until(on(50))])
    assert (one["numerator"], one["denominator"]) == (1, 2)
    one = figure("goals_without_progress", [AGREED, other, closed, until(on(50))])
    assert (one["numerator"], one["denominator"]) == (0, 1)
    again = goal("agreed", 40, agreed_by=["client"])
    one = figure("goals_without_progress", [AGREED, closed, again, until(on(81))])
    assert (one["values"][0]["days"], one["met"]) == (41, None)
    none = figure("goals_without_progress", [AGREED, closed, until(on(81))])
    assert none["not_analysable_because"] == "no goal is agreed and open"

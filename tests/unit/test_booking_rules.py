"""Next sessions, missed ones, reviews: each threshold exactly at it and just under."""

from datetime import timedelta
from typing import Any

import pytest

from services.alerts.rules.no_contact_after_missed import NoContactAfterMissed
from services.alerts.rules.no_next_session import NoNextSession
from services.alerts.rules.review_overdue import ReviewOverdue
from shared.alliance.consistency.next_session import NEXT_SESSION
from shared.envelope import Envelope
from tests.support import events as an
from tests.support.events import CLINIC, THERAPIST, on
from tests.support.phases import judged, the_phase

NEXT, CONTACT, REVIEW = NoNextSession(), NoContactAfterMissed(), ReviewOverdue()
GRACE, SECOND = timedelta(hours=48), timedelta(seconds=1)
COMMON = {"clinic": CLINIC, "therapist": THERAPIST}


# no-next-session --------------------------------------------------------------------------------
HELD = an.a_session_held("s1", on(0))


BOOKINGS = an.a_feed_seen("session.scheduled")


@pytest.mark.parametrize(
    ("around", "told"),
    [
        ([], 0),
        ([an.a_clinic_configured(sends=["sessions"]), an.a_feed_seen("session.held")], 0),
        ([an.a_feed_seen("session.scheduled", "oak")], 0),
        ([BOOKINGS], 1),
        ([an.a_session_scheduled("s0", on(-3), at=on(-9))], 1),
    ],
    ids=["unknown", "held alone", "another clinic", "seen", "of this client"],
)
def test_where_no_bookings_are_sent_none_is_missed(around: list[Envelope], told: int) -> None:
    """Never sent is not never happened: the word ``sessions`` does not say that bookings come."""
    assert len(judged(NEXT, *around, HELD).episodes) == told
    figure = NEXT_SESSION.figure(the_phase(*around, HELD), on(30), NEXT_SESSION.defaults)
    assert (figure.value is not None) is bool(told)


def test_seven_days_without_a_booking_are_told_after_the_grace() -> None:
    """From the seventh day on, once the grace is over; a booking then clears it."""
    due_at = on(7, hour=0)
    assert judged(NEXT, BOOKINGS, HELD, until=due_at + GRACE - SECOND).episodes == ()
    (episode,) = judged(NEXT, BOOKINGS, HELD, until=due_at + GRACE).episodes
    assert (episode.effective_at, episode.cleared_at) == (due_at, None)
    booking = an.a_session_scheduled("s2", on(20), at=on(12))
    (cleared,) = judged(NEXT, HELD, booking, until=on(20)).episodes
    assert cleared.cleared_at == on(12)


def test_a_booking_in_time_keeps_it_from_being_told() -> None:
    """Booked before the day, whatever day it is for; what comes within the grace counts too."""
    for at in (on(6), on(8)):
        booking = an.a_session_scheduled("s2", on(30), at=at)
        assert judged(NEXT, HELD, booking, until=on(30)).episodes == ()


def test_what_was_booked_and_fell_away_is_waited_for_anew() -> None:
    """Called off, missed, or past without a word: seven days of the clinic run from there."""
    booking = an.a_session_scheduled("s2", on(20), at=on(1))
    away = {
        on(5): an.a_session_cancelled("s2", at=on(5), by="client"),
        on(8): an.a_session_cancelled("s2", at=on(8), by="clinic"),
        on(20): an.a_session_missed("s2", at=on(20), by="client"),
    }
    for at, fact in away.items():
        due_at = on((at - on(0)).days + 7, hour=0)
        facts = (HELD, booking, fact)
        assert judged(NEXT, *facts, until=due_at + GRACE - SECOND).episodes == ()
        (episode,) = judged(NEXT, *facts, until=due_at + GRACE).episodes
        assert (episode.effective_at, episode.steps[0].evidence[0].type) == (
            due_at,
            fact.event.type,
        )
    (silent,) = judged(NEXT, HELD, booking).episodes
    assert silent.effective_at == on(27, hour=0)


def test_a_booking_taken_up_again_ends_the_wait_and_unsays_nothing() -> None:
    """The same session booked again later clears what was told; it was not booked meanwhile."""
    booking = an.a_session_scheduled("s2", on(20), at=on(1))
    cancelled = an.a_session_cancelled("s2", at=on(2), by="client")
    again = an.a_session_scheduled("s2", on(20), at=on(12))
    (episode,) = judged(NEXT, HELD, booking, cancelled, again, until=on(20)).episodes
    assert (episode.effective_at, episode.cleared_at) == (on(9, hour=0), on(12))


def test_one_booking_ahead_is_enough_whatever_becomes_of_another() -> None:
    """Two overlap: the wait begins when the later is over; a move leaves no hole between."""
    first = an.a_session_scheduled("s2", on(10), at=on(1))
    later = an.a_session_scheduled("s3", on(25), at=on(9))
    off = an.a_session_cancelled("s2", at=on(9, 11), by="client")
    (episode,) = judged(NEXT, HELD, first, later, off).episodes
    assert episode.effective_at == on(32, hour=0)
    moved = an.a_session_rescheduled("s2", on(40), at=on(9))
    assert judged(NEXT, HELD, first, moved, until=on(40)).episodes == ()


def test_the_end_of_care_and_a_pause_keep_it_from_being_told() -> None:
    """Nobody waits for a session of somebody who has left, or who asked for a rest."""
    assert judged(NEXT, BOOKINGS, HELD, an.a_care_event("ended", on(5))).episodes == ()
    paused = [an.a_care_event("paused", on(2)), an.a_care_event("resumed", on(12))]
    (episode,) = judged(NEXT, BOOKINGS, HELD, *paused).episodes
    assert episode.effective_at == on(17, hour=0)


# no-contact-after-missed ------------------------------------------------------------------------
SENDS = an.a_clinic_configured(sends=["contacts"])
MISSED = [an.a_session_scheduled("s1", on(0)), an.a_session_missed("s1", at=on(0), by="client")]


def test_contacts_seen_from_the_clinic_are_sent_from_there() -> None:
    """Nobody ever asked after this client: that others were asked after is proof enough."""
    seen = an.a_feed_seen("contact.attempted")
    assert len(judged(CONTACT, seen, *MISSED).episodes) == 1
    assert judged(CONTACT, *MISSED).episodes == ()


def an_attempt(day: float, *, reached: bool) -> Envelope:
    """Return an attempt to speak with the client."""
    return an.an_event("contact.attempted", on(day), {**COMMON, "by": "therapist",
                                                       "reached": reached})  # fmt: skip


def contacts(*more: Envelope, **settings: Any) -> Any:
    """Return the episodes after a Monday's session that the client missed."""
    return judged(CONTACT, SENDS, *MISSED, *more, **settings).episodes


def test_three_working_days_without_a_contact_are_told() -> None:
    """To the end of Thursday after a Monday; only where contacts are sent."""
    (episode,) = contacts()
    assert episode.effective_at == on(4, hour=0)
    assert judged(CONTACT, *MISSED).episodes == ()
    assert contacts(until=on(4, hour=0) - SECOND) == ()
    assert len(contacts(until=on(4, hour=0))) == 1
    assert contacts(until=on(4, hour=0) + GRACE - SECOND, grace_hours=48) == ()


def test_whoever_reaches_the_client_clears_it() -> None:
    """In time there is nothing to tell; an attempt that reached nobody is named, no more."""
    assert contacts(an_attempt(3, reached=True)) == ()
    (episode,) = contacts(an_attempt(2, reached=False), an_attempt(9, reached=True))
    assert episode.steps[0].numbers == {"working_days": 3, "attempts": 1}
    assert episode.cleared_at == on(9)
    assert contacts(an_attempt(5, reached=True), grace_hours=48) == ()
    (late,) = contacts(an_attempt(5, reached=True))
    assert late.cleared_at == on(5)
    assert contacts(an.a_session_held("s2", on(2))) == ()


def test_what_the_therapist_missed_is_another_rules() -> None:
    """Only what the client missed is watched here."""
    missed = an.a_session_missed("s1", at=on(0), by="therapist")
    assert judged(CONTACT, SENDS, MISSED[0], missed).episodes == ()


# review-overdue ---------------------------------------------------------------------------------
PLANS = an.a_clinic_configured(sends=["plan"])
IN_SUMMER = on(83, hour=23)
"""When the 84th day begins in London, where the clock has changed by then."""


def a_review(day: float, *, with_client: bool = True) -> Envelope:
    """Return a review of the plan."""
    return an.an_event(
        "plan.reviewed", on(day), {**COMMON, "adapted": False, "with_client": with_client}
    )


def test_twelve_weeks_without_a_review_are_told() -> None:
    """From the first session on, or from the last review with the client."""
    (episode,) = judged(REVIEW, PLANS, HELD).episodes
    assert episode.effective_at == IN_SUMMER
    (later,) = judged(REVIEW, HELD, a_review(30)).episodes
    assert later.effective_at == on(114, hour=0)
    assert judged(REVIEW, HELD).episodes == ()


def test_only_a_review_with_the_client_clears_it() -> None:
    """What was written without them is a note, and no review."""
    (episode,) = judged(REVIEW, PLANS, HELD, a_review(60, with_client=False)).episodes
    assert episode.effective_at == IN_SUMMER
    first, _ = judged(REVIEW, PLANS, HELD, a_review(90)).episodes
    assert first.cleared_at == on(90)
    assert len(judged(REVIEW, PLANS, HELD, a_review(84, with_client=True)).episodes) == 1


GOALS = an.a_clinic_configured(sends=["goals"])


def a_goal(what: str, day: float, goal: str = "g1", **data: Any) -> Envelope:
    """Return something about a goal."""
    return an.an_event(f"goal.{what}", on(day), {**COMMON, "goal": goal, **data})


AGREED = a_goal("agreed", 1, agreed_by=["client", "therapist"])


def test_six_weeks_without_a_word_on_a_goal_are_told() -> None:
    """From when it was agreed, or last rated; the day before says nothing."""
    (episode,) = judged(REVIEW, GOALS, AGREED).episodes
    assert episode.title == "An agreed goal has not been rated for a long time"
    assert episode.effective_at == on(43, hour=0)
    rated = a_goal("rated", 20, value=6)
    (later,) = judged(REVIEW, AGREED, rated).episodes
    assert later.effective_at == on(62, hour=0)
    assert "since the last rating of an agreed goal" in later.steps[0].explanation
    # Never sent is not never happened.
    assert judged(REVIEW, AGREED).episodes == ()


def test_a_goal_is_heard_of_by_a_rating_or_its_end() -> None:
    """A rating clears it, and a goal that was closed is waited for no longer."""
    first, _ = judged(REVIEW, GOALS, AGREED, a_goal("rated", 50, value=6)).episodes
    assert first.cleared_at == on(50)
    closed = a_goal("closed", 30, outcome="reached")
    assert judged(REVIEW, GOALS, AGREED, closed).episodes == ()
    again = a_goal("agreed", 60, agreed_by=["client"])
    (anew,) = judged(REVIEW, GOALS, AGREED, closed, again).episodes
    assert anew.effective_at > on(60 + 41)


def test_all_goals_rated_at_once_are_rated() -> None:
    """Where a clinic rates goals together, on the gbo, each of them was looked at."""
    rated = [an.a_rating(6, at=on(day), instrument="gbo") for day in (30, 60)]
    (episode,) = judged(REVIEW, GOALS, AGREED, *rated).episodes
    assert episode.effective_at > on(60 + 41)

"""What became of a session: everyday contradictions, and any facts against a plain model."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.alliance.history import fold
from shared.alliance.things import Session
from shared.clock import parse_time
from shared.envelope import Envelope, Event
from shared.events import rank
from tests.support.events import (
    CLIENT,
    ORGANISATION,
    a_correction,
    a_retraction,
    a_session_cancelled,
    a_session_held,
    a_session_missed,
    a_session_rescheduled,
    a_session_scheduled,
    on,
)

BOOKED = a_session_scheduled("s1", on(7), at=on(1))


def the_session(*envelopes: Envelope) -> Session:
    """Return the one session that these facts speak of."""
    history = fold(ORGANISATION, CLIENT, envelopes)
    (found,) = [session for phase in history.phases for session in phase.sessions]
    return found


def test_booked_then_held() -> None:
    """A held session keeps its planned start beside its own, and has everything it says."""
    held = a_session_held("s1", on(7, 10, 4), minutes=46, client_arrival="late", modality="video")
    session = the_session(BOOKED, held)
    assert (session.state, session.due_at, session.planned_minutes) == ("held", on(7), 50)
    assert session.started_at == on(7, 10, 4)
    assert session.ended_at == session.state_at == on(7, 10, 50)
    assert (session.client_arrival, session.modality, session.by) == ("late", "video", None)
    assert [fact.type for fact in session.facts] == ["session.scheduled", "session.held"]


def test_held_without_ever_being_booked() -> None:
    """A session never scheduled is fine: it was due when it started."""
    session = the_session(a_session_held("s1", on(7)))
    assert (session.state, session.due_at, session.planned_minutes) == ("held", on(7), None)


def test_missed_and_cancelled_without_ever_being_booked() -> None:
    """A missed session was due at its planned start, a cancelled one when it was cancelled."""
    assert the_session(a_session_missed(at=on(7))).due_at == on(7)
    assert the_session(a_session_cancelled(at=on(6))).due_at == on(6)


def test_scheduled_twice_the_same_has_no_effect() -> None:
    """The same booking again moves nothing, and does not become the deciding fact."""
    again = a_session_scheduled("s1", on(7), at=on(3))
    session = the_session(BOOKED, again)
    assert (session.state_at, session.moves) == (on(1), ())
    assert [fact.event for fact in session.facts] == [BOOKED.id]
    assert [fact.event for fact in session.without_effect] == [again.id]


@pytest.mark.parametrize(
    "after",
    [a_session_held("s1", on(7)), a_session_missed("s1", at=on(7))],
    ids=["held", "missed"],
)
def test_the_booking_sent_again_afterwards_undoes_nothing(after: Envelope) -> None:
    """An old booking that is sent again after the session does not reopen it."""
    again = a_session_scheduled("s1", on(7), at=on(9))
    assert the_session(BOOKED, after, again).state == after.event.type.removeprefix("session.")


def test_scheduled_to_another_start_is_rescheduled_by_unknown() -> None:
    """A booking with another start is a move that nobody is known to have asked for."""
    session = the_session(BOOKED, a_session_scheduled("s1", on(8), at=on(3)))
    (move,) = session.moves
    assert (move.by, move.from_start, move.to_start, move.at) == ("unknown", on(7), on(8), on(3))
    assert (session.state, session.due_at) == ("scheduled", on(8))


def test_scheduled_with_another_therapist_is_rescheduled_by_unknown() -> None:
    """So is one with another therapist at the same time."""
    session = the_session(BOOKED, a_session_scheduled("s1", on(7), at=on(3), therapist="th_eve"))
    assert [(move.by, move.from_start, move.to_start) for move in session.moves] == [
        ("unknown", on(7), on(7))
    ]
    assert session.therapist == "th_eve"


def test_rescheduled_says_who_asked() -> None:
    """A move has who asked for it, when, from where and to where; the minutes stay."""
    moved = a_session_rescheduled("s1", on(9), at=on(6), by="therapist")
    session = the_session(BOOKED, moved)
    assert [(move.by, move.at, move.to_start) for move in session.moves] == [
        ("therapist", on(6), on(9))
    ]
    assert (session.state, session.state_at, session.planned_minutes) == ("scheduled", on(6), 50)


def test_rescheduled_to_another_therapist() -> None:
    """The session is then the other therapist's."""
    moved = a_session_rescheduled("s1", on(9), at=on(6), to_therapist="th_eve")
    assert the_session(BOOKED, moved).therapist == "th_eve"


def test_rescheduled_without_a_booking_books() -> None:
    """With no start known before, there is no move to speak of."""
    session = the_session(a_session_rescheduled("s1", on(9), at=on(6)))
    assert (session.state, session.due_at, session.moves) == ("scheduled", on(9), ())


def test_booked_again_after_a_cancellation() -> None:
    """The session is on again, with no move; the cancellation stays among its facts."""
    cancelled = a_session_cancelled("s1", at=on(4), by="clinic", reason="illness")
    session = the_session(BOOKED, cancelled, a_session_scheduled("s1", on(7), at=on(5)))
    assert (session.state, session.state_at, session.moves) == ("scheduled", on(5), ())
    assert (session.by, session.reason) == (None, None)
    assert "session.cancelled" in [fact.type for fact in session.facts]


def test_rescheduled_after_it_was_missed() -> None:
    """A missed session that is moved is planned again."""
    missed = a_session_missed("s1", at=on(7))
    moved = a_session_rescheduled("s1", on(9), at=on(8))
    assert the_session(BOOKED, missed, moved).state == "scheduled"


def test_cancelled_then_held() -> None:
    """It took place after all; nobody cancelled it."""
    session = the_session(BOOKED, a_session_cancelled(at=on(6)), a_session_held("s1", on(7)))
    assert (session.state, session.by, session.reason) == ("held", None, None)


def test_held_then_corrected_to_cancelled_by_the_client() -> None:
    """A held session entered in error is taken back; what is then said of it counts."""
    held = a_session_held("s1", on(7))
    session = the_session(
        BOOKED, held, a_retraction(held), a_session_cancelled("s1", at=on(6), reason="illness")
    )
    assert (session.state, session.by, session.reason) == ("cancelled", "client", "illness")
    assert session.started_at is None


def test_said_to_be_held_and_later_to_be_cancelled() -> None:
    """Of two that contradict each other, the last in fold order counts."""
    session = the_session(a_session_held("s1", on(7)), a_session_cancelled("s1", at=on(8)))
    assert (session.state, session.ended_at) == ("cancelled", None)


def test_did_not_attend_then_retracted() -> None:
    """Without the mistake the session is as it was: booked."""
    missed = a_session_missed("s1", at=on(7))
    session = the_session(BOOKED, missed, a_retraction(missed))
    assert (session.state, session.by) == ("scheduled", None)


def test_missed_by_is_corrected() -> None:
    """It was not the client who stayed away: the correction is what is counted."""
    missed = a_session_missed("s1", at=on(7), by="client", reason="no_show")
    corrected = a_correction(missed, missed_by="therapist", reason=None)
    session = the_session(BOOKED, missed, corrected)
    assert (session.state, session.by, session.reason) == ("missed", "therapist", None)


def test_missed_and_held_at_one_moment() -> None:
    """Held has the higher rank, so it is the last word."""
    held = a_session_held("s1", on(7) - timedelta(minutes=50))
    assert the_session(held, a_session_missed("s1", at=on(7))).state == "held"


@pytest.mark.parametrize("which", ["booking", "outcome"])
def test_one_day_precise_fact_makes_the_session_day_precise(which: str) -> None:
    """No notice, lateness or length may be computed from a session known to the day."""
    booked = a_session_scheduled(time_precision="day" if which == "booking" else None)
    held = a_session_held("s1", on(7), time_precision="day" if which == "outcome" else None)
    assert the_session(booked, held).time_precision == "day"
    assert the_session(BOOKED, a_session_held("s1", on(7))).time_precision == "minute"


def test_what_a_cancellation_leaves_out_stays() -> None:
    """A cancellation without therapist or care belongs to the session that it cancels."""
    booked = a_session_scheduled("s1", on(7), therapist="th_eve", care="group", kind="group")
    session = the_session(booked, a_session_cancelled("s1", at=on(6), therapist=None))
    assert (session.therapist, session.care, session.kind) == ("th_eve", "group", "group")


def test_a_session_of_two_sources_is_one() -> None:
    """Whichever source speaks of a reference, it is the same session."""
    held = a_session_held("s1", on(7), source="urn:source:forms")
    assert the_session(BOOKED, held).state == "held"


_moments = st.builds(on, st.integers(0, 3), st.sampled_from((0, 10)), st.sampled_from((0, 50)))
_parties = st.sampled_from(("client", "therapist", "clinic", "unknown"))
_therapists = st.sampled_from(("th_tom", "th_eve"))
_facts = st.one_of(
    st.builds(a_session_scheduled, st.just("s1"), _moments, at=_moments, therapist=_therapists),
    st.builds(a_session_rescheduled, st.just("s1"), _moments, at=_moments, therapist=_therapists),
    st.builds(a_session_cancelled, st.just("s1"), at=_moments, by=_parties),
    st.builds(a_session_missed, st.just("s1"), at=_moments, by=_parties),
    st.builds(a_session_held, st.just("s1"), _moments, therapist=_therapists),
)


class _Model:
    """A session as the contract words it, fact by fact; knows nothing of the code under test."""

    def __init__(self) -> None:
        self.state = ""
        self.start: datetime | None = None
        self.therapist = ""
        self.booked = False
        self.moves = 0

    def hear(self, event: Event) -> None:
        word = event.type.removeprefix("session.")
        if word in ("scheduled", "rescheduled"):
            self._booking(word, parse_time(event.data["starts_at"]), event.data["therapist"])
            return
        self.state, self.therapist = word, event.data["therapist"]
        if word == "held" and not self.booked:
            self.start = parse_time(event.data["started_at"])
        if word == "missed" and not self.booked:
            self.start = event.time

    def _booking(self, word: str, start: datetime, therapist: str) -> None:
        same = (start, therapist) == (self.start, self.therapist)
        sent_again = word == "scheduled" and same and self.state in ("scheduled", "missed")
        if self.state == "held" or sent_again:
            return
        booked_again = word == "scheduled" and self.state == "cancelled"
        self.moves += self.start is not None and not same and not booked_again
        self.state, self.start, self.therapist, self.booked = "scheduled", start, therapist, True


@settings(max_examples=500, deadline=None)
@given(st.lists(_facts, min_size=1, max_size=8))
def test_any_facts_make_the_session_that_a_plain_model_makes(facts: list[Envelope]) -> None:
    """State, planned start, therapist and number of moves are what plain reading gives."""
    model = _Model()
    events = {one.id: one.event for one in facts}.values()
    for event in sorted(events, key=lambda one: (one.time, rank(one.type), one.source, one.id)):
        model.hear(event)
    session = the_session(*facts)
    assert (session.state, session.therapist, len(session.moves)) == (
        model.state,
        model.therapist,
        model.moves,
    )
    assert model.start is None or session.due_at == model.start
    assert {fact.event for fact in (*session.facts, *session.without_effect)} == {
        one.id for one in facts
    }

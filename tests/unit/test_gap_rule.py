"""Gaps between sessions: nobody's lapse stops the clock, a booked session waits as information."""

from datetime import timedelta
from typing import Any

import pytest

from services.alerts.rules.alliance_drop import AllianceDrop
from services.alerts.rules.dropout_risk import DropoutRisk
from services.alerts.rules.session_gap import SessionGap
from shared.envelope import Envelope
from tests.support import events as an
from tests.support.events import on
from tests.support.phases import FAR, judged, ratings, the_phase, urgencies, weekly

GAP = SessionGap()
AGREED = an.a_care_event("started", on(-3), agreed_interval_days=7)
END = timedelta(minutes=50)
GRACE = timedelta(hours=48)


def gap(*more: Envelope, until: Any = FAR, **settings: Any) -> Any:
    """Return the episodes after one held session on day 0, with seven days agreed."""
    return judged(GAP, AGREED, *weekly("held"), *more, until=until, **settings).episodes


def booked(name: str, day: float, at: float) -> Envelope:
    """Return a booking for a day, made on another."""
    return an.a_session_scheduled(name, on(day), at=on(at))


@pytest.mark.parametrize("by", ["therapist", "clinic"])
@pytest.mark.parametrize(
    ("reason", "listed"),
    [("emergency", "emergency"), ("weather", "weather"), ("equipment", "equipment"),
     ("technical", "technical"), ("illness", "first_sickness")],
)  # fmt: skip
def test_what_is_nobodys_lapse_stops_the_clock(by: str, reason: str, listed: str) -> None:
    """The interval before such a session is out: one cancelled session leaves no gap by itself."""
    off = [booked("s2", 7, 1), an.a_session_cancelled("s2", at=on(6), by=by, reason=reason)]
    (episode,) = gap(*off)
    assert episode.effective_at == on(17.5) + END - timedelta(minutes=50)
    assert episode.steps[0].not_counted == {listed: 1}
    (plain,) = gap(off[0], an.a_session_cancelled("s2", at=on(6), by=by, reason="conflict"))
    assert plain.effective_at == on(10.5) + END


def test_leave_that_was_announced_when_it_was_over_changes_nothing() -> None:
    """Entered a week after its end it stops no clock, is not listed, and counts nothing twice."""
    late = an.a_therapist_away("2026-01-07", "2026-01-08", at=on(8))
    (told,), (plain,) = gap(late), gap()
    assert (told.effective_at, told.steps[0].not_counted) == (plain.effective_at, {})


def test_the_clock_starts_anew_where_another_interval_is_agreed() -> None:
    """A rhythm agreed after the first session counts from then; a longer one clears a gap."""
    first = an.a_care_event("started", on(1), agreed_interval_days=7)
    (episode,) = judged(GAP, *weekly("held"), first).episodes
    assert episode.effective_at == on(11.5)
    assert episode.steps[0].not_counted == {}
    longer = an.a_care_event("started", on(13), agreed_interval_days=14)
    (told, later) = gap(longer)
    assert (told.effective_at, told.cleared_at) == (on(10.5) + END, on(13))
    assert later.effective_at == on(13 + 21)
    again = an.a_care_event("started", on(5), agreed_interval_days=7)
    assert gap(again)[0].effective_at == on(10.5) + END


def test_who_is_unknown_stops_the_clock() -> None:
    """Unknown never counts against a therapist."""
    off = [booked("s2", 7, 1), an.a_session_cancelled("s2", at=on(6), by="unknown")]
    (episode,) = gap(*off)
    assert episode.steps[0].not_counted == {"cancelled_by_unknown": 1}
    assert episode.effective_at > on(17)


def test_only_the_first_sickness_is_nobodys_lapse() -> None:
    """The second one in eight counts."""
    off = [
        fact
        for name, day in (("s2", 7), ("s3", 14))
        for fact in (
            booked(name, day, 1),
            an.a_session_cancelled(name, at=on(day - 1), by="therapist", reason="illness"),
        )
    ]
    (episode,) = gap(*off)
    assert episode.steps[0].not_counted == {"first_sickness": 1}
    assert episode.steps[0].effective_at < on(18)


def test_one_cancelled_session_with_the_next_one_booked_is_information() -> None:
    """The next session stands, two intervals after the last: shown, and nobody is asked to act."""
    life = [
        booked("s2", 7, 0), an.a_session_cancelled("s2", at=on(6), by="therapist"),
        booked("s3", 14, 7), an.a_session_held("s3", on(14)),
    ]  # fmt: skip
    (episode,) = gap(*life, until=on(20))
    assert urgencies([episode]) == [["information"]]
    assert (episode.effective_at, episode.cleared_at) == (on(10.5) + END, on(14) + END)
    assert "A next session is booked" in episode.steps[0].explanation
    (told,) = gap(*life, until=on(20), booked_ratio=0)
    assert urgencies([told]) == [["attention"]]


@pytest.mark.parametrize(("day", "expected"), [(15, "information"), (15.1, "attention")])
def test_the_booked_session_is_no_later_than_twice_the_interval(day: float, expected: str) -> None:
    """Whatever its hour on the last day; a day later, the gap is attention at once."""
    (episode,) = gap(booked("s3", day, 7), until=on(10.5) + END + GRACE)
    assert urgencies([episode]) == [[expected]]


def test_a_booked_session_that_falls_away_makes_it_attention() -> None:
    """From when it was cancelled; booked anew within the grace, it is information still."""
    life = [booked("s3", 14, 7), an.a_session_cancelled("s3", at=on(12), by="therapist")]
    (episode,) = gap(*life)
    assert urgencies([episode]) == [["information", "attention", "urgent"]]
    assert [step.effective_at for step in episode.steps] == [
        on(10.5) + END, on(12), on(14) + END,
    ]  # fmt: skip
    assert "No next session is booked" in episode.steps[1].explanation
    evidence = [[fact.type for fact in step.evidence] for step in episode.steps]
    assert evidence[0] == ["session.held", "care.started", "session.scheduled"]
    assert evidence[1] == ["session.held", "care.started", "session.cancelled"]
    (again,) = gap(*life, booked("s4", 14.2, 13), an.a_session_held("s4", on(14.2)),
                   until=on(20))  # fmt: skip
    assert urgencies([again]) == [["information"]]


def test_a_booked_session_that_nothing_is_heard_of_becomes_attention_and_urgent() -> None:
    """Its day passes without a word: the gap is longer than twice the interval."""
    (episode,) = gap(booked("s3", 14, 7))
    assert urgencies([episode]) == [["information", "attention", "urgent"]]


def test_a_session_that_was_called_off_is_not_said_to_be_booked() -> None:
    """Of a session cancelled before, no alert says that a next one is booked."""
    life = [booked("s9", 40, 1), an.a_session_cancelled("s9", at=on(2), by="therapist")]
    (episode,) = gap(*life)
    assert episode.steps[0].numbers["next_session_booked"] is False
    assert "No next session is booked" in episode.steps[0].explanation


def test_beside_falling_ratings_such_a_gap_is_a_lapse() -> None:
    """Alone it is information; with a drop in the same weeks, both are one risk."""
    called_off = an.a_session_cancelled("s2", at=on(6), by="therapist")
    life = [AGREED, *weekly("held"), booked("s2", 7, 0), called_off, booked("s3", 14, 7),
            an.a_session_held("s3", on(14))]  # fmt: skip
    falling = ratings(37, 36.5, 37.5, 37, 36.8, 30, every=3)
    for more, expected in ((falling, [["attention"]]), (falling[:5], [])):
        phase = the_phase(*life, *more)
        found = {
            rule.name: rule.judge(phase, {}, on(20)).episodes for rule in (GAP, AllianceDrop())
        }
        told = DropoutRisk().combine(phase, found, {}, on(20))
        assert urgencies(told.episodes) == expected


def test_it_is_known_no_sooner_than_what_it_stands_on() -> None:
    """A cancellation that was entered a week late made no attention before it was entered."""
    entered = on(19)
    off = an.a_session_cancelled("s3", at=on(12), by="therapist", recorded_at=entered)
    (episode,) = gap(booked("s3", 14, 7), off)
    assert episode.steps[1].effective_at == on(12)
    assert episode.steps[1].known_at == entered

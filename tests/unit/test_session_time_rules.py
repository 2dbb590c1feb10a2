"""Late starts and short sessions: each threshold exactly at it and just under."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from services.alerts.rule import Episode
from services.alerts.rules.sessions_starting_late import SessionsStartingLate
from services.alerts.rules.shortened_sessions import ShortenedSessions
from shared.envelope import Envelope
from tests.support import events as an
from tests.support.events import on
from tests.support.phases import judged

LATE, SHORT = SessionsStartingLate(), ShortenedSessions()


def starts(*late: float, arrival: str = "on_time", minutes: float = 50) -> list[Envelope]:
    """Return one booked session a week, begun so many minutes late."""
    told: list[Envelope] = []
    for week, by in enumerate(late):
        start = on(week * 7)
        told.append(an.a_session_scheduled(f"s{week}", start))
        began = start + timedelta(minutes=by)
        told.append(an.a_session_held(f"s{week}", began, minutes=minutes, client_arrival=arrival))
    return told


def late(*minutes: float, **settings: Any) -> Sequence[Episode]:
    """Return the episodes that such starts make."""
    return judged(LATE, *starts(*minutes), **settings).episodes


def lengths(*minutes: float, **settings: Any) -> Sequence[Episode]:
    """Return the episodes that sessions of such lengths make."""
    told = [an.a_session_held(f"s{week}", on(week * 7), minutes=length)
            for week, length in enumerate(minutes)]  # fmt: skip
    return judged(SHORT, *told, **settings).episodes


# sessions-starting-late -------------------------------------------------------------------------
def test_a_median_of_more_than_ten_minutes_is_told() -> None:
    """Ten is not more than ten; three sessions are too few."""
    assert late(10, 10, 10, 10) == ()
    assert late(10.1, 10.1, 10.1) == ()
    (episode,) = late(8, 12, 12, 8.5)
    assert episode.steps[0].numbers["median_minutes_late"] == 10.25
    assert len(episode.steps[0].evidence) == 4


def test_a_start_within_the_grace_is_on_time() -> None:
    """Five minutes count as none; the limit is a setting."""
    assert late(5, 5, 30, 30, median_minutes=15) == ()
    (episode,) = late(5.5, 5.5, 30, 30, median_minutes=15)
    assert episode.steps[0].numbers["minutes_late"] == [5.5, 5.5, 30.0, 30.0]


def test_it_clears_when_the_median_is_within_the_limit() -> None:
    """Two punctual ones among four are enough."""
    (episode,) = late(20, 20, 20, 20, 0, 0)
    assert episode.cleared_at is not None
    assert len(episode.steps) == 1


def test_starts_with_the_client_late_or_unknown_do_not_count() -> None:
    """Whoever waited for whom is not guessed; they are named beside the others."""
    for arrival in ("late", "unknown"):
        assert judged(LATE, *starts(20, 20, 20, 20, 20, arrival=arrival)).episodes == ()


def test_starts_that_were_filled_in_say_nothing() -> None:
    """Where more than four fifths equal the schedule, nobody looked at a clock."""
    assert late(*[0] * 17, 20, 20, 20, 20) == ()
    assert len(late(*[0] * 16, 20, 20, 20, 20)) == 1


# shortened-sessions -----------------------------------------------------------------------------
def test_two_short_ones_among_four_are_told() -> None:
    """Nine tenths are not less than nine tenths; the first four are never short themselves."""
    assert lengths(50, 50, 50, 50, 45, 45) == ()
    assert lengths(50, 50, 50, 50, 44) == ()
    assert lengths(20, 20, 20, 20) == ()
    (episode,) = lengths(50, 50, 50, 50, 44, 50, 44)
    assert episode.steps[0].numbers == {"short": 2, "sessions": 3, "usual_minutes": 50.0}


def test_it_clears_at_one_among_four() -> None:
    """When the second short one is no longer among the last four."""
    (episode,) = lengths(50, 50, 50, 50, 44, 44, 50, 50, 50)
    assert episode.cleared_at == on(56) + timedelta(minutes=50)


def test_what_others_ended_is_not_counted() -> None:
    """A session that the client ended, or came late to, says nothing of the therapist's time."""
    whole = [an.a_session_held(f"s{week}", on(week * 7)) for week in range(4)]
    for stated in ({"ended_early_by": "client"}, {"client_arrival": "late"}):
        short = [
            an.a_session_held(f"t{week}", on(70 + week * 7), minutes=20, **stated)
            for week in range(3)
        ]
        assert judged(SHORT, *whole, *short).episodes == ()


@pytest.mark.parametrize(("minutes", "told"), [(11.7, 0), (11.6, 1)])
def test_exactly_nine_tenths_are_not_short(minutes: float, told: int) -> None:
    """Of 13 minutes 11.7 are nine tenths, whatever floats make of 11.7 ÷ 13; 11.6 are less."""
    lengths = [13.0] * 4 + [minutes] * 2
    life = [
        event
        for n, length in enumerate(lengths)
        for event in (
            an.a_session_scheduled(f"s{n}", on(n * 7)),
            an.a_session_held(f"s{n}", on(n * 7), minutes=length),
        )
    ]
    assert len(judged(ShortenedSessions(), *life).episodes) == told

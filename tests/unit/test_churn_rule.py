"""Sessions moved at short notice: at each threshold, and under it."""

from datetime import timedelta
from typing import Any

from services.alerts.rules.reschedule_churn import RescheduleChurn
from tests.support import events as an
from tests.support.events import on
from tests.support.phases import judged

RULE = RescheduleChurn()


def told(*hours: float | None, by: str = "therapist", **settings: Any) -> Any:
    """Return the episodes of weekly sessions, each moved so many hours before, or not at all."""
    life = []
    for week, before in enumerate(hours):
        ref, start = f"s{week}", on(week * 7)
        life.append(an.a_session_scheduled(ref, start))
        if before is not None:
            at, start = start - timedelta(hours=before), start + timedelta(days=1)
            life.append(an.a_session_rescheduled(ref, start, at=at, by=by))
        life.append(an.a_session_held(ref, start))
    return judged(RULE, *life, **settings).episodes


def test_two_moves_with_less_than_48_hours_are_told() -> None:
    """At the second move; 48 hours are not less than 48, and one move is no pattern."""
    (episode,) = told(47.9, None, 3)
    assert episode.effective_at == on(14) - timedelta(hours=3)
    assert episode.steps[0].numbers == {"moves": 2, "sessions": 3, "notice_hours": 48}
    assert told(48, 3) == ()
    assert told(3) == ()
    assert len(told(3, short_moves=1)) == 1


def test_what_the_client_asked_for_never_counts() -> None:
    """However often, and however late."""
    assert told(3, 3, 3, 3, by="client") == ()
    assert told(3, 3, by="unknown") == ()


def test_it_clears_when_one_is_left_among_the_last_eight() -> None:
    """The ninth session pushes the first move out of the window."""
    (episode,) = told(3, 3, *[None] * 6)
    assert episode.cleared_at is None
    (episode,) = told(3, 3, *[None] * 7)
    assert episode.cleared_at is not None

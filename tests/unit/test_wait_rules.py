"""Long waits and long absences: each threshold exactly at it and just under."""

from datetime import timedelta
from typing import Any

from services.alerts.rule import Episode, Rule
from services.alerts.rules.leave_without_cover import LeaveWithoutCover
from services.alerts.rules.waiting_too_long import WaitingTooLong
from shared.envelope import Envelope
from tests.support import events as an
from tests.support.events import on
from tests.support.phases import FAR, judged, phases_of, urgencies

WAIT, LEAVE = WaitingTooLong(), LeaveWithoutCover()
GRACE = timedelta(hours=48)


HELD = an.a_feed_seen("session.held")


def waited(*envelopes: Envelope, around: Envelope = HELD, **settings: Any) -> list[Episode]:
    """Return the episodes of every phase, where held sessions are sent: one has the wait."""
    until = settings.pop("until", FAR)
    return [
        episode
        for phase in phases_of((around, *envelopes))
        for episode in WAIT.judge(phase, {**WAIT.defaults, **settings}, until).episodes
    ]


def a_referral(day: float = 0, **stated: Any) -> Envelope:
    """Return a referral of somebody who has no therapist yet."""
    return an.a_care_event("referred", on(day), **({"therapist": None} | stated))


def dated(rule: Rule, *envelopes: Envelope, **settings: Any) -> list[str]:
    """Return the dates on which episodes began."""
    return [
        f"{one.effective_at:%Y-%m-%d}" for one in judged(rule, *envelopes, **settings).episodes
    ]


# waiting-too-long -------------------------------------------------------------------------------
def test_the_forty_second_day_is_still_in_time() -> None:
    """Seen on day 42 nothing is told; on day 43 the wait was too long, until that session."""
    assert waited(a_referral(), an.a_session_held("s1", on(42))) == []
    (episode,) = waited(a_referral(), an.a_session_held("s1", on(43, 15)), grace_hours=0)
    assert episode.effective_at == on(43, 0)
    assert episode.cleared_at == on(43, 15)


def test_where_held_sessions_are_never_sent_nobody_waits() -> None:
    """A diary alone says nothing of what was held: never sent is not never happened."""
    diary = an.a_feed_seen("session.scheduled")
    assert waited(a_referral(), around=diary) == []
    assert len(waited(a_referral())) == 1


def test_it_becomes_urgent_after_126_days() -> None:
    """Attention after 42 days, urgent after 126, each with the grace of late entries."""
    assert urgencies(waited(a_referral(), until=on(43, 0) + GRACE)) == [["attention"]]
    assert waited(a_referral(), until=on(43, 0) + GRACE - timedelta(seconds=1)) == []
    assert urgencies(waited(a_referral(), until=on(126, 12) + GRACE)) == [["attention"]]
    assert urgencies(waited(a_referral(), until=on(127, 0) + GRACE)) == [["attention", "urgent"]]


def test_whoever_holds_the_session_ends_the_wait() -> None:
    """Who waits has no therapist; the session with one stands in another phase of the care."""
    accepted = an.a_care_event("started", on(20))
    assert waited(a_referral(), accepted, an.a_session_held("s1", on(30))) == []
    assert len(waited(a_referral(), accepted)) == 1


def test_another_course_of_care_ends_no_wait() -> None:
    """A session in group therapy is none of the individual one that somebody waits for."""
    group = an.a_session_held("s1", on(30), care="group")
    assert len(waited(a_referral(), group)) == 1


def test_an_assessment_ends_no_wait() -> None:
    """From referral to the first treatment (NHS Talking Therapies)."""
    assert len(waited(a_referral(), an.a_session_held("s1", on(20), kind="assessment"))) == 1


def test_the_end_of_care_ends_the_wait() -> None:
    """Who no longer waits is told of to nobody; who was told of is cleared."""
    assert waited(a_referral(), an.a_care_event("ended", on(30))) == []
    (episode,) = waited(a_referral(), an.a_care_event("ended", on(60)))
    assert episode.cleared_at == on(60)


def test_a_referral_that_is_told_with_the_acceptance_counts() -> None:
    """``referred_at`` says when the wait began; nothing is known of one without a referral."""
    started = an.a_care_event("started", on(50), referred_at="2026-01-05T10:00:00Z")
    assert len(waited(started)) == 1
    assert waited(an.a_care_event("started", on(50))) == []


def test_a_wait_of_which_the_end_was_never_told_is_not_known() -> None:
    """A first session that is the seventh came after six that nobody sent."""
    assert waited(a_referral(), an.a_session_held("s7", on(80), session_number=7)) == []


def test_a_pause_stops_the_wait() -> None:
    """Days in pauses are left out, and said."""
    paused = an.a_care_event("paused", on(10), therapist=None)
    resumed = an.a_care_event("resumed", on(20), therapist=None)
    (episode,) = waited(a_referral(), paused, resumed)
    assert episode.effective_at == on(53, 0)
    assert sum(episode.steps[0].not_counted.values()) == 1


# leave-without-cover ----------------------------------------------------------------------------
def in_care(interval: int = 7) -> list[Envelope]:
    """Return a course of care with a session a week up to the end of January."""
    begun = an.a_care_event("started", on(-3), agreed_interval_days=interval)
    return [begun, *(an.a_session_held(f"s{n}", on(7 * n)) for n in range(4))]


def test_two_intervals_are_no_long_absence_and_a_day_more_is() -> None:
    """Fourteen days away, seen weekly, are told to nobody; fifteen are, two weeks ahead."""
    announced = on(-20)
    fits = an.a_therapist_away("2026-02-02", "2026-02-15", at=announced)
    long = an.a_therapist_away("2026-02-02", "2026-02-16", at=announced)
    assert dated(LEAVE, *in_care(), fits) == []
    assert dated(LEAVE, *in_care(), long) == ["2026-01-19"]
    assert dated(LEAVE, *in_care(14), long) == []


def test_it_is_told_when_it_is_announced_if_that_is_later() -> None:
    """What is announced the day before is told then."""
    late = an.a_therapist_away("2026-02-02", "2026-03-01", at=on(27))
    (episode,) = judged(LEAVE, *in_care(), late).episodes
    assert episode.effective_at == on(27)


def test_it_stays_open_until_the_absence_is_over() -> None:
    """The last day is known beforehand; the alert clears when it is over, and not before."""
    away = an.a_therapist_away("2026-02-02", "2026-02-16", at=on(-20))
    over = on(43, 0)
    while_away = judged(LEAVE, *in_care(), away, until=over - timedelta(seconds=1))
    assert (while_away.episodes[0].cleared_at, while_away.due_at) == (None, over)
    (episode,) = judged(LEAVE, *in_care(), away, until=over).episodes
    assert episode.cleared_at == over


def test_cover_leaves_nobody_alone() -> None:
    """With cover nothing is told; arranged afterwards, it clears."""
    away = ("2026-02-02", "2026-03-01")
    assert dated(LEAVE, *in_care(), an.a_therapist_away(*away, cover="th_cover")) == []
    alone = an.a_therapist_away(*away, at=on(0))
    arranged = an.a_therapist_away(*away, at=on(20), cover="th_cover")
    (episode,) = judged(LEAVE, *in_care(), alone, arranged).episodes
    assert episode.cleared_at == on(20)


def test_an_absence_without_an_end_counts_once_it_lasted() -> None:
    """Without a last day it is long once two intervals passed without a session."""
    sick = an.a_therapist_away("2026-02-02", None, at=on(28), kind="sickness")
    (episode,) = judged(LEAVE, *in_care(), sick).episodes
    assert f"{episode.effective_at:%Y-%m-%d}" == "2026-02-16"
    seen = an.a_session_held("s9", on(38))
    assert dated(LEAVE, *in_care(), sick, seen) == ["2026-02-26"]


def test_without_an_agreed_interval_nothing_is_said() -> None:
    """How long is long depends on what was agreed."""
    away = an.a_therapist_away("2026-02-02", "2026-05-01")
    sessions = [an.a_session_held(f"s{n}", on(7 * n)) for n in range(4)]
    assert dated(LEAVE, *sessions, away) == []


def test_who_was_not_seen_for_long_before_is_another_matter() -> None:
    """Sixty days without a session before it begins: case-without-activity tells of that."""
    away = an.a_therapist_away("2026-06-01", "2026-07-31", at=on(100))
    assert dated(LEAVE, *in_care(), away) == []


def test_its_alert_stands_on_the_absence() -> None:
    """The evidence is what was announced: that also names the group."""
    away = an.a_therapist_away("2026-02-02", "2026-03-01", at=on(0))
    (episode,) = judged(LEAVE, *in_care(), away).episodes
    assert [fact.type for fact in episode.steps[0].evidence] == ["therapist.away"]

"""Transfers, ends and long silences: each threshold exactly at it and just under."""

from datetime import timedelta
from typing import Any

import pytest

from services.alerts.rule import Episode, Rule
from services.alerts.rules.case_without_activity import CaseWithoutActivity
from services.alerts.rules.ended_early_by_provider import EndedEarlyByProvider
from services.alerts.rules.handover_not_picked_up import HandoverNotPickedUp
from services.alerts.rules.unplanned_transfer import UnplannedTransfer
from shared.envelope import Envelope
from tests.support import events as an
from tests.support.events import on
from tests.support.phases import FAR, judged, phases_of

NEW = "th_new"
GRACE = timedelta(hours=48)
TRANSFER, HANDOVER = UnplannedTransfer(), HandoverNotPickedUp()
SILENT, ENDED = CaseWithoutActivity(), EndedEarlyByProvider()


def with_new(rule: Rule, *envelopes: Envelope, **settings: Any) -> tuple[Episode, ...]:
    """Return the episodes of the phase with the new therapist."""
    around = (an.a_feed_seen("session.held"), *envelopes)
    (phase,) = [one for one in phases_of(around) if one.therapist == NEW]
    return rule.judge(phase, {**rule.defaults, **settings}, settings.pop("until", FAR)).episodes


def a_transfer(day: float, *, to: str = NEW, planned: bool = True, **stated: Any) -> Envelope:
    """Return a transfer."""
    return an.a_care_event("transferred", on(day), to_therapist=to, planned=planned, **stated)


# unplanned-transfer -----------------------------------------------------------------------------
def test_an_unplanned_transfer_is_told_until_a_session_is_held() -> None:
    """It begins with the transfer, and clears when the first session there has been held."""
    held = an.a_session_held("n1", on(20), therapist=NEW)
    (episode,) = with_new(TRANSFER, a_transfer(10, planned=False), held)
    assert (episode.effective_at, episode.cleared_at) == (on(10), held.event.time)
    assert episode.title == "The client's therapist changed unplanned"
    assert episode.steps[0].numbers == {"transfers": 1, "planned": False}


def test_a_first_planned_transfer_is_nothing_to_tell_and_a_second_is() -> None:
    """One planned change is ordinary; the second in a case counts however well it was planned."""
    assert with_new(TRANSFER, a_transfer(10)) == ()
    there_and_on = [a_transfer(5, to="th_between"), a_transfer(10, therapist="th_between")]
    (episode,) = with_new(TRANSFER, *there_and_on)
    assert episode.title == "The client's therapist changed again"
    assert with_new(TRANSFER, *there_and_on, transfers=3) == ()


def test_who_leaves_is_not_told_of() -> None:
    """The transfer belongs to the phase that it begins, and to no other."""
    told = [an.a_session_held("s1", on(0)), a_transfer(10, planned=False)]
    assert judged(TRANSFER, *told).episodes == ()


# handover-not-picked-up -------------------------------------------------------------------------
AGREED = an.a_care_event("started", on(0), agreed_interval_days=7)


def test_two_agreed_intervals_without_a_session_are_told_after_the_grace() -> None:
    """The fourteenth day is within them; from the day after on, once the grace is over."""
    told = [AGREED, a_transfer(10)]
    due_at = on(25, hour=0)
    assert with_new(HANDOVER, *told, until=due_at + GRACE - timedelta(seconds=1)) == ()
    (episode,) = with_new(HANDOVER, *told, until=due_at + GRACE)
    assert episode.effective_at == due_at
    assert episode.steps[0].numbers == {"days": 14, "interval_days": 7}


@pytest.mark.parametrize(("before", "told"), [([], 0), ([an.a_session_held("s1", on(2))], 1)])
def test_where_held_sessions_are_never_sent_nothing_is_said(
    before: list[Envelope], told: int
) -> None:
    """One with the former therapist is proof enough that they are."""
    everything = [AGREED, *before, a_transfer(10)]
    (phase,) = [one for one in phases_of(everything) if one.therapist == NEW]
    assert len(HANDOVER.judge(phase, HANDOVER.defaults, FAR).episodes) == told


@pytest.mark.parametrize(("day", "told"), [(24, 0), (25, 1)])
def test_a_session_in_time_keeps_it_from_being_told(day: int, told: int) -> None:
    """Held two intervals later to the day, nothing is said; a day later it was late by then."""
    held = an.a_session_held("n1", on(day), therapist=NEW)
    assert len(with_new(HANDOVER, AGREED, a_transfer(10), held, grace_hours=0)) == told


def test_a_session_that_the_client_missed_starts_the_clock_anew() -> None:
    """What the client kept from being held is nobody's lapse; without an interval, no word."""
    missed = an.a_session_missed("n1", at=on(20), by="client", therapist=NEW)
    (episode,) = with_new(HANDOVER, AGREED, a_transfer(10), missed)
    assert episode.effective_at == on(35, hour=0)
    assert len(episode.steps[0].evidence) == 2
    assert with_new(HANDOVER, a_transfer(10)) == ()


def test_the_clock_of_a_handover_stands_still_in_a_pause() -> None:
    """Four days of pause make it four days later, and are named."""
    paused = [an.a_care_event("paused", on(12)), an.a_care_event("resumed", on(16))]
    (episode,) = with_new(HANDOVER, AGREED, a_transfer(10), *paused)
    assert episode.effective_at == on(29, hour=0)
    assert sum(episode.steps[0].not_counted.values()) == 1


# case-without-activity --------------------------------------------------------------------------
def test_more_than_sixty_days_without_a_session_are_told() -> None:
    """Sixty days are not more than sixty; a held session clears it, the end of care too."""
    held = [an.a_session_held("s1", on(0)), an.a_session_held("s2", on(7))]
    assert judged(SILENT, *held, until=on(67, hour=23) + GRACE).episodes == ()
    (episode,) = judged(SILENT, *held, until=on(68, hour=0) + GRACE).episodes
    assert (episode.effective_at, episode.cleared_at) == (on(68, hour=0), None)
    later = an.a_session_held("s3", on(90))
    (cleared, again) = judged(SILENT, *held, later).episodes
    assert cleared.cleared_at == later.event.time
    assert again.effective_at == on(151, hour=0)
    ended = an.a_care_event("ended", on(60))
    assert judged(SILENT, *held, ended).episodes == ()


def test_a_pause_is_no_inactivity() -> None:
    """Days in which the client wished to rest do not count, and are named."""
    held = an.a_session_held("s1", on(0))
    paused = [an.a_care_event("paused", on(10)), an.a_care_event("resumed", on(40))]
    (episode,) = judged(SILENT, held, *paused).episodes
    assert episode.effective_at == on(91, hour=0)
    assert episode.steps[0].not_counted


# ended-early-by-provider ------------------------------------------------------------------------
def test_only_the_code_for_it_is_told() -> None:
    """That money ended, the client moved or the service closed is never the provider's doing."""
    held = an.a_session_held("s1", on(0))
    for reason in ("agreed", "funding_ended", "moved_away", "service_closed", "unknown"):
        end = an.a_care_event("ended", on(10), reason=reason)
        assert judged(ENDED, held, end).episodes == ()
    end = an.a_care_event("ended", on(10), reason="provider_ended")
    (episode,) = judged(ENDED, held, end).episodes
    assert (episode.effective_at, episode.cleared_at) == (on(10), None)


def test_care_that_is_begun_again_clears_it() -> None:
    """Whoever begins it again, the client is in care."""
    end = an.a_care_event("ended", on(10), reason="provider_ended")
    again = an.a_care_event("started", on(30), therapist=NEW)
    (episode,) = judged(ENDED, an.a_session_held("s1", on(0)), end, again).episodes
    assert episode.cleared_at == on(30)

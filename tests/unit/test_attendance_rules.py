"""Cancellations, sessions not held and gaps: each threshold exactly at it and just under."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.alerts.rule import Step
from services.alerts.rules.session_gap import SessionGap
from services.alerts.rules.session_not_held import SessionNotHeld
from services.alerts.rules.therapist_cancellations import TherapistCancellations
from shared.envelope import Envelope
from tests.support import events as an
from tests.support.events import CLINIC, THERAPIST, on
from tests.support.phases import FAR, judged, urgencies, weekly

CANCELLATIONS, NOT_HELD, GAP = TherapistCancellations(), SessionNotHeld(), SessionGap()
HELD = "held"


def cancellations(*outcomes: str, reason: str | None = None, **settings: Any) -> Any:
    """Return the episodes that weekly outcomes make."""
    return judged(CANCELLATIONS, *weekly(*outcomes, reason=reason), **settings).episodes


# therapist-cancellations ------------------------------------------------------------------------
def test_two_of_eight_is_attention_and_three_is_urgent() -> None:
    """One of eight says nothing, two are attention, three urgent; seven more sessions clear it."""
    assert cancellations("cancelled:clinic", *[HELD] * 7) == ()
    (two,) = cancellations("cancelled:clinic", *[HELD] * 6, "cancelled:therapist")
    assert urgencies([two]) == [["attention"]]
    assert two.title == "2 of the last 8 sessions were cancelled by the clinic or therapist"
    assert two.steps[0].numbers == {"counted": 2, "missed": 0, "sessions": 8}
    assert two.effective_at == on(48)
    (three,) = cancellations("cancelled:clinic", HELD, "missed:therapist", "cancelled:therapist")
    assert urgencies([three]) == [["attention", "urgent"]]
    assert [fact.type for fact in three.steps[1].evidence] == [
        "session.cancelled", "session.missed", "session.cancelled",
    ]  # fmt: skip


def test_the_ninth_session_pushes_the_first_out() -> None:
    """Two cancellations nine sessions apart are never in one window of eight."""
    assert cancellations("cancelled:clinic", *[HELD] * 7, "cancelled:clinic") == ()
    (episode,) = cancellations("cancelled:clinic", "cancelled:clinic", *[HELD] * 7)
    assert episode.cleared_at == on(8 * 7, 10, 50)


def test_the_clients_own_and_the_unknown_never_count() -> None:
    """What the client, nobody or somebody unknown kept from being held counts for nothing."""
    outcomes = ("cancelled:client", "missed:client", "cancelled:unknown", "missed:unknown")
    assert cancellations(*outcomes, "missed:nobody", "cancelled:therapist") == ()


@pytest.mark.parametrize(
    ("reason", "excuse"),
    [
        ("emergency", "emergency"),
        ("weather", "weather"),
        ("equipment", "equipment"),
        ("technical", "technical"),
        ("bank_holiday", "bank_holiday"),
        ("annual_leave", "announced_leave"),
    ],
)
def test_excused_reasons_are_listed_and_not_counted(reason: str, excuse: str) -> None:
    """Excused cancellations do not count; beside a figure they are listed with their number."""
    assert cancellations(*["cancelled:therapist"] * 4, reason=reason) == ()
    excused = weekly("cancelled:clinic", reason=reason)
    counted = weekly("cancelled:clinic", "cancelled:clinic", first=100)
    renamed = [_renamed(one) for one in counted]
    (episode,) = judged(CANCELLATIONS, *excused, *renamed).episodes
    assert episode.steps[0].not_counted == {excuse: 1}
    assert f"1 × {excuse.replace('_', ' ')}" in episode.steps[0].explanation


def _renamed(envelope: Envelope) -> Envelope:
    data = {**envelope.event.data, "session": f"later-{envelope.event.data['session']}"}
    return an.an_event(envelope.event.type, envelope.event.time, data)


@pytest.mark.parametrize("reason", ["conflict", "no_cover", "other", "unknown", None])
def test_other_reasons_count(reason: str | None) -> None:
    """A clash in the diary or no cover is a lapse like one without a reason."""
    assert len(cancellations(*["cancelled:therapist"] * 2, reason=reason)) == 1


def test_the_first_sickness_in_eight_is_not_counted() -> None:
    """One sickness is excused, two leave one counted, three leave two; the grace is a setting."""
    sick = "cancelled:therapist"
    assert cancellations(sick, sick, reason="illness") == ()
    (three,) = cancellations(sick, sick, sick, reason="illness")
    assert urgencies([three]) == [["attention"]]
    assert three.steps[0].not_counted == {"first_sickness": 1}
    assert len(cancellations(sick, sick, reason="illness", sickness_grace=0)) == 1


def test_leave_closures_holidays_and_breaks_excuse_by_date() -> None:
    """What falls into announced leave, a closure, a holiday or a break the client asked for."""
    two = weekly("cancelled:therapist", "cancelled:clinic", first=14)
    assert len(judged(CANCELLATIONS, *two).episodes) == 1
    excuses: Sequence[Sequence[Envelope]] = (
        [an.a_therapist_away("2026-01-19", "2026-01-19")],
        [an.a_clinic_closed("2026-01-26", "2026-01-26")],
        [an.a_clinic_configured(holidays=["2026-01-19"])],
        [an.a_care_event("paused", on(13)), an.a_care_event("resumed", on(16))],
    )
    for excuse in excuses:
        assert judged(CANCELLATIONS, *two, *excuse).episodes == ()
    beside = (
        [an.a_therapist_away("2026-01-20", "2026-01-25")],
        [an.a_therapist_away("2026-01-19", "2026-01-19", at=on(15))],
        [an.a_clinic_closed("2026-01-27", "2026-01-30")],
        [an.a_care_event("paused", on(15)), an.a_care_event("resumed", on(16))],
    )
    for no_excuse in beside:
        assert len(judged(CANCELLATIONS, *two, *no_excuse).episodes) == 1


def test_a_booked_again_session_no_longer_counts() -> None:
    """Booking a cancelled session again clears what it made, from then on."""
    two = weekly("cancelled:therapist", "cancelled:therapist")
    again = an.a_session_rescheduled("s2", on(9), at=on(8), by="therapist")
    (episode,) = judged(CANCELLATIONS, *two, again).episodes
    assert (episode.effective_at, episode.cleared_at) == (on(6), on(8))


def test_a_correction_voids() -> None:
    """Where a cancellation turns out to be the client's, the episode has never been."""
    two = weekly("cancelled:therapist", "cancelled:therapist")
    corrected = an.a_correction(two[-1], cancelled_by="client")
    assert judged(CANCELLATIONS, *two, corrected).episodes == ()
    held = an.a_session_held("s2", on(7))
    assert judged(CANCELLATIONS, *two, held).episodes == ()


def test_an_absence_that_was_not_announced_hides_no_other() -> None:
    """Of several at once, each announced one excuses; leave does so before sickness."""
    span = ("2026-01-10", "2026-01-30")
    late = an.a_therapist_away("2026-01-01", "2026-03-01", at=on(100))
    leave, sick = (
        an.a_therapist_away(*span, at=on(0), kind=kind) for kind in ("annual_leave", "sickness")
    )
    off = [an.a_session_cancelled(f"s{n}", at=on(10 + n), by="therapist") for n in range(3)]
    assert len(judged(CANCELLATIONS, *off, late).episodes) == 1
    for around in ((late, leave), (leave, late), (sick, leave), (leave, sick, late)):
        assert judged(CANCELLATIONS, *off, *around).episodes == ()
    (second,) = judged(CANCELLATIONS, *off, late, sick).episodes
    assert second.steps[0].not_counted == {"first_sickness": 1}


# session-not-held -------------------------------------------------------------------------------
def missed(*outcomes: str, more: Sequence[Envelope] = (), until: datetime = FAR) -> Any:
    """Return the episodes that weekly outcomes and more facts make."""
    return judged(NOT_HELD, *weekly(*outcomes), *more, until=until).episodes


def test_a_session_not_held_is_attention_and_the_second_urgent() -> None:
    """One is attention until a session is held; a second within 12 weeks is urgent at once."""
    (one,) = missed("missed:therapist", HELD)
    assert urgencies([one]) == [["attention"]]
    assert (one.effective_at, one.cleared_at) == (on(0), on(7, 10, 50))
    first, second = missed("missed:therapist", *[HELD] * 11, "missed:therapist")
    assert urgencies([first, second]) == [["attention"], ["urgent"]]
    far = missed("missed:therapist", *[HELD] * 12, "missed:therapist")
    assert urgencies(far) == [["attention"], ["attention"]]
    assert missed("missed:client", "missed:unknown", "cancelled:therapist") == ()


def test_twelve_weeks_are_the_clinics_own() -> None:
    """The same weekly hour is within them where the clock was set back; a second more is not."""
    first = an.a_session_missed("a", at=on(245, 9), by="therapist")
    for second, told in ((0, ["attention", "urgent"]), (1, ["attention"])):
        late = an.a_session_missed("b", at=on(329, 10) + timedelta(seconds=second), by="therapist")
        (episode,) = judged(NOT_HELD, an.a_clinic_configured(), first, late).episodes
        assert urgencies([episode]) == [told]


def a_contact(at: datetime, reached: bool = True) -> Envelope:
    """Return an attempt to speak with the client."""
    data = {"clinic": CLINIC, "therapist": THERAPIST, "by": "clinic", "reached": reached}
    return an.an_event("contact.attempted", at, data)


def test_no_contact_within_two_working_days_is_urgent() -> None:
    """Where contacts are sent, the end of the second working day is a deadline without grace."""
    sends = an.a_clinic_configured(sends=["sessions", "contacts"])
    end = on(3, 0)
    (silent,) = missed("missed:therapist", more=[sends])
    assert urgencies([silent]) == [["attention", "urgent"]]
    assert (silent.steps[1].effective_at, silent.steps[1].known_at) == (end, end)
    just_before = end - timedelta(microseconds=1)
    verdict = judged(NOT_HELD, *weekly("missed:therapist"), sends, until=just_before)
    assert (urgencies(verdict.episodes), verdict.due_at) == ([["attention"]], end)
    for contact in (a_contact(on(1)), a_contact(end)):
        (reached,) = missed("missed:therapist", more=[sends, contact])
        assert urgencies([reached]) == [["attention"]]
    for contact in (a_contact(end + timedelta(seconds=1)), a_contact(on(1), reached=False)):
        (late,) = missed("missed:therapist", more=[sends, contact])
        assert urgencies([late]) == [["attention", "urgent"]]
    assert late.steps[1].numbers["attempts"] == 1


def test_never_sent_contacts_are_not_missing_contacts() -> None:
    """Where nobody sends contacts, their absence says nothing (invariant 8)."""
    (episode,) = missed("missed:therapist", more=[an.a_clinic_configured(sends=["sessions"])])
    assert urgencies([episode]) == [["attention"]]


def test_a_session_held_in_time_is_contact() -> None:
    """A session held within the two days needs no other contact."""
    held = an.a_session_held("extra", on(2))
    sends = an.a_clinic_configured(sends=["contacts"])
    (episode,) = missed("missed:therapist", more=[sends, held])
    assert (urgencies([episode]), episode.cleared_at) == ([["attention"]], on(2, 10, 50))


def test_an_excused_miss_is_not_told() -> None:
    """An emergency or a technical failure is nobody's lapse."""
    for reason in ("emergency", "technical"):
        life = weekly("missed:therapist", reason=reason)
        assert judged(NOT_HELD, *life).episodes == ()


# session-gap ------------------------------------------------------------------------------------
AGREED = an.a_care_event("started", on(-3), agreed_interval_days=7)
END = timedelta(minutes=50)
GRACE = timedelta(hours=48)


def gap(*more: Envelope, until: datetime = FAR, **settings: Any) -> Any:
    """Return the episodes after one held session on day 0, with seven days agreed."""
    return judged(GAP, AGREED, *weekly(HELD), *more, until=until, **settings).episodes


def test_a_gap_is_attention_at_one_and_a_half_and_urgent_at_two() -> None:
    """Effective at exactly 1.5 and 2 times the interval, known 48 hours later."""
    (episode,) = gap()
    assert urgencies([episode]) == [["attention", "urgent"]]
    due = [on(10.5) + END, on(14) + END]
    assert [step.effective_at for step in episode.steps] == due
    assert [step.known_at for step in episode.steps] == [at + GRACE for at in due]
    step: Step = episode.steps[0]
    assert step.numbers["interval_days"] == 7
    assert step.numbers["next_session_booked"] is False
    assert [fact.type for fact in step.evidence] == ["session.held", "care.started"]


def test_a_gap_is_judged_when_the_grace_has_passed() -> None:
    """A moment before due + grace nothing is said and the deadline waits; at it, it is told."""
    ripe = on(10.5) + END + GRACE
    early = judged(GAP, AGREED, *weekly(HELD), until=ripe - timedelta(microseconds=1))
    assert (early.episodes, early.due_at) == ((), ripe)
    assert urgencies(gap(until=ripe)) == [["attention"]]


def test_a_session_up_to_the_grace_leaves_no_gap() -> None:
    """A session held by due + grace makes no episode; later, it clears one."""
    assert gap(an.a_session_held("s2", on(12.5)), until=on(20)) == ()
    (episode,) = gap(an.a_session_held("s2", on(13)), until=on(20))
    assert (urgencies([episode]), episode.cleared_at) == ([["attention"]], on(13) + END)


def test_pauses_leave_and_closures_stop_the_clock() -> None:
    """Days of a pause, announced leave or a closure are taken out, and listed."""
    cases = {
        "pause": [an.a_care_event("paused", on(2)), an.a_care_event("resumed", on(5))],
        "announced_leave": [an.a_therapist_away("2026-01-07", "2026-01-09")],
        "closure": [an.a_clinic_closed("2026-01-07", "2026-01-09")],
    }
    for reason, facts in cases.items():
        (episode,) = gap(*facts)
        assert episode.effective_at == on(13.5) + END
        assert episode.steps[0].not_counted == {reason: 1}
    for_ever = an.a_therapist_away("2026-01-07", None)
    assert gap(for_ever) == ()
    (sick,) = gap(an.a_therapist_away("2026-01-07", None, kind="sickness"))
    assert sick.effective_at == on(10.5) + END


def test_what_the_client_cancelled_or_missed_is_taken_out() -> None:
    """From a session that the client cancelled or missed, the clock starts anew."""
    for outcome in ("cancelled:client", "missed:client"):
        life = weekly(HELD, outcome)
        (episode,) = judged(GAP, AGREED, *life).episodes
        assert episode.effective_at == on(7 + 10.5)
        assert episode.steps[0].not_counted["cancelled_or_missed_by_client"] == 1
    (therapist,) = judged(GAP, AGREED, *weekly(HELD, "cancelled:therapist")).episodes
    assert therapist.effective_at == on(10.5) + END


def test_a_session_cancelled_far_ahead_stops_one_interval_only() -> None:
    """Who cancels a session twelve weeks ahead is not forgotten until then."""
    ahead = [
        an.a_session_scheduled("far", on(84), at=on(1)),
        an.a_session_cancelled("far", at=on(2), by="client"),
    ]
    first, second = gap(*ahead)
    assert first.effective_at == on(10.5) + END
    assert first.cleared_at == on(84)
    assert second.effective_at == on(84 + 10.5)


def test_without_an_agreement_the_first_four_gaps_stand_in() -> None:
    """With three gaps nothing is analysable; with four, their median is the interval."""
    assert judged(GAP, *weekly(*[HELD] * 4, every=14)).episodes == ()
    (episode,) = judged(GAP, *weekly(*[HELD] * 5, every=14)).episodes
    assert episode.effective_at == on(4 * 14 + 21) + END
    assert episode.steps[0].numbers["agreed"] is False
    assert len(episode.steps[0].evidence) == 5


def test_an_ended_course_of_care_has_no_gap() -> None:
    """Care that ends before due + grace makes no gap; later, it clears it."""
    assert gap(an.a_care_event("ended", on(12))) == ()
    (episode,) = gap(an.a_care_event("ended", on(13)))
    assert episode.cleared_at == on(13)


def test_a_booked_session_is_a_fact_of_its_own() -> None:
    """Whether a next session is booked is said in numbers and words."""
    (episode,) = gap(an.a_session_scheduled("s9", on(40), at=on(9)))
    assert episode.steps[0].numbers["next_session_booked"] is True
    assert "A next session is booked" in episode.steps[0].explanation


def test_a_late_record_voids_a_gap() -> None:
    """A session held in time and recorded late leaves no episode behind."""
    late = an.a_session_held("s2", on(7), recorded_at=on(30))
    assert gap(late, until=on(17)) == ()

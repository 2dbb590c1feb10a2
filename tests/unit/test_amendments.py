"""Corrections and retractions: which stand, and what they make of an event."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings

from shared.alliance.reading import Fact, standing
from shared.envelope import Envelope
from tests.support.events import (
    a_boundary_noted,
    a_care_event,
    a_clinic_configured,
    a_correction,
    a_rating,
    a_retraction,
    a_retraction_of_thing,
    a_session_cancelled,
    a_session_held,
    an_event,
    on,
)
from tests.support.histories import Story, stories

RATING = a_rating(30, id="r1", rating="q1")


def facts(*envelopes: Envelope) -> tuple[Fact, ...]:
    """Return what stands, checked to be the same in every order."""
    read = standing(envelopes)
    if len(envelopes) <= 5:
        assert all(standing(order) == read for order in permutations(envelopes))
    return read.facts


def total(*envelopes: Envelope) -> object:
    """Return the one rating's total, or None where it does not stand."""
    found = facts(*envelopes)
    return found[0].data["total"] if found else None


def test_a_correction_replaces_the_data_whole() -> None:
    """What the correction leaves out is gone; the event keeps its id and its first recording."""
    correction = a_correction(RATING, total=20, rating=None)
    (fact,) = facts(RATING, correction)
    assert fact.data == correction.event.data["data"]
    assert "rating" not in fact.data
    assert (fact.event, fact.recorded_at, fact.corrected) == (
        RATING.id,
        RATING.recorded_at,
        True,
    )


def test_the_latest_amendment_counts_by_time_then_source_then_id() -> None:
    """Not the last to arrive: the last by its own time, then by source and id."""
    early = a_correction(RATING, at=on(9), total=9, recorded_at=on(50))
    late = a_correction(RATING, at=on(10), total=10, recorded_at=on(11))
    assert total(RATING, early, late) == 10
    same = [a_correction(RATING, at=on(9), total=n, id=f"c{n}") for n in (1, 2)]
    assert total(RATING, *same) == 2


def test_a_source_amends_what_another_source_sent() -> None:
    """The target's source may be named; left out, it is the amendment's own."""
    data = {"clinic": "elm", "reason": "duplicate"}
    named = data | {"target": {"id": "r1", "type": "rating.given", "source": "urn:source:ehr"}}
    unnamed = data | {"target": {"id": "r1", "type": "rating.given"}}
    assert not facts(RATING, an_event("record.retracted", on(9), named, source="urn:x"))
    assert not facts(RATING, an_event("record.retracted", on(9), unnamed))
    assert facts(RATING, an_event("record.retracted", on(9), unnamed, source="urn:x"))


def test_the_type_of_a_target_may_carry_its_prefix() -> None:
    """``rapport.rating.given`` and ``rating.given`` name the same type."""
    data = {"clinic": "elm", "target": {"id": "r1", "type": "rapport.rating.given"}}
    assert not facts(RATING, an_event("record.retracted", on(9), data | {"reason": "other"}))


def test_a_target_of_another_type_is_not_met() -> None:
    """An amendment that names the wrong type changes nothing, waits and is shown."""
    data = {"clinic": "elm", "target": {"id": "r1", "type": "session.held"}, "reason": "other"}
    wrong = an_event("record.retracted", on(9), data)
    read = standing([RATING, wrong])
    assert len(read.facts) == 1
    assert [(one.event, one.because) for one in read.waiting] == [(wrong.id, "target_not_seen")]


def test_a_retracted_correction_is_cancelled() -> None:
    """The correction before it counts again; without one, the original does."""
    first = a_correction(RATING, at=on(9), total=9)
    second = a_correction(RATING, at=on(10), total=10)
    assert total(RATING, first, second, a_retraction(second)) == 9
    assert total(RATING, first, a_retraction(first)) == 30
    assert not facts(RATING, first, a_retraction(first))[0].corrected


def test_a_retracted_retraction_restores() -> None:
    """Retracting twice is as if nothing had been; thrice is as once."""
    once = a_retraction(RATING, id="x1")
    twice = a_retraction(once, id="x2")
    thrice = a_retraction(twice, id="x3")
    assert total(RATING, once) is None
    assert total(RATING, once, twice) == 30
    assert total(RATING, once, twice, thrice) is None


def test_a_retraction_of_what_is_restored_twice_needs_both_taken_back() -> None:
    """An event retracted twice stays retracted while one retraction of it stands."""
    one, other = a_retraction(RATING, id="x1"), a_retraction(RATING, id="x2", at=on(10))
    assert total(RATING, one, other, a_retraction(one)) is None
    assert total(RATING, one, other, a_retraction(one), a_retraction(other)) == 30


def test_a_correction_after_a_retraction_brings_the_event_back() -> None:
    """The latest standing amendment counts, whichever kind it is."""
    retraction = a_retraction(RATING, at=on(9))
    assert total(RATING, retraction, a_correction(RATING, at=on(10), total=5)) == 5
    assert total(RATING, retraction, a_correction(RATING, at=on(8), total=5)) is None


def test_an_amendment_waits_for_its_target_and_is_shown() -> None:
    """It is listed until the target comes, then applies; one that is taken back is not listed."""
    correction = a_correction(RATING, total=5)
    waiting = standing([correction]).waiting
    assert [(one.event, one.type, one.target["id"]) for one in waiting] == [
        (correction.id, "record.corrected", "r1")
    ]
    assert standing([correction, RATING]).waiting == ()
    assert standing([correction, a_retraction(correction)]).waiting == ()


def test_a_retraction_waits_for_an_amendment_that_has_not_come() -> None:
    """A retraction of an unseen correction is shown, and cancels it when it comes."""
    correction = a_correction(RATING, total=5)
    cancelled = a_retraction(correction)
    assert [one.event for one in standing([RATING, cancelled]).waiting] == [cancelled.id]
    assert total(RATING, cancelled, correction) == 30


def test_a_superseded_correction_does_not_wait() -> None:
    """Its target is there; it only is not the latest."""
    read = standing([RATING, a_correction(RATING, at=on(9)), a_correction(RATING, at=on(10))])
    assert read.waiting == ()


def test_amendments_that_retract_each_other_have_no_effect() -> None:
    """A circle decides nothing and is shown; taking back one of its members opens it."""
    target = {"clinic": "elm", "reason": "other"}

    def retracts(own: str, other: str) -> Envelope:
        named = {"id": other, "type": "record.retracted", "source": "urn:source:ehr"}
        return an_event("record.retracted", on(9), target | {"target": named}, id=own)

    circle = [retracts("x1", "x2"), retracts("x2", "x3"), retracts("x3", "x1")]
    read = standing([RATING, *circle])
    assert len(read.facts) == 1
    assert [one.because for one in read.waiting] == ["circle"] * 3
    opened = standing([*circle, a_retraction(circle[0], id="y")])
    assert opened.waiting == ()
    itself = standing([retracts("x1", "x1")])
    assert [one.because for one in itself.waiting] == ["circle"]


def test_a_chain_of_retractions_may_be_long() -> None:
    """Two thousand retractions of each other are decided, not a stack overflowed."""
    chain = [a_retraction(RATING, id="x0")]
    for number in range(1, 2000):
        chain.append(a_retraction(chain[-1], id=f"x{number}", at=on(9)))
    assert len(standing([RATING, *chain]).facts) == 1
    assert len(standing([RATING, *chain[:-1]]).facts) == 0


def test_a_correction_of_an_amendment_has_no_effect() -> None:
    """To amend a correction its original is amended; such a one is shown."""
    correction = a_correction(RATING, total=5)
    nested = a_correction(correction, at=on(20))
    read = standing([RATING, correction, nested])
    assert [fact.data["total"] for fact in read.facts] == [5]
    assert [one.because for one in read.waiting] == ["not_amendable"]


@pytest.mark.parametrize("arrives", [on(1), on(100)])
def test_a_retracted_thing_is_gone_whenever_it_arrives(arrives: object) -> None:
    """Everything of one session is out, before and after, and nothing of another."""
    retraction = a_retraction_of_thing("session", "s1", at=on(9), recorded_at=arrives)
    held, other = a_session_held("s1"), a_session_held("s2", id="other")
    cancelled = a_session_cancelled("s1", at=on(50))
    kept = facts(held, cancelled, retraction, other)
    assert [fact.event for fact in kept] == [other.id]


def test_a_retracted_thing_comes_back_only_with_its_retraction_taken_back() -> None:
    """A later correction does not bring it back; retracting the retraction does."""
    gone = a_retraction_of_thing("rating", "q1", at=on(9))
    assert total(RATING, gone, a_correction(RATING, at=on(20), total=5)) is None
    assert total(RATING, gone, a_retraction(gone)) == 30


def test_a_retracted_thing_goes_by_the_corrected_reference() -> None:
    """What was corrected to another reference belongs to that one."""
    gone = a_retraction_of_thing("rating", "q1", at=on(9))
    assert total(RATING, gone, a_correction(RATING, rating="q2")) == 30
    elsewhere = a_rating(30, id="r1", rating="q2")
    assert total(elsewhere, gone, a_correction(elsewhere, rating="q1")) is None


def test_a_session_taken_back_takes_no_rating_of_it() -> None:
    """A rating that belongs to the session is a thing of its own."""
    gone = a_retraction_of_thing("session", "s1", at=on(9))
    assert total(a_rating(30, session="s1"), gone) == 30


def test_a_thing_that_was_never_seen_waits() -> None:
    """A retraction by reference is shown until something of it arrives."""
    gone = a_retraction_of_thing("boundary_event", "b1", at=on(9))
    assert [one.target for one in standing([gone]).waiting] == [
        {"kind": "boundary_event", "ref": "b1"}
    ]
    assert standing([gone, a_boundary_noted("b1")]).waiting == ()


def test_a_thing_taken_back_twice_waits_for_nothing() -> None:
    """Its only event is taken back by id as well: what the reference means has been seen."""
    read = standing(
        [RATING, a_retraction(RATING), a_retraction_of_thing("rating", "q1", at=on(9))]
    )
    assert (read.facts, read.waiting) == ((), ())


def test_amendments_stay_with_their_client_and_organisation() -> None:
    """The same id under another client or organisation is not what was meant."""
    gone = a_retraction(RATING)
    foreign = [replace(gone, organisation="org_south"), _about(gone, "cl_ben")]
    assert len(standing([RATING, *foreign]).facts) == 1


def _about(envelope: Envelope, client: str) -> Envelope:
    return replace(envelope, event=replace(envelope.event, subject=client))


def test_what_concerns_many_is_amended_without_a_subject() -> None:
    """A clinic's configuration is corrected by an event that has no subject either."""
    configured = a_clinic_configured(id="k1")
    corrected = a_correction(configured, timezone="Europe/Paris")
    assert corrected.client is None
    assert facts(configured, corrected)[0].data["timezone"] == "Europe/Paris"


def _meant(one: Envelope, by: Envelope) -> bool:
    """Return whether an amendment names this event."""
    target = by.event.data["target"]
    named = (target.get("source", by.event.source), target.get("id"), target.get("type"))
    event = one.event
    return _whose(one) == _whose(by) and named == (event.source, event.id, event.type)


def _swept(one: Envelope, data: Mapping[str, Any], by: Envelope) -> bool:
    """Return whether an amendment takes back the whole session that an event speaks of."""
    target = by.event.data["target"]
    is_session = one.event.type.startswith("session.") and target.get("kind") == "session"
    return _whose(one) == _whose(by) and is_session and data["session"] == target["ref"]


def _whose(one: Envelope) -> tuple[str, str | None]:
    return (one.organisation, one.client)


def _reference(envelopes: Sequence[Envelope]) -> list[tuple[str, object]]:
    """Decide by plain recursion what stands: written from the contract alone, without circles."""
    amendments = [one for one in envelopes if one.event.type.startswith("record.")]

    def holds(one: Envelope) -> bool:
        retractions = (by for by in amendments if by.event.type == "record.retracted")
        return not any(_meant(one, by) and holds(by) for by in retractions)

    def outcome(one: Envelope) -> tuple[str, object] | None:
        mine = [by for by in amendments if _meant(one, by) and holds(by)]
        mine.sort(key=lambda by: (by.event.time, by.event.source, by.event.id))
        data = one.event.data
        if mine and mine[-1].event.type == "record.retracted":
            return None
        if mine:
            data = mine[-1].event.data["data"]
        gone = any(_swept(one, data, by) and holds(by) for by in amendments)
        return None if gone else (one.id, data)

    originals = [one for one in envelopes if not one.event.type.startswith("record.")]
    return [found for one in originals if (found := outcome(one)) is not None]


@settings(max_examples=150, deadline=None)
@given(stories())
def test_amendments_agree_with_a_plain_reading_of_the_contract(story: Story) -> None:
    """For any history, what stands and with which data is what plain recursion says."""
    client = [one for one in story.all if not one.event.type.startswith("consent.")]
    ours = sorted((fact.event, fact.data) for fact in standing(client).facts)
    assert ours == sorted(_reference(client))


def test_care_facts_are_corrected_like_any_other() -> None:
    """Amendments know no exception by family."""
    ended = a_care_event("ended", on(9), id="e1")
    (fact,) = facts(ended, a_correction(ended, reason="moved_away"))
    assert fact.data["reason"] == "moved_away"

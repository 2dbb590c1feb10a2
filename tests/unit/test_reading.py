"""The rules of reading: same event, fold order, the two axes of time, consent."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.alliance.reading import Fact, standing
from shared.envelope import Envelope
from shared.errors import Unreadable
from tests.support.events import (
    a_care_event,
    a_clinic_configured,
    a_consent,
    a_correction,
    a_rating,
    a_retraction,
    a_session_held,
    a_session_missed,
    a_session_scheduled,
    an_event,
    on,
)
from tests.support.histories import sent_again

HOUR = timedelta(hours=1)


def stands(*envelopes: Envelope) -> tuple[Fact, ...]:
    """Return the facts that stand."""
    return standing(envelopes).facts


def test_an_event_is_its_organisation_client_source_and_id() -> None:
    """The same id from another source, or about another client, is another event."""
    first = a_rating(30, id="r1")
    others = [
        a_rating(31, id="r1", source="urn:source:forms"),
        a_rating(32, id="r1", client="cl_ben"),
        a_rating(33, id="r1", organisation="org_south"),
    ]
    assert len({fact.event for fact in stands(first, *others)}) == 4
    assert standing([first, *others]).conflicts == ()


def test_the_same_event_again_has_no_effect() -> None:
    """A second copy makes no second fact, and the first time it was recorded counts."""
    first = a_rating(30, id="r1")
    again = sent_again(first, HOUR)
    (fact,) = stands(again, first, again)
    assert (fact.recorded_at, fact.sender, fact.backfill) == (
        first.recorded_at,
        first.sender,
        False,
    )
    assert standing([first, again]).conflicts == ()


def test_other_content_under_a_taken_id_is_a_conflict_without_effect() -> None:
    """The first recorded stays; each other content counts once, however often it came."""
    first = a_rating(30, id="r1")
    other = replace(a_rating(12, id="r1"), recorded_at=first.recorded_at + HOUR)
    third = replace(a_rating(13, id="r1"), recorded_at=first.recorded_at + 2 * HOUR)
    read = standing([third, other, sent_again(other, HOUR), first])
    assert [fact.data["total"] for fact in read.facts] == [30]
    assert [(one.event, one.contents) for one in read.conflicts] == [(first.id, 2)]


def test_a_conflict_is_not_known_before_it_was_recorded() -> None:
    """As it was known before the second content came, there was no conflict."""
    first = a_rating(30, id="r1")
    other = replace(a_rating(12, id="r1"), recorded_at=first.recorded_at + HOUR)
    assert standing([first, other], known_at=first.recorded_at).conflicts == ()


def test_fold_order_is_time_then_rank_then_source_then_id() -> None:
    """Facts of one moment are ordered by the contract's table, then by what the sender wrote."""
    moment = on(7)
    facts = stands(
        a_rating(at=moment, id="a"),
        a_session_missed(at=moment, id="z"),
        a_session_scheduled(at=moment, id="y", source="urn:b"),
        a_session_scheduled(at=moment, id="x", source="urn:b"),
        a_session_scheduled(at=moment, id="y", source="urn:a"),
        a_rating(at=moment - HOUR, id="b"),
    )
    assert [(fact.source[-1], fact.id) for fact in facts] == [
        ("r", "b"),
        ("a", "y"),
        ("b", "x"),
        ("b", "y"),
        ("r", "z"),
        ("r", "a"),
    ]


def test_known_at_includes_what_was_recorded_at_that_very_moment() -> None:
    """The limit itself is inside, on both axes."""
    rating = a_rating()
    assert standing([rating], known_at=rating.recorded_at).facts
    assert standing([rating], valid_at=rating.event.time).facts
    just_before = timedelta(microseconds=1)
    assert not standing([rating], known_at=rating.recorded_at - just_before).facts
    assert not standing([rating], valid_at=rating.event.time - just_before).facts


def test_valid_at_asks_for_the_corrected_time() -> None:
    """A fact whose time was corrected is valid from the corrected time on, and not before."""
    rating = a_rating(at=on(3))
    moved = a_correction(rating, at=on(9), corrected_time=on(5))
    assert not standing([rating, moved], valid_at=on(4)).facts
    (fact,) = standing([rating, moved], valid_at=on(5)).facts
    assert (fact.occurred_at, fact.corrected) == (on(5), True)


def test_known_at_filters_before_amendments_apply() -> None:
    """Before the retraction was recorded the fact stood; its own time does not matter."""
    rating = a_rating(at=on(3), recorded_at=on(3))
    retraction = a_retraction(rating, at=on(1), recorded_at=on(6))
    assert standing([rating, retraction], known_at=on(5)).facts
    assert not standing([rating, retraction], known_at=on(6)).facts


def test_a_fact_is_known_since_the_last_thing_that_shaped_it() -> None:
    """A correction, and a retraction that was taken back, move known_at; others do not."""
    rating = a_rating(at=on(3), recorded_at=on(3))
    early = a_correction(rating, at=on(4), total=20, recorded_at=on(9))
    late = a_correction(rating, at=on(5), total=21, recorded_at=on(6))
    assert stands(rating, early, late)[0].known_at == on(6)
    taken_back = a_retraction(late, at=on(7), recorded_at=on(11))
    fact = stands(rating, early, late, taken_back)[0]
    assert (fact.data["total"], fact.known_at, fact.recorded_at) == (20, on(11), on(3))


def test_withdrawn_processing_leaves_out_what_occurs_until_given_again() -> None:
    """Facts before and at the withdrawal, and from the giving on, stay; so does consent itself."""
    facts = stands(
        a_rating(1, at=on(1)),
        a_consent("withdrawn", on(2)),
        a_rating(2, at=on(2)),
        a_rating(3, at=on(3)),
        a_consent("withdrawn", on(4), scope="research"),
        a_consent("given", on(5)),
        a_rating(5, at=on(5)),
        a_rating(6, at=on(6)),
    )
    assert [fact.data["total"] for fact in facts if fact.type == "rating.given"] == [1, 2, 5, 6]
    assert [fact.type for fact in facts].count("consent.withdrawn") == 2


def test_withdrawn_processing_goes_by_when_it_occurred_not_by_when_it_came() -> None:
    """A late fact from before the withdrawal is read; an early one from after it is not."""
    withdrawn = a_consent("withdrawn", on(5), recorded_at=on(5))
    before = a_rating(1, at=on(4), recorded_at=on(20))
    after = a_rating(2, at=on(6), recorded_at=on(6))
    assert [fact.type for fact in stands(withdrawn, before, after)] == [
        "rating.given",
        "consent.withdrawn",
    ]


@pytest.mark.parametrize("scope", ["alerts", "research", "sharing"])
def test_other_scopes_leave_nothing_out(scope: str) -> None:
    """Only processing decides what is folded."""
    assert len(stands(a_consent("withdrawn", on(2), scope=scope), a_rating(at=on(3)))) == 2


def test_one_clients_consent_hides_no_other_client_and_no_clinic() -> None:
    """What concerns others, or many, is not the client's to withdraw."""
    other = a_rating(at=on(3), client="cl_ben")
    clinic = a_clinic_configured(at=on(3))
    assert len(stands(a_consent("withdrawn", on(2)), other, clinic)) == 3


def test_a_corrected_consent_counts_as_corrected() -> None:
    """A withdrawal that was entered in error hides nothing once it is retracted."""
    withdrawn = a_consent("withdrawn", on(2))
    rating = a_rating(at=on(3))
    assert rating.id in {f.event for f in stands(withdrawn, rating, a_retraction(withdrawn))}


def test_the_empty_set_stands_empty() -> None:
    """Nothing sent, nothing read."""
    read = standing([])
    assert (read.facts, read.waiting, read.conflicts) == ((), (), ())


def test_a_type_nobody_knows_cannot_be_read() -> None:
    """A record of an unknown type stops the reader instead of vanishing."""
    with pytest.raises(Unreadable):
        standing([an_event("session.dreamt", on(1), {"clinic": "elm"})])


def test_every_sort_of_fact_keeps_its_data() -> None:
    """Data are read as they are: no field is added, none dropped."""
    for envelope in (a_session_held(), a_care_event("started", on(1)), a_rating()):
        (fact,) = stands(envelope)
        assert fact.data == envelope.event.data
        assert (fact.event, fact.source, fact.id) == (
            envelope.id,
            envelope.event.source,
            envelope.event.id,
        )

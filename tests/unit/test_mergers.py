"""References that stand for one client: what is read where, for any set of facts."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.alliance.history import fold
from shared.alliance.mergers import Mergers, mergers, together
from shared.alliance.timeline import timeline
from shared.envelope import Envelope
from tests.support import events as an
from tests.support.events import ORGANISATION, on
from tests.support.histories import sent_again, stories

ANN, BEN, CAT, DAN = "cl_ann", "cl_ben", "cl_cat", "cl_dan"
EVERYBODY = (ANN, BEN, CAT, DAN)


def merger(client: str, into: str, at: datetime | None = None, **stated: Any) -> Envelope:
    """Return that a client was merged into another."""
    return an.a_merger(into, at, client=client, **stated)


def effects(found: Mergers) -> list[tuple[str, str, str | None]]:
    """Return each merger that stands, and why it has no effect."""
    return [(one.client, one.into, one.without) for one in found.stand]


def read(
    envelopes: Sequence[Envelope],
    client: str,
    *,
    known_at: datetime | None = None,
    valid_at: datetime | None = None,
) -> dict[str, Any]:
    """Return the timeline of what is read at a client."""
    found = mergers(envelopes, known_at=known_at, valid_at=valid_at)
    own = together(envelopes, found, client, known_at=known_at)
    return timeline(fold(ORGANISATION, client, own, known_at=known_at, valid_at=valid_at))


def sessions(shown: dict[str, Any]) -> list[str]:
    """Return which sessions a timeline shows."""
    return [one["session"] for one in shown["sessions"]]


def test_a_chain_is_read_at_its_end() -> None:
    """Merged into somebody who is merged further, a client is read at the last of them."""
    found = mergers([merger(ANN, BEN), merger(BEN, CAT, on(3)), merger(DAN, BEN)])
    assert {found.read_at(one) for one in EVERYBODY} == {CAT}
    assert found.read_together(CAT) == set(EVERYBODY)
    assert found.read_together(BEN) == frozenset()
    assert len(found.shown_at(CAT)) == 3
    assert [(one.client, one.into) for one in found.shown_at(ANN)] == [(ANN, BEN)]


def test_a_circle_has_no_effect_and_is_shown() -> None:
    """Each of a circle goes on by itself; what is merged into one of them is read there."""
    found = mergers([merger(ANN, BEN), merger(BEN, CAT), merger(CAT, ANN), merger(DAN, BEN)])
    assert [found.read_at(one) for one in EVERYBODY] == [ANN, BEN, CAT, BEN]
    assert sorted(effects(found)) == [
        (ANN, BEN, "circle"), (BEN, CAT, "circle"), (CAT, ANN, "circle"), (DAN, BEN, None)
    ]  # fmt: skip
    assert len(found.shown_at(CAT)) == 2
    alone = mergers([merger(ANN, ANN)])
    assert (effects(alone), alone.read_at(ANN)) == ([(ANN, ANN, "circle")], ANN)


def test_of_two_words_the_later_counts() -> None:
    """Merged into one and afterwards into another, a client is read at the other."""
    found = mergers([merger(ANN, CAT, on(9)), merger(ANN, BEN, on(8))])
    assert effects(found) == [(ANN, BEN, "later_word"), (ANN, CAT, None)]
    assert found.read_at(ANN) == CAT


def test_a_merger_can_be_corrected_and_taken_back() -> None:
    """Under the reference that it was sent with; under another its amendment waits."""
    said = merger(ANN, BEN)
    corrected = an.a_correction(said, into=CAT)
    back = an.a_retraction(said, at=on(30))
    assert mergers([said, corrected]).read_at(ANN) == CAT
    assert mergers([corrected, said, back]).read_at(ANN) == ANN
    assert mergers([said, back, an.a_retraction(back)]).read_at(ANN) == BEN
    elsewhere = an.a_retraction(said, client=BEN)
    found = mergers([said, elsewhere])
    assert found.read_at(ANN) == BEN
    assert [one.event for one in found.waiting[BEN]] == [elsewhere.id]
    assert read([said, elsewhere], BEN)["waiting_amendments"] == []


def test_time_travel_shows_them_apart() -> None:
    """Before the merger was known, and before it stood, each is read by itself."""
    facts = [
        an.a_session_held("s1", on(1), client=ANN),
        an.a_session_held("s2", on(2), client=BEN),
        merger(ANN, BEN, on(10), recorded_at=on(12)),
    ]
    assert sessions(read(facts, BEN)) == ["s1", "s2"]
    assert sessions(read(facts, ANN)) == []
    for when in ({"known_at": on(11)}, {"valid_at": on(9)}):
        assert sessions(read(facts, BEN, **when)) == ["s2"]
        assert sessions(read(facts, ANN, **when)) == ["s1"]


def test_the_same_id_is_one_event() -> None:
    """What was sent again under the other reference is there once: the first that was recorded."""
    first = an.a_session_held("s1", on(1), client=ANN, id="e1")
    again = an.a_session_held("s1", on(1), client=BEN, id="e1", recorded_at=on(5))
    facts = [first, again, merger(ANN, BEN)]
    shown = read(facts, BEN)
    assert [one["event"] for one in shown["sessions"]] == [first.id]
    assert shown["conflicts"] == []
    other = an.a_session_held("s9", on(1), client=BEN, id="e1", recorded_at=on(5))
    shown = read([first, other, merger(ANN, BEN)], BEN)
    assert sessions(shown) == ["s1"]
    assert [(one["event"], one["contents"]) for one in shown["conflicts"]] == [(first.id, 1)]


def test_a_version_that_ingest_wrote_in_makes_no_conflict() -> None:
    """A rating sent again after its instrument changed says what it said before."""
    first = an.a_rating(30, client=ANN, id="e1", instrument_version="1")
    again = an.a_rating(30, client=BEN, id="e1", instrument_version="2", recorded_at=on(99))
    assert read([first, again, merger(ANN, BEN)], BEN)["conflicts"] == []


def test_an_amendment_reaches_what_was_sent_under_the_other_reference() -> None:
    """Later facts name the client as they are known now; what they amend was named before."""
    held = an.a_session_held("s1", on(1), client=ANN)
    gone = an.a_retraction(held, client=BEN)
    assert sessions(read([held, gone, merger(ANN, BEN)], BEN)) == []
    assert sessions(read([held, gone], ANN)) == ["s1"]


def test_consent_holds_for_the_person() -> None:
    """Withdrawn under one reference, processing stops for both; the merger itself stands."""
    facts = [
        an.a_consent("withdrawn", on(5), client=ANN),
        an.a_session_held("s1", on(6), client=BEN),
        merger(ANN, BEN, on(10)),
    ]
    assert sessions(read(facts, BEN)) == []
    assert sessions(read(facts[:2], BEN)) == ["s1"]


often = settings(max_examples=60, deadline=None)


@often
@given(
    st.lists(stories(most=5), min_size=4, max_size=4),
    st.lists(st.tuples(*[st.sampled_from(EVERYBODY)] * 2, st.integers(0, 12)), max_size=6),
    st.lists(st.integers(0, 5), max_size=2),
    st.randoms(use_true_random=False),
)
def test_any_order_and_any_duplication_come_to_the_same(
    told: list[Any],
    pairs: list[tuple[str, str, int]],
    taken_back: list[int],
    chance: random.Random,
) -> None:
    """What is read where is a function of the set of events, whoever is merged into whom."""
    facts = [
        replace(one, event=replace(one.event, subject=client))
        for client, story in zip(EVERYBODY, told, strict=True)
        for one in story.client
    ]
    # Ids are shared between clients on purpose: the first recorded of one id is it.
    facts = [replace(one, content=f"{one.content}:{one.client}") for one in facts]
    merged = [
        merger(one, other, on(day), id=f"m{number}")
        for number, (one, other, day) in enumerate(pairs)
    ]
    facts += merged
    facts += [an.a_retraction(merged[at], id=f"r{at}") for at in taken_back if at < len(merged)]
    doubled = [*facts, *(sent_again(one, timedelta(hours=1)) for one in facts[::2])]
    chance.shuffle(doubled)
    for client in EVERYBODY:
        assert orjson.dumps(read(doubled, client)) == orjson.dumps(read(facts, client))
    assert effects(mergers(doubled)) == effects(mergers(facts))
    # Nobody is read twice, and nobody is lost.
    found = mergers(facts)
    whole = [one for client in EVERYBODY for one in sorted(found.read_together(client))]
    assert sorted(whole) == sorted(EVERYBODY)


@pytest.mark.parametrize("other", ["org_south"])
def test_organisations_never_meet(other: str) -> None:
    """A merger of another organisation's client of the same name has no effect on the fold."""
    theirs = an.a_session_held("s1", on(1), client=ANN, organisation=other)
    facts = [theirs, merger(ANN, BEN)]
    assert sessions(read(facts, BEN)) == []

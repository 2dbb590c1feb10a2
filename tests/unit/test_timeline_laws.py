"""The laws of a timeline, for any history (design.md section 3, invariants 2 and 6)."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.alliance.history import fold
from shared.alliance.timeline import timeline
from shared.envelope import Envelope
from tests.support.events import CLIENT, ORGANISATION, on
from tests.support.histories import HORIZON_DAYS, Story, sent_again, stories

often = settings(max_examples=150, deadline=None)

FAR = on(10_000)
"""After everything that any generated history holds."""


def picture(
    client: Sequence[Envelope],
    around: Sequence[Envelope],
    *,
    known_at: datetime | None = None,
    valid_at: datetime | None = None,
) -> bytes:
    """Return the bytes of a timeline, the two questions themselves left out."""
    history = fold(ORGANISATION, CLIENT, client, around, known_at=known_at, valid_at=valid_at)
    return orjson.dumps(timeline(history), option=orjson.OPT_SORT_KEYS)


def whole(story: Story) -> bytes:
    """Return the bytes of a history's timeline."""
    return picture(story.client, story.around)


@often
@given(stories(), st.randoms(use_true_random=False), st.data())
def test_any_order_and_any_duplication_give_the_same_bytes(
    story: Story, chance: random.Random, data: st.DataObject
) -> None:
    """A timeline is a function of the set of events."""

    def shuffled(envelopes: Sequence[Envelope]) -> list[Envelope]:
        doubled = list(envelopes)
        if envelopes:
            again = data.draw(st.lists(st.sampled_from(envelopes), max_size=5))
            doubled += [sent_again(one, timedelta(hours=chance.randrange(999))) for one in again]
        chance.shuffle(doubled)
        return doubled

    assert picture(shuffled(story.client), shuffled(story.around)) == whole(story)


@often
@given(stories(), st.data())
def test_when_and_how_it_arrived_shows_nowhere(story: Story, data: st.DataObject) -> None:
    """The same events sent on other days, by other ways, give the same bytes."""

    def arrived_otherwise(envelopes: Sequence[Envelope]) -> list[Envelope]:
        days = data.draw(st.lists(st.integers(0, 999), min_size=len(envelopes), max_size=99))
        return [
            replace(sent_again(one, timedelta(0)), recorded_at=on(day))
            for one, day in zip(envelopes, days, strict=False)
        ]

    again = picture(arrived_otherwise(story.client), arrived_otherwise(story.around))
    assert again == whole(story)


@often
@given(stories())
def test_known_for_ever_and_valid_for_ever_are_everything(story: Story) -> None:
    """Asking after the end of both axes is the same as asking for everything."""
    assert picture(story.client, story.around, known_at=FAR, valid_at=FAR) == whole(story)


@often
@given(stories(), st.integers(0, 31))
def test_what_is_recorded_later_changes_no_earlier_answer(story: Story, day: int) -> None:
    """What was known on a day is what was recorded by then, whatever comes after."""
    then = on(day)
    client = [one for one in story.client if one.recorded_at <= then]
    around = [one for one in story.around if one.recorded_at <= then]
    assert picture(story.client, story.around, known_at=then) == picture(client, around)


@often
@given(stories(), st.integers(0, HORIZON_DAYS))
def test_valid_at_keeps_what_stands_by_then(story: Story, day: int) -> None:
    """Amendments apply whatever their own time; what stands is then filtered by its time."""
    then = on(day)
    every = fold(ORGANISATION, CLIENT, story.client, story.around)
    by_then = fold(ORGANISATION, CLIENT, story.client, story.around, valid_at=then)
    assert by_then.facts == tuple(fact for fact in every.facts if fact.occurred_at <= then)


@often
@given(stories(), stories())
def test_organisations_and_clients_never_mix(ours: Story, theirs: Story) -> None:
    """Another organisation's facts, and another client's, change nothing."""
    foreign = [_moved(one, organisation="org_south") for one in theirs.all]
    neighbour = [_moved(one, client="cl_ben") for one in theirs.client]
    mixed = [*foreign, *neighbour, *ours.client]
    assert picture(mixed, [*foreign, *neighbour, *ours.around]) == whole(ours)


def _moved(
    envelope: Envelope, *, organisation: str = ORGANISATION, client: str | None = CLIENT
) -> Envelope:
    subject = None if envelope.client is None else client
    moved = replace(envelope.event, subject=subject)
    return replace(envelope, organisation=organisation, event=moved)


OTHERWISE = {
    ORGANISATION: "org_0west",
    CLIENT: "cl_zoe",
    "th_tom": "th_zac",
    "th_eve": "th_bob",
    "th_ada": "th_yan",
    "th_new": "th_0new",
}
"""Opaque ids as another run would have drawn them: in another order."""


@often
@given(stories())
def test_opaque_ids_decide_nothing(story: Story) -> None:
    """Two runs that drew other opaque ids give the same timeline, the ids mapped back."""
    renamed = {one.id: _renamed(one) for one in story.all}
    client = [renamed[one.id] for one in story.client]
    around = [renamed[one.id] for one in story.around]
    history = fold(OTHERWISE[ORGANISATION], OTHERWISE[CLIENT], client, around)
    shown = orjson.dumps(timeline(history), option=orjson.OPT_SORT_KEYS).decode()
    for ours, theirs in OTHERWISE.items():
        shown = shown.replace(theirs, ours)
    for ours, envelope in renamed.items():
        shown = shown.replace(envelope.id, ours)
    assert shown.encode() == whole(story)


def _renamed(envelope: Envelope) -> Envelope:
    text = orjson.dumps(dict(envelope.event.data)).decode()
    for ours, theirs in OTHERWISE.items():
        text = text.replace(ours, theirs)
    moved = _moved(envelope, organisation=OTHERWISE[ORGANISATION], client=OTHERWISE[CLIENT])
    return replace(moved, event=replace(moved.event, data=orjson.loads(text)))


@often
@given(stories())
def test_every_fact_that_stands_is_listed(story: Story) -> None:
    """No fact that stands is missing from the timeline, and every one is in one place only."""
    history = fold(ORGANISATION, CLIENT, story.client, story.around)
    shown = orjson.dumps(timeline(history)).decode()
    assert [fact for fact in history.facts if fact.event not in shown] == []
    refs = [
        (kind, one.ref)
        for phase in history.phases
        for kind, things in (
            ("session", phase.sessions),
            ("boundary_event", phase.boundary_events),
            ("rupture", phase.ruptures),
        )
        for one in things
    ]
    assert len(refs) == len(set(refs))


@often
@given(stories())
def test_phases_hold_their_facts_in_order(story: Story) -> None:
    """Facts and ratings of a phase are in fold order, and a closed phase has what closed it."""
    history = fold(ORGANISATION, CLIENT, story.client, story.around)
    place = {fact.event: number for number, fact in enumerate(history.facts)}
    for phase in history.phases:
        numbers = [place[fact.event] for fact in phase.facts]
        assert numbers == sorted(set(numbers))
        assert [place[one.fact.event] for one in phase.ratings] == sorted(
            place[one.fact.event] for one in phase.ratings
        )
        assert (phase.closed_by is None) == (phase.closed_at is None)
        assert phase.closed_by is None or phase.closed_by in phase.facts

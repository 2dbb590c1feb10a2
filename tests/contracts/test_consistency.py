"""The contract of the family ``consistency``, on every measure: pure, named, counted by fact."""

import random
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import shared.alliance.consistency as family
from shared.alliance.consistency import MEASURES
from shared.alliance.consistency.measure import Measure
from shared.alliance.history import Phase, fold
from shared.clock import parse_time
from shared.rule_settings import DEFAULTS
from tests.support.events import CLIENT, ORGANISATION, on
from tests.support.histories import Story, stories
from tests.support.phases import a_life, phases_of

PLUMBING = {"__init__", "left_out", "measure", "said"}
LIVES = range(40)

each = pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.name)


def shown(measure: Measure, phase: Phase) -> dict[str, Any]:
    """Return a figure up to the last fact of its phase."""
    return measure.as_json(measure.of(phase, phase.facts[-1].occurred_at))


def test_every_file_is_a_measure_in_the_visible_tuple() -> None:
    """A measure is one file, named like it, and one line in ``MEASURES``."""
    folder = Path(family.__path__[0])
    assert {path.stem for path in folder.glob("*.py")} - PLUMBING == {
        measure.name for measure in MEASURES
    }
    assert len({measure.name for measure in MEASURES}) == len(MEASURES)


@each
def test_it_can_be_explained(measure: Measure) -> None:
    """Its definition, unit and threshold can be read, and its threshold says whose it is."""
    assert measure.title
    assert measure.unit
    assert len(measure.definition) > 20
    assert "{" not in measure.limit.format(**measure.defaults)
    assert not measure.limit or "own" in measure.source


@each
def test_it_names_what_it_stands_on(measure: Measure) -> None:
    """Every event it names is a fact of the client's; what is not analysable has no value."""
    for seed in LIVES:
        for phase in phases_of(a_life(seed)):
            facts = {fact.event for fact in (*phase.facts, *phase.care.facts)}
            one = shown(measure, phase)
            assert facts.issuperset([*one["events"], *one["among"]])
            if one["not_analysable_because"] is not None:
                assert (one["value"], one["met"], one["events"]) == (None, None, [])
            else:
                assert one["value"] is not None
            if one["numerator"] is not None and measure.name != "session_gap":
                assert 0 <= one["numerator"] <= one["denominator"]
            if one["met"] is not None:
                assert one["events"]
            assert all(entry["n"] > 0 for entry in one["not_counted"])
            if one["due_at"] is not None:
                parse_time(one["due_at"])
            assert orjson.dumps(one)
            assert one["words"].endswith(".")
            assert not phase.therapist or phase.therapist not in one["words"]


@each
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), chance=st.randoms(use_true_random=False))
def test_order_of_arrival_decides_nothing(
    measure: Measure, seed: int, chance: random.Random
) -> None:
    """The same facts in another order give the same figure."""
    life = a_life(seed)
    mixed = list(life)
    chance.shuffle(mixed)
    before = [shown(measure, phase) for phase in phases_of(life)]
    assert [shown(measure, phase) for phase in phases_of(mixed)] == before


@settings(max_examples=60, deadline=None)
@given(story=stories())
def test_any_history_has_figures(story: Story) -> None:
    """Contradictions, corrections and retractions never stop a figure from being given."""
    history = fold(ORGANISATION, CLIENT, story.client, story.around)
    for phase in history.phases:
        given_ = family.consistency(phase, on(40))
        assert list(given_) == [measure.name for measure in MEASURES]


@each
def test_it_says_the_settings_that_it_used(measure: Measure) -> None:
    """Settings given are settings used: the figure says them beside itself."""
    phase = phases_of(a_life(3))[0]
    for name in measure.defaults:
        chosen = {name: 3}
        one = measure.as_json(measure.of(phase, on(100), chosen), chosen)
        assert one["threshold"][name] == 3


@each
def test_its_rule_has_the_same_settings(measure: Measure) -> None:
    """What is set of a rule means the same on the timeline: names and defaults agree."""
    if not measure.rule:
        return
    theirs = DEFAULTS[measure.rule]
    shared = measure.defaults.keys() & theirs.keys()
    assert shared or not measure.defaults
    assert {name: theirs[name] for name in shared} == {
        name: measure.defaults[name] for name in shared
    }

"""What every rule must keep; runs on each line of RULES without being asked."""

import random
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise, product
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import services.alerts.rules as family
from services.alerts.bootstrap import EVERY_RULE
from services.alerts.episodes import RANK
from services.alerts.playing import played
from services.alerts.rule import Audience, Episode, Family, Rule, Urgency, Verdict
from services.alerts.rules import COMBINED_RULES, RULES
from shared import ids
from shared.alliance.history import Phase
from shared.clock import format_time
from shared.envelope import Envelope
from shared.events import EVENT_TYPES, validate
from tests.support import events as an
from tests.support.events import on
from tests.support.histories import Story, stories
from tests.support.phases import FAR, a_life, phases_of

SENDS = {
    "sessions", "ratings", "boundary", "goals", "plan", "supervision", "contacts", "leave",
}  # fmt: skip
OPAQUE = re.compile(r"\b(cl|th|pe|src|org|be)_[0-9a-z]+|[0-9a-f]{8}-[0-9a-f]{4}-|evt|urn:")
SEEDS = range(12)
MOMENTS = st.integers(0, 260).map(on)


EACH = pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])

OF_PHASES: tuple[Rule, ...] = (*RULES, *COMBINED_RULES)
"""Those that judge phases, some of them from the episodes of the others."""

EACH_OF_PHASES = pytest.mark.parametrize("rule", OF_PHASES, ids=[rule.name for rule in OF_PHASES])


def judged(rule: Rule, phase: Phase, until: datetime) -> Verdict:
    """Return what a rule says of a phase, by its defaults; a combined one from its parts."""
    combined = next((one for one in COMBINED_RULES if one is rule), None)
    if combined is None:
        return rule.judge(phase, rule.defaults, until)
    parts = {
        one.name: one.judge(phase, one.defaults, until).episodes
        for one in RULES
        if one.name in combined.parts
    }
    return combined.combine(phase, parts, rule.defaults, until)


@cache
def made_up(seed: int) -> tuple[Phase, ...]:
    """Return the phases of a made-up course of care, folded once for all rules."""
    return phases_of(a_life(seed))


def every_verdict(rule: Rule) -> Iterator[tuple[Phase, tuple[Episode, ...]]]:
    """Yield what a rule finds in the phases of the made-up courses of care."""
    for seed in SEEDS:
        for phase in made_up(seed):
            yield phase, judged(rule, phase, FAR).episodes


def every_episode(rule: Rule) -> Iterator[tuple[Phase, Episode]]:
    """Yield each episode with its phase."""
    return ((phase, episode) for phase, found in every_verdict(rule) for episode in found)


def without_known_at(episode: Episode) -> Episode:
    """Return an episode as it is whenever it became known."""
    steps = tuple(
        replace(
            step,
            known_at=on(0),
            evidence=tuple(replace(f, known_at=on(0), recorded_at=on(0)) for f in step.evidence),
        )
        for step in episode.steps
    )
    return replace(episode, known_at=on(0), steps=steps)


@EACH
def test_every_file_is_in_the_tuple(rule: Rule) -> None:
    """Each rule lies in the file of its name; every file but the feed's is a line of RULES."""
    files = {path.stem for path in Path(family.__path__[0]).glob("*.py")} - {"__init__"}
    named = {one.name.replace("-", "_") for one in RULES}
    assert rule.name.replace("-", "_") == type(rule).__module__.rpartition(".")[2]
    assert named <= files
    assert files - named <= {
        "source_silent",
        "dropout_risk",
        "caseload_interrupted",
        "supervision_overdue",
        "boundary_pattern_therapist",
    }
    assert len(named) == len(RULES)


@EACH
def test_it_says_what_it_is(rule: Rule) -> None:
    """Name, needs, what it reads, whom it tells and what it suggests are words that exist."""
    assert (rule.__doc__ or "").split("\n")[0].endswith(".")
    assert rule.version >= 1
    assert rule.family in get_args(Family)
    assert rule.needs <= SENDS
    assert rule.reads <= set(EVENT_TYPES)
    assert rule.tell
    for urgency, told in rule.tell.items():
        assert urgency in get_args(Urgency)
        assert set(told) <= set(get_args(Audience))
    assert len(rule.next_steps) >= 2
    assert all(step.endswith((".", "?")) for step in rule.next_steps)
    assert orjson.dumps(dict(rule.defaults))
    assert rule.always_news == (rule.family == "boundary" or rule.name == "risk-item")


@pytest.mark.parametrize("rule", EVERY_RULE, ids=[rule.name for rule in EVERY_RULE])
def test_its_example_speaks(rule: Rule) -> None:
    """The example holds events that senders may send, which this rule reads, and is told of."""
    for told in rule.example:
        assert told.words
        for type_name, _, data in told.events:
            common = {"clinic": "example", "therapist": "th"}
            if type_name in EVENT_TYPES and not type_name.startswith("feed."):
                assert validate(type_name, {**common, **data}) == []
            assert type_name in rule.reads
    lines = played(rule)
    assert [line.at for line in lines] == sorted(line.at for line in lines)
    spoken = {line.urgency for line in lines if line.urgency is not None}
    assert spoken <= set(rule.tell)
    assert spoken & {"attention", "urgent"}


@EACH
def test_an_empty_phase_has_no_episode(rule: Rule) -> None:
    """Where nothing happened, nothing is said and no deadline waits."""
    for phase in phases_of([an.a_care_event("started", on(0))]):
        verdict = rule.judge(phase, rule.defaults, FAR)
        assert (verdict.episodes, verdict.due_at) == ((), None)


@EACH_OF_PHASES
def test_it_finds_something_in_made_up_lives(rule: Rule) -> None:
    """The made-up courses of care are rich enough for the tests below to mean something."""
    found = list(every_episode(rule))
    assert len(found) >= 3
    assert any(episode.cleared_at for _, episode in found)


@EACH_OF_PHASES
def test_episodes_are_well_made(rule: Rule) -> None:
    """Evidence is never empty, urgency never falls, keys differ, episodes follow each other."""
    for phase, episodes in every_verdict(rule):
        for earlier, later in pairwise(episodes):
            assert earlier.cleared_at is not None
            assert earlier.cleared_at <= later.effective_at
        for episode in episodes:
            place = (phase.organisation, phase.client, phase.care.ref, phase.therapist)
            moment = format_time(episode.effective_at)
            assert episode.id == ids.derived_id("episode", *place, rule.name, moment)
            assert episode.rule == rule.name
            assert episode.effective_at == episode.steps[0].effective_at
            assert episode.known_at == episode.steps[0].known_at
            assert episode.cleared_at is None or episode.cleared_at >= episode.effective_at
            _steps_are_well_made(rule, phase, episode)


def _steps_are_well_made(rule: Rule, phase: Phase, episode: Episode) -> None:
    facts = {fact.event for fact in (*phase.facts, *phase.care.facts, *phase.clinic.facts)}
    facts |= {span.fact.event for span in phase.away}
    steps = episode.steps
    assert len({step.key for step in steps}) == len(steps)
    for step in steps:
        assert step.evidence
        assert {fact.event for fact in step.evidence} <= facts
        assert step.known_at >= max(fact.known_at for fact in step.evidence)
        assert step.urgency in rule.tell
        assert step.key.partition(":")[0] in RANK
    for one, other in pairwise(steps):
        assert RANK[one.urgency] <= RANK[other.urgency]
        assert one.effective_at <= other.effective_at
        assert one.known_at <= other.known_at


@EACH_OF_PHASES
def test_texts_name_nobody_and_hold_numbers(rule: Rule) -> None:
    """Titles, explanations and figures hold no id and no name; an explanation has its numbers."""
    for phase, episode in every_episode(rule):
        refs = {session.ref for session in phase.sessions}
        refs |= {event.ref for event in phase.boundary_events}
        for step in episode.steps:
            text = " ".join((episode.title, step.explanation, str(orjson.dumps(step.numbers))))
            assert not OPAQUE.search(text)
            assert not refs & set(re.findall(r"[\w.-]+", text))
            assert "concern" not in text
            assert step.numbers
            assert step.explanation.endswith(".")
            assert all(count > 0 for count in step.not_counted.values())
            assert not re.search(r"\b(fault|fail|blame|lapse|should)", text)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10_000), until=MOMENTS)
def test_it_is_a_function_of_the_set(seed: int, until: datetime) -> None:
    """Shuffled, sent twice and recorded late, the same facts give the same episodes."""
    life = a_life(seed)
    chance = random.Random(seed)
    other = [*life, *chance.sample(life, len(life) // 3)]
    other = [replace(one, recorded_at=one.recorded_at + timedelta(hours=chance.randrange(99)))
             for one in other]  # fmt: skip
    chance.shuffle(other)
    phases = zip(phases_of(life), phases_of(other), strict=True)
    for (one, two), rule in product(phases, OF_PHASES):
        first, second = judged(rule, one, until), judged(rule, two, until)
        assert [*map(without_known_at, first.episodes)] == [
            *map(without_known_at, second.episodes)
        ]
        assert first.due_at == second.due_at


@settings(deadline=None, max_examples=100)
@given(story=stories(most=25), until=MOMENTS)
def test_it_bears_contradictions(story: Story, until: datetime) -> None:
    """Ties, contradictions and amendments never stop a rule, and judging twice is the same."""
    for phase, rule in product(phases_of(story.all), OF_PHASES):
        verdict = judged(rule, phase, until)
        assert verdict == judged(rule, phase, until)
        assert verdict.due_at is None or verdict.due_at > until
        for episode in verdict.episodes:
            due = [step.effective_at for step in episode.steps if step.deadline]
            assert all(moment <= until for moment in due)


@settings(deadline=None, max_examples=100)
@given(seed=st.integers(0, 10_000), until=MOMENTS, later=st.integers(0, 30))
def test_time_only_adds(seed: int, until: datetime, later: int) -> None:
    """A later horizon keeps what was found, and changes nothing before ``due_at``.

    Of what has happened by then: a fact that is there counts at once, whatever deadlines wait.
    """
    phases = phases_of(one for one in a_life(seed) if one.event.time <= until)
    for phase, rule in product(phases, RULES):
        verdict = rule.judge(phase, rule.defaults, until)
        assert verdict.due_at is None or verdict.due_at > until
        after = rule.judge(phase, rule.defaults, until + timedelta(days=later))
        _continues(verdict.episodes, after.episodes)
        if verdict.due_at is not None:
            instant = timedelta(microseconds=1)
            before = rule.judge(phase, rule.defaults, verdict.due_at - instant)
            assert before.episodes == verdict.episodes
            assert before.due_at == verdict.due_at
        else:
            assert rule.judge(phase, rule.defaults, FAR).episodes == verdict.episodes


def _continues(earlier: tuple[Episode, ...], later: tuple[Episode, ...]) -> None:
    assert [one.id for one in earlier] == [one.id for one in later[: len(earlier)]]
    for one, other in zip(earlier, later, strict=False):
        assert one.steps == other.steps[: len(one.steps)]
        assert one.cleared_at in (None, other.cleared_at)


@EACH
def test_settings_are_heard(rule: Rule) -> None:
    """A partial setting is filled in from the defaults, and the defaults alone change nothing."""
    partial: dict[str, Any] = dict(list(rule.defaults.items())[:1])
    for phase in made_up(3):
        verdict = rule.judge(phase, rule.defaults, FAR)
        assert rule.judge(phase, partial, FAR) == verdict
        assert rule.judge(phase, {}, FAR) == verdict


@EACH
def test_what_it_does_not_read_changes_nothing(rule: Rule) -> None:
    """Facts of types that a rule does not read leave the episodes of an open phase as they are."""
    for seed in SEEDS:
        life = [one for one in a_life(seed) if one.event.type != "care.ended"]
        read = [one for one in life if _read(rule, one)]
        opener = [an.a_care_event("started", on(-2), agreed_interval_days=7)]
        whole, part = phases_of([*life, *opener]), phases_of([*read, *opener])
        for one, other in zip(whole, part, strict=False):
            if one.therapist and one.opened_at == other.opened_at:
                assert (
                    rule.judge(one, rule.defaults, FAR).episodes
                    == rule.judge(other, rule.defaults, FAR).episodes
                )


def _read(rule: Rule, envelope: Envelope) -> bool:
    """Return whether a rule reads it; what opens and closes phases is the fold's to read."""
    return envelope.event.type in rule.reads or envelope.event.type.startswith("care.")

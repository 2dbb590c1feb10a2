"""What every instrument must keep; runs on each data file on disk without being asked."""

import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from shared.alliance.scoring import check, score
from shared.instrument import (
    INSTRUMENTS,
    Cutoff,
    Instrument,
    Mark,
    ReliableChange,
    latest,
    load,
)
from tests.support.ratings import answers, many

FILES = sorted(
    path.name for path in files("shared.instruments").iterdir() if path.name.endswith(".toml")
)
GOLDEN = Path(__file__).parent / "golden" / "instruments.json"


@pytest.fixture(params=FILES)
def name(request: pytest.FixtureRequest) -> str:
    """Name each file on disk in turn."""
    text: str = request.param
    return text


@pytest.fixture
def instrument(name: str) -> Instrument:
    """Load it."""
    return load(name, files("shared.instruments").joinpath(name).read_text("utf-8"))


def test_it_is_in_the_library(instrument: Instrument) -> None:
    """Every file on disk is an instrument of the library, and its newest version is known.

    A variant is never the newest: ratings that name no version keep the way they are scored.
    """
    assert INSTRUMENTS[instrument.key, instrument.version] == instrument
    newest = latest(instrument.key)
    assert newest is not None
    assert not newest.variant
    assert instrument.variant or int(newest.version) >= int(instrument.version)


def test_published_scores_never_change(name: str, instrument: Instrument) -> None:
    """A published file scores what it scored when it was published; a mistake is a new version.

    For a new file: add the hash that the failure shows to ``golden/instruments.json``.
    """
    golden = json.loads(GOLDEN.read_text("utf-8"))
    assert {name: golden.get(name)} == {name: _hash_of_scores(instrument)}


def test_no_published_file_is_gone() -> None:
    """A file that was published stays: stored ratings carry its version."""
    assert set(json.loads(GOLDEN.read_text("utf-8"))) <= set(FILES)


def test_best_and_worst_answers_are_the_ends(instrument: Instrument) -> None:
    """The best answers give 100 percent, the worst 0, and both lie on the ends of the range.

    Of a descriptive scale no end is better: it has no percent.
    """
    for best in (True, False):
        data = _ends(instrument, best=best)
        found = score(instrument, data).scales
        assert {name: scale.percent for name, scale in found.items()} == {
            scale.name: None if scale.direction == "descriptive" else 100.0 if best else 0.0
            for scale in instrument.scales
        }
        assert list(found) == [scale.name for scale in instrument.scales]
        assert check(instrument, data) == []


def test_scores_stay_in_range(instrument: Instrument) -> None:
    """Whatever was answered, a score lies in its range and its percent between 0 and 100."""
    for data in many(instrument):
        for name, found in score(instrument, data).scales.items():
            scale = instrument.scale(name)
            assert scale is not None
            assert scale.minimum <= found.value <= scale.maximum
            assert found.percent is None or 0 <= found.percent <= 100


def test_its_own_scores_agree_with_its_answers(instrument: Instrument) -> None:
    """A sender that computes as we do is never told that its scores disagree."""
    for data in many(instrument):
        found = score(instrument, data).scales
        sent = {"scales": {name: scale.value for name, scale in found.items()}}
        if "scales" in instrument.accepts and found and "items" in data:
            assert check(instrument, {**data, **sent, "scored_as": instrument.forms[0]}) == []


def test_another_total_disagrees(instrument: Instrument) -> None:
    """A total that the complete answers do not give is a fault at the total."""
    if "total" not in instrument.accepts:
        assert [f.code for f in check(instrument, {"total": 1})] == ["not_accepted"]
        return
    data = answers(instrument, instrument.items["1"].minimum)
    if "items" not in instrument.accepts:
        data = {"scales": {scale.name: scale.minimum for scale in instrument.scales[1:]}}
    total = score(instrument, data).scales[instrument.leading.name].value
    wrong = total + 1 if total < instrument.leading.maximum else total - 1
    faults = check(instrument, {**data, "total": wrong, "scored_as": instrument.forms[0]})
    assert [(fault.pointer, fault.code) for fault in faults] == [("/total", "disagree")]


def test_unknown_and_impossible_answers_are_named(instrument: Instrument) -> None:
    """An unknown item, an answer out of range or off the step is named with its pointer."""
    last = instrument.items[str(len(instrument.items))]
    cases: dict[str, tuple[dict[str, float], str]] = {
        "/items/no~1such": ({"no/such": 1}, "unknown_item"),
        f"/items/{last.number}": ({last.number: last.maximum + last.step}, "out_of_range"),
        "/items/1": ({"1": last.minimum + last.step / 2}, "not_a_step"),
    }
    for pointer, (items, code) in cases.items():
        faults = check(instrument, {"items": items})
        unwanted = [] if "items" in instrument.accepts else [("/items", "not_accepted")]
        assert [(fault.pointer, fault.code) for fault in faults] == [*unwanted, (pointer, code)]
    assert check(instrument, {"items": {"?": 1}})[-1].allowed == tuple(instrument.items)


def test_nothing_answered_is_no_survey(instrument: Instrument) -> None:
    """A form of nulls, or no form at all, is no survey and never 0."""
    forms: list[dict[str, Any]] = [{"items": dict.fromkeys(instrument.items)}, {}, {"items": {}}]
    for data in forms:
        found = score(instrument, data)
        assert (dict(found.scales), found.unscored_because) == ({}, "no_survey")
        assert found.risk_items == ("not_seen" if instrument.risk_items else None)


def test_every_number_says_where_it_comes_from(instrument: Instrument) -> None:
    """Each part, cut-off and reliable change has a source; what was not read is not verified."""
    marks: list[Mark | Cutoff | ReliableChange] = [
        *instrument.marks,
        *(cutoff for scale in instrument.scales for cutoff in scale.cutoffs),
        *(scale.reliable_change for scale in instrument.scales if scale.reliable_change),
    ]
    assert {"items", "scales", "missing"} <= {mark.about for mark in instrument.marks}
    for mark in marks:
        assert mark.source
        assert not (mark.verified and "general knowledge" in mark.source.lower())


def test_item_texts_are_shipped_only_where_they_are_ours(instrument: Instrument) -> None:
    """Licensed questionnaires are stored as scores; only our own items have texts."""
    shipped = {bool(item.text) for item in instrument.items.values()}
    assert shipped == {"Ours" in instrument.licence}


def _ends(instrument: Instrument, *, best: bool) -> dict[str, Any]:
    """Return the best or worst rating there is, as answers where the instrument takes them."""
    if "items" not in instrument.accepts:
        ends = {
            scale.name: scale.minimum if best == (scale.direction == "lower") else scale.maximum
            for scale in instrument.scales
        }
        return {"scales": ends, "scored_as": instrument.forms[0]}
    if len({scale.direction for scale in instrument.scales}) > 1:
        pytest.fail("answers to scales of several directions need a test of their own")
    higher = instrument.leading.direction == "higher"
    items = {
        item.number: item.maximum if (best == higher) != item.reversed else item.minimum
        for item in instrument.items.values()
    }
    return {"items": items}


def _hash_of_scores(instrument: Instrument) -> str:
    found = [
        [
            {name: [scale.value, scale.percent] for name, scale in result.scales.items()},
            result.unscored_because,
            dict(sorted(result.risk.items())),
            result.risk_items,
        ]
        for result in (score(instrument, data) for data in many(instrument))
    ]
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()[:32]

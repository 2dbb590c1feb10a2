"""A data file is read strictly: every mistake is named, all of them at once."""

from importlib.resources import files

import pytest

from shared.errors import ConfigurationError
from shared.instrument import INSTRUMENTS, latest, load

NAME = "core-10.v1.toml"
GOOD = files("shared.instruments").joinpath(NAME).read_text("utf-8")


def problems(text: str, name: str = NAME) -> str:
    """Return what loading complains about."""
    with pytest.raises(ConfigurationError) as raised:
        load(name, text)
    return "\n".join(raised.value.problems)


@pytest.mark.parametrize(
    ("said", "instead", "complaint"),
    [
        ("count = 10", "count = 10\ncolour = 1", "items.colour: Unknown field"),
        ("count = 10", "count = true", "items.count"),
        ("count = 10", 'count = "10"', "items.count"),
        ("reversed = [2, 3]", "reversed = [2, 11]", "there is no item 11"),
        ('risk = { 6 = "self" }', 'risk = { 3 = "self" }', "a reversed item cannot be one"),
        ("range = [0, 40]", "range = [0, 45]", "range is not what its items allow"),
        ("max_missing = 1", "max_missing = 10", "max_missing leaves nothing to score"),
        ("max_missing = 1", "", "max_missing: Missing data"),
        ("low = 11, high = 14", "low = 10, high = 14", "bands overlap"),
        ("low = 0, high = 10", "low = 1, high = 10", "bands do not cover the range"),
        ("value = 11\n", "value = 41\n", "a cut-off lies outside the range"),
        ("value = 6\n", "sd = 6\n", "reliable_change needs its value, or sd"),
        ('about = "reversed"', 'about = "missing"', "nothing says where reversed comes from"),
        ('direction = "lower"', 'direction = "up"', "direction: Must be one of"),
        ('version = "1"', 'version = "2"', "key and version differ"),
        ("total = [", "sum = [", "facets: there is no scale sum"),
        ("[items]", "[items", "not TOML"),
    ],
)
def test_a_mistake_is_named(said: str, instead: str, complaint: str) -> None:
    """Each mistake in a data file stops the load with a sentence that names it."""
    assert said in GOOD
    assert complaint in problems(GOOD.replace(said, instead, 1))


def test_all_mistakes_are_named_at_once() -> None:
    """Two mistakes make two problems, each with the file's name."""
    bad = GOOD.replace("range = [0, 40]", "range = [0, 45]").replace("[2, 3]", "[2, 33]")
    lines = problems(bad).splitlines()
    assert len(lines) >= 2
    assert all(line.startswith(NAME) for line in lines)


def test_reliable_change_is_computed_from_sd_and_reliability() -> None:
    """RC = 1.96 · √2 · SD · √(1−r), or 1.645 for 90 percent (Jacobson and Truax 1991)."""
    said = "value = 6\nconfidence = 0.9\n"
    # Their worked example: SD 7.5, r = .88, S_diff = 3.67.
    computed = 'sd = 7.5\nreliability = 0.88\nkind = "retest"\nconfidence = 0.95\n'
    scale = load(NAME, GOOD.replace(said, computed)).leading
    assert scale.reliable_change is not None
    assert scale.reliable_change.computed
    assert scale.reliable_change.value == pytest.approx(1.96 * 3.674, abs=0.001)
    assert scale.sem == pytest.approx(7.5 * 0.12**0.5)
    assert scale.sd == 7.5


def test_the_newest_version_is_the_latest() -> None:
    """``latest`` answers with the highest version, or None for a key that there is not."""
    assert latest("phq-9") == INSTRUMENTS["phq-9", "1"]
    assert latest("no-such") is None
    assert set(INSTRUMENTS) == {(i.key, i.version) for i in INSTRUMENTS.values()}

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
        ('meets = "at', 'rater = "teacher"\nmeets = "at', "a rater who does not fill it in"),
        ('meets = "at', 'rater = "nurse"\nmeets = "at', "rater: Must be one of"),
        ('construct = "outcome"', 'construct = "mood"', "construct: Must be one of"),
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
    assert (scale.sd, scale.reliable_change.reliability) == (7.5, 0.88)
    assert scale.reliable_change.kind == "retest"


def test_the_newest_version_is_the_latest() -> None:
    """``latest`` answers with the highest version, or None for a key that there is not."""
    assert latest("phq-9") == INSTRUMENTS["phq-9", "1"]
    assert latest("no-such") is None
    assert set(INSTRUMENTS) == {(i.key, i.version) for i in INSTRUMENTS.values()}


def seq_5() -> str:
    """Return the file of an instrument whose map of items is not ours to ship."""
    return files("shared.instruments").joinpath("seq-5.v1.toml").read_text("utf-8")


@pytest.mark.parametrize(
    ("said", "instead", "complaint"),
    [
        ("size = 5", "size = 22", "is larger than the instrument"),
        ("size = 5", "size = 5\nitems = [1, 2]", "give items, or size"),
        ("size = 5\n", "", "give items, or size"),
        ('accepts = ["scales"]', 'accepts = ["items", "scales"]', "do not accept items"),
        ("max_missing = 0", "max_missing = 5", "max_missing leaves nothing to score"),
    ],
)
def test_a_scale_may_have_a_size_instead_of_items(said: str, instead: str, complaint: str) -> None:
    """Where the map is its authors', a size stands in for it, and answers are not accepted."""
    assert load("seq-5.v1.toml", seq_5()).leading.size == 5
    assert complaint in problems(seq_5().replace(said, instead, 1), "seq-5.v1.toml")


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ("size = 6", "size = 5"),
        ('"commitment", "working_capacity"', '"working_capacity"'),
        ('"commitment", "working_capacity"', '"commitment", "no_such"'),
        ("size = 6", "size = 6\nmultiplier = 2"),
    ],
)
def test_the_parts_of_a_mean_are_alike(said: str, instead: str) -> None:
    """A mean of means needs all of its parts, of one length, computed as it is."""
    name = "calpas-p.v1.toml"
    good = files("shared.instruments").joinpath(name).read_text("utf-8")
    assert said in good
    assert "parts do not add up to its items" in problems(good.replace(said, instead, 1), name)


def test_parts_of_a_mean_may_not_differ_in_length() -> None:
    """The mean of scales of 5 and 7 items is not the mean of the 12 answers."""
    name = "calpas-p.v1.toml"
    good = files("shared.instruments").joinpath(name).read_text("utf-8")
    uneven = good.replace("size = 6", "size = 5", 1)
    last = uneven.rindex("size = 6")
    uneven = f"{uneven[:last]}size = 7{uneven[last + len('size = 6') :]}"
    assert "parts do not add up to its items" in problems(uneven, name)


def test_only_whole_answers_are_rounded() -> None:
    """What stands in for a missing answer is rounded to a whole one only where all are whole."""
    name = "oq-45.v1.toml"
    good = files("shared.instruments").joinpath(name).read_text("utf-8")
    assert "rounds_missing makes whole answers" in problems(
        good.replace("step = 1\n", "step = 0.5\n"), name
    )

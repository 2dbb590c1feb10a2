"""Reliable change and its variants, held to the worked example of 1991 and to plain algebra."""

import math
from statistics import NormalDist, fmean

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.change.reliable import (
    METHODS,
    Noise,
    Population,
    Sample,
    category,
    cutoff,
    describe,
    jacobson_truax,
    reliable_change,
    standard_error,
    z_of,
)

SCORES = st.floats(0, 60).map(lambda score: round(score, 1))
PAIRS = st.lists(st.tuples(SCORES, SCORES), min_size=3, max_size=30)
RELIABILITY = st.floats(0.05, 0.99)


def noise(pairs: list[tuple[float, float]], reliability: float) -> Noise:
    """Return the noise of a sample whose scores vary on both occasions."""
    sample = describe(pairs)
    assume(sample is not None and sample.pre.sd > 0.01 and sample.post.sd > 0.01)
    assert sample is not None
    return Noise(sample, reliability, reliability)


def test_the_worked_example_of_1991() -> None:
    """Jacobson and Truax: SE 3.35, S_diff 4.74, RC 3.16; cut-offs a 55, b 45, c 50."""
    clinical, functional = Population(40, 7.5), Population(60, 7.5)
    sample = Sample(clinical, clinical, None, 30)
    assert standard_error(7.5, 0.8) == pytest.approx(3.35, abs=0.005)
    assert reliable_change(7.5, 0.8, z=1) == pytest.approx(4.74, abs=0.005)
    index = jacobson_truax(32.5, 47.5, Noise(sample, 0.8, 0.8))
    assert index == pytest.approx(3.16, abs=0.005)
    for kind, line in (("a", 55), ("b", 45), ("c", 50)):
        assert cutoff(kind, "higher", clinical, functional) == pytest.approx(line)  # type: ignore[arg-type]
    assert cutoff("a", "lower", clinical) == pytest.approx(25)
    assert cutoff("b", "lower", None, functional) == pytest.approx(75)


def test_cutoff_c_lies_nearer_to_the_narrower_population() -> None:
    """The point that lies equally many SDs from both means (published: 21.6)."""
    clinical, functional = Population(35.48, 8.16), Population(8, 8)
    line = cutoff("c", "lower", clinical, functional)
    assert (35.48 - line) / 8.16 == pytest.approx((line - 8) / 8)
    assert line == pytest.approx(21.6, abs=0.05)


def test_a_cutoff_says_which_population_it_lacks() -> None:
    """Nothing is made up for a population that was not given."""
    with pytest.raises(ValueError, match="both populations"):
        cutoff("c", "lower", Population(30, 5))
    with pytest.raises(ValueError, match="functional"):
        cutoff("b", "lower", Population(30, 5))


def test_published_quantiles() -> None:
    """0.95 and 0.90 are the papers' rounded figures, anything else is exact."""
    assert (z_of(0.95), z_of(0.90)) == (1.96, 1.645)
    assert z_of(0.8) == NormalDist().inv_cdf(0.9)


@given(PAIRS)
def test_a_sample_is_described_as_numpy_does(pairs: list[tuple[float, float]]) -> None:
    """Means, SDs with n − 1, and Pearson's correlation."""
    sample = noise(pairs, 0.8).sample
    before, after = np.array(pairs).T
    assert sample.pre.mean == pytest.approx(before.mean())
    assert sample.pre.sd == pytest.approx(before.std(ddof=1))
    assert sample.post.sd == pytest.approx(after.std(ddof=1))
    assert sample.correlation == pytest.approx(np.corrcoef(before, after)[0, 1], abs=1e-6)


@given(PAIRS, RELIABILITY)
def test_the_variants_are_their_formulas(
    pairs: list[tuple[float, float]], reliability: float
) -> None:
    """Each index as Claus et al. print it, written out once more with numpy."""
    known = noise(pairs, reliability)
    before, after = np.array(pairs).T
    m, s, r = before.mean(), before.std(ddof=1), reliability
    se, prediction = s * np.sqrt(1 - r), s * np.sqrt(1 - r**2)
    expected = {
        "jacobson-truax": (after - before) / np.sqrt(2 * se**2),
        "edwards-nunnally": (after - (r * (before - m) + m)) / se,
        "gulliksen-lord-novick": ((after - m) - r * (before - m)) / prediction,
        "hsu-linn-lord": ((after - after.mean()) - r * (before - m)) / prediction,
        "nunnally-kotsch": (after - (r * (before - m) + m))
        / np.sqrt(r**2 * s**2 * (1 - r) + s**2 * (1 - r)),
    }
    for name, wanted in expected.items():
        found = [METHODS[name].index(pre, post, known) for pre, post in pairs]
        assert found == pytest.approx(list(wanted), abs=1e-6)


@given(PAIRS, RELIABILITY)
def test_hageman_and_arrindell(pairs: list[tuple[float, float]], reliability: float) -> None:
    """The index pulls each change towards the mean change by the reliability of differences."""
    known = noise(pairs, reliability)
    before, after = np.array(pairs).T
    s1, s2, se = (
        before.std(ddof=1),
        after.std(ddof=1),
        before.std(ddof=1) * np.sqrt(1 - reliability),
    )
    r1, r2 = (s1**2 - se**2) / s1**2, (s2**2 - se**2) / s2**2
    shared = 2 * s1 * s2 * np.corrcoef(before, after)[0, 1]
    true, whole = s1**2 * r1 + s2**2 * r2 - shared, s1**2 + s2**2 - shared
    assume(abs(true) > 1e-3 and whole > 1e-3)
    found = [METHODS["hageman-arrindell"].index(pre, post, known) for pre, post in pairs]
    if true < 0:
        assert found == [None] * len(pairs)
        return
    r = true / whole
    wanted = ((after - before) * r + (after.mean() - before.mean()) * (1 - r)) / (
        np.sqrt(r) * np.sqrt(2 * se**2)
    )
    assert found == pytest.approx(list(wanted), rel=1e-4, abs=1e-4)


@given(PAIRS, RELIABILITY)
def test_regression_methods_agree_without_noise(
    pairs: list[tuple[float, float]], reliability: float
) -> None:
    """Where nothing moved on average, Gulliksen–Lord–Novick and Hsu–Linn–Lord are the same."""
    before = [pre for pre, _ in pairs]
    level = [(pre, before[(at + 1) % len(before)]) for at, pre in enumerate(before)]
    known = noise(level, reliability)
    assert fmean(pre for pre, _ in level) == pytest.approx(fmean(post for _, post in level))
    for pre, post in level:
        one, other = (
            METHODS[name].index(pre, post, known)
            for name in ("gulliksen-lord-novick", "hsu-linn-lord")
        )
        assert one == pytest.approx(other, abs=1e-6)


@pytest.mark.parametrize(
    ("reliable", "was", "now", "expected"),
    [
        (1, "clinical", "functional", "recovered"),
        (1, "clinical", "clinical", "improved"),
        (1, "functional", "functional", "improved"),
        (1, "line", "functional", "improved"),
        (1, "clinical", "line", "improved"),
        (1, None, "functional", "improved"),
        (1, None, None, "improved"),
        (0, "clinical", "functional", "unchanged"),
        (0, "functional", "clinical", "unchanged"),
        (-1, "functional", "clinical", "harmed"),
        (-1, "line", "clinical", "harmed"),
        (-1, "functional", "line", "harmed"),
        (-1, "clinical", "clinical", "deteriorated"),
        (-1, "functional", "functional", "deteriorated"),
        (-1, None, None, "deteriorated"),
    ],
)
def test_categories(reliable: int, was: str | None, now: str | None, expected: str) -> None:
    """Crossing the cut-off says nothing unless the change is reliable; at it is in neither."""
    assert category(reliable, was=was, now=now) == expected  # type: ignore[arg-type]


def test_what_cannot_be_known_is_not_made_up() -> None:
    """One person has no SD; without spread there is no index."""
    assert describe([(30, 20)]) is None
    flat = describe([(30, 20), (30, 10)])
    assert flat is not None
    assert flat.correlation is None
    for method in METHODS.values():
        assert method.index(30, 10, Noise(flat, 0.8, 0.8)) is None
    assert math.isclose(reliable_change(10, 1.0), 0)

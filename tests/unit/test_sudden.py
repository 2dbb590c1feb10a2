"""Sudden gains and losses, held to scipy, to published figures and to a plain second writing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from shared.change.sudden import Criteria, Interval, critical_value, intervals

BDI = Criteria()
VALUES = st.lists(st.none() | st.integers(0, 63).map(float), min_size=2, max_size=14)


def third(values: list[float | None]) -> Interval:
    """Return what is found between the third value and the fourth."""
    return intervals(values, -1, BDI)[2]


@pytest.mark.parametrize("alpha", [0.2, 0.1, 0.05, 0.01, 0.001])
@pytest.mark.parametrize("degrees", [2, 3, 4])
def test_critical_values_are_students(alpha: float, degrees: int) -> None:
    """The quantiles of scipy; at 0.05 the printed 4.303, 3.182 and 2.776."""
    expected = stats.t.ppf(1 - alpha / 2, degrees)
    assert critical_value(alpha, degrees) == pytest.approx(expected, rel=1e-9)
    if alpha == 0.05:
        assert round(expected, 3) == {2: 4.303, 3: 3.182, 4: 2.776}[degrees]


def test_other_degrees_are_refused() -> None:
    """Three values on each side come to four degrees at most."""
    with pytest.raises(ValueError, match="5 degrees"):
        critical_value(0.05, 5)


def test_the_example_of_the_r_package() -> None:
    """32, 31, 33 → 5, 6, 7 meets all three criteria, with some values missing as well."""
    found = third([32, 31, 33, 5, 6, 7])
    assert (found.change, found.large, found.substantial, found.stable) == (-28, True, True, True)
    assert found.met
    assert intervals([None, 31, 33, 5, None, 7], -1, BDI)[2].met


@pytest.mark.parametrize(
    ("after", "large", "met"),
    [(23.0, True, True), (23.1, False, False)],
)
def test_exactly_the_cut_off_is_enough(after: float, large: bool, met: bool) -> None:
    """Seven points are a gain, a tenth of a point less is none."""
    found = intervals([30.0, 30.1, 30.0, after, 23.0, 23.1], -1, Criteria(share=0.1))[2]
    assert (found.large, found.met) == (large, met)


def test_a_quarter_of_the_value_before() -> None:
    """From 40, ten points are a quarter; nine are not, however large seven may be."""
    assert third([40, 40, 40, 30, 30, 30]).met
    nine = third([40, 40, 40, 31, 31, 31])
    assert (nine.large, nine.substantial, nine.met) == (True, False, False)


def test_too_few_values_are_not_analysable() -> None:
    """A missing neighbour, or fewer than two values on a side, is no answer at all."""
    assert [one.met for one in intervals([30, 10], -1, BDI)] == [None]
    assert [one.met for one in intervals([30, None, 10, 10, 10], -1, BDI)] == [
        None,
        None,
        False,
        None,
    ]
    assert third([None, None, 30, 10, 10, 10]).met is None
    assert third([30, 30, 30, 10, None, None]).met is None
    assert third([30, None, 30, 10, None, 10]).met
    assert intervals([], -1, BDI) == []


def test_a_gain_is_reversed_when_half_of_it_is_lost() -> None:
    """The first later value that took back half, at any time."""
    assert third([30, 30, 30, 10, 10, 10, 19.9]).reversed_at is None
    assert third([30, 30, 30, 10, 10, 10, 15, 20, 30]).reversed_at == 7
    assert third([30, 30, 30, 10, 10, 10, None, 25]).reversed_at == 7


@given(VALUES, st.sampled_from([-1, 1]))
def test_a_second_writing_finds_the_same(values: list[float | None], way: int) -> None:
    """The three criteria once more, with numpy and scipy."""
    found = intervals(values, way, BDI)  # type: ignore[arg-type]
    data = np.array([np.nan if value is None else value for value in values])
    assert len(found) == len(values) - 1
    for one in found:
        n = one.before
        pre, post = data[max(0, n - 2) : n + 1], data[n + 1 : n + 4]
        pre, post = pre[~np.isnan(pre)], post[~np.isnan(post)]
        if np.isnan(data[n]) or np.isnan(data[n + 1]) or min(len(pre), len(post)) < 2:
            assert one.met is None
            continue
        moved = way * (data[n + 1] - data[n])
        degrees = len(pre) + len(post) - 2
        pooled = ((len(pre) - 1) * pre.var(ddof=1) + (len(post) - 1) * post.var(ddof=1)) / degrees
        limit = stats.t.ppf(0.975, degrees) * np.sqrt(pooled)
        stable = way * (post.mean() - pre.mean()) > limit + 1e-12
        assert one.met == bool(moved >= 7 and moved >= 0.25 * data[n] and stable)


@given(VALUES)
def test_losses_are_gains_in_the_mirror(values: list[float | None]) -> None:
    """Without the share of the value before, which no mirror keeps, up is down."""
    criteria = Criteria(share=None)
    mirrored = [None if value is None else 63 - value for value in values]
    found, other = intervals(values, -1, criteria), intervals(mirrored, 1, criteria)
    assert [(one.met, one.reversed_at) for one in found] == [
        (one.met, one.reversed_at) for one in other
    ]

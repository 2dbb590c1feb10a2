"""Change over time, held to scipy, pymannkendall and published definitions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pymannkendall
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from shared.alliance.change import control_chart, reliable_difference, theil_sen
from shared.change.trend import EXACT_UP_TO, mann_kendall
from shared.instrument import INSTRUMENTS, Scale

START = datetime(2026, 1, 1, 9, tzinfo=UTC)
SCORES = st.lists(st.integers(0, 40).map(float), min_size=4, max_size=12)
UNEQUAL = st.lists(st.integers(0, 400).map(lambda n: n / 10), min_size=4, max_size=12, unique=True)


def leading(key: str) -> Scale:
    """Return the leading scale of an instrument."""
    return INSTRUMENTS[key, "1"].leading


def weekly(values: list[float]) -> list[tuple[datetime, float]]:
    """Return scores a week apart."""
    return [(START + timedelta(weeks=n), value) for n, value in enumerate(values)]


@given(SCORES, st.data())
def test_theil_sen_is_scipys(values: list[float], data: st.DataObject) -> None:
    """Slope and interval are those of scipy.stats.theilslopes, on irregular times."""
    days = data.draw(
        st.lists(st.integers(0, 400), min_size=len(values), max_size=len(values), unique=True)
    )
    found = theil_sen(
        [(START + timedelta(days=day), v) for day, v in zip(days, values, strict=True)]
    )
    assert found is not None
    expected = stats.theilslopes(values, [day / 28 for day in days], 0.95)
    assert (found.per_4_weeks, found.low, found.high) == pytest.approx(
        (expected.slope, expected.low_slope, expected.high_slope), abs=1e-9
    )


@given(SCORES, st.randoms())
def test_theil_sen_does_not_mind_order(values: list[float], random: object) -> None:
    """The same ratings in any order have the same slope."""
    points = weekly(values)
    shuffled = list(points)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert theil_sen(shuffled) == theil_sen(points)


def test_theil_sen_edges() -> None:
    """None for nothing, one rating, or ratings all at once; 0 where all are the same."""
    assert theil_sen([]) is None
    assert theil_sen([(START, 3.0)]) is None
    assert theil_sen([(START, 3.0), (START, 5.0)]) is None
    flat = theil_sen(weekly([30.0] * 6))
    assert flat is not None
    assert (flat.per_4_weeks, flat.low, flat.high) == (0, 0, 0)
    falling = theil_sen(weekly([40.0, 38.0, 36.0, 34.0]))
    assert falling is not None
    assert falling.per_4_weeks == pytest.approx(-8)


@given(UNEQUAL)
def test_exact_mann_kendall_is_scipys(values: list[float]) -> None:
    """Without ties, both one-sided p-values are scipy.stats.kendalltau's exact ones."""
    found = mann_kendall(values)
    order = range(len(values))
    assert found.exact
    for side, p in (("less", found.p_falling), ("greater", found.p_rising)):
        expected = stats.kendalltau(order, values, method="exact", alternative=side)
        assert p == pytest.approx(expected.pvalue, abs=1e-12)


@given(SCORES.filter(lambda values: len(set(values)) < len(values)))
def test_tied_mann_kendall_is_pymannkendalls(values: list[float]) -> None:
    """With ties, S and the two-sided p-value are pymannkendall's."""
    found = mann_kendall(values)
    expected = pymannkendall.original_test(values)
    assert not found.exact
    assert found.s == expected.s
    assert min(1, 2 * min(found.p_falling, found.p_rising)) == pytest.approx(expected.p, abs=1e-9)


@pytest.mark.parametrize("n", [4, 5, 6])
def test_exact_p_values_are_counted(n: int) -> None:
    """For four to six ratings the p-value is the share of all orders with an S as small."""
    results = [mann_kendall([float(v) for v in order]) for order in permutations(range(n))]
    for found in results:
        share = sum(other.s <= found.s for other in results) / len(results)
        assert found.p_falling == pytest.approx(share)


def test_mann_kendall_edges() -> None:
    """Four falling ratings reach p = 1/24, three cannot reach 0.05; all the same shows nothing."""
    assert mann_kendall([4, 3, 2, 1]).p_falling == pytest.approx(1 / 24)
    assert mann_kendall([3, 2, 1]).p_falling == pytest.approx(1 / 6)
    for values in ([], [1.0], [2.0] * 6):
        found = mann_kendall(values)
        assert (found.s, found.p_falling, found.p_rising) == (0, 1, 1)
    long = [float(n % 97) + n / 1000 for n in range(EXACT_UP_TO + 1)]
    assert not mann_kendall(long).exact


def test_control_chart_is_the_individuals_chart() -> None:
    """Centre and σ̂ are the mean and the mean moving range ÷ 1.128 of the first five alone."""
    chart = control_chart([30, 32, 28, 31, 29, 0, 0, 0], leading("srs-3"))
    assert chart is not None
    assert (chart.centre, chart.sigma) == pytest.approx((30, (2 + 4 + 3 + 2) / 4 / 1.128))
    three = 3 * chart.sigma
    assert chart.place(30 - three) == "warning"
    assert chart.place(30 - three - 0.01) == "signal"
    assert chart.place(30 - 2 * chart.sigma) == "ordinary"
    assert chart.place(30 + three + 5) == "ordinary"


def test_control_chart_is_floored_at_the_sem() -> None:
    """A flat course has limits as wide as the instrument's noise, or no width if unknown."""
    flat = control_chart([12.0] * 5, leading("phq-9"))
    assert flat is not None
    assert flat.sigma == pytest.approx(6 / (1.96 * 2**0.5))
    assert flat.place(12 + 2) == "ordinary"
    assert flat.place(12 + 7) == "signal"
    assert flat.place(12 - 12) == "ordinary"
    level = control_chart([36.0] * 5, leading("srs-3"))
    assert level is not None
    assert (level.centre, level.sigma) == (36, 0)
    assert control_chart([36.0, 35.0, 36.0, 35.0], leading("srs-3")) is None
    assert control_chart([], leading("srs-3")) is None


@pytest.mark.parametrize(
    ("key", "before", "after", "category"),
    [
        ("phq-9", 15, 9, "recovered"),
        ("phq-9", 15, 10, "unchanged"),
        ("phq-9", 16, 10, "improved"),
        ("phq-9", 9, 3, "improved"),
        ("phq-9", 9, 15, "harmed"),
        ("phq-9", 10, 16, "deteriorated"),
        ("phq-9", 10, 15, "unchanged"),
        ("gad-7", 8, 4, "recovered"),
        ("gad-7", 8, 5, "unchanged"),
        ("core-10", 11, 5, "recovered"),
        ("core-10", 16.1, 10.1, "recovered"),
        ("ors", 24.9, 29.9, "recovered"),
        ("ors", 20, 25, "recovered"),
        ("ors", 25, 20, "harmed"),
        ("ors", 25, 20.1, "unchanged"),
    ],
)
def test_reliable_difference(key: str, before: float, after: float, category: str) -> None:
    """A change of exactly the published value is reliable, one just under is not."""
    found = reliable_difference(leading(key), before, after)
    assert found is not None
    assert found.category == category


@pytest.mark.parametrize(
    ("rater", "category"),
    [("client", "improved"), ("parent_or_carer", "recovered"), ("teacher", "improved")],
)
def test_only_the_raters_own_cut_off_is_crossed(rater: str, category: str) -> None:
    """From 24 to 30 is past a caregiver's 28 and not past a child's 32; a teacher has neither."""
    scale = replace(leading("ors"), cutoffs=leading("cors").cutoffs)
    found = reliable_difference(scale, 24, 30, rater)
    assert found is not None
    assert found.category == category


@pytest.mark.parametrize("key", ["srs-3", "wai-sr", "bdi-2", "pulse", "cors", "gbo", "haq-2"])
def test_no_published_value_is_not_analysable(key: str) -> None:
    """Where nothing is published, no reliable change is made up."""
    assert reliable_difference(leading(key), 10, 40) is None

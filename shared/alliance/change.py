"""Change over time: is it more than noise, which way does it go, is it out of its own ordinary?

Own code because it runs at every judgement; tests hold it to scipy and pymannkendall.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import combinations, pairwise
from statistics import NormalDist, fmean, median
from typing import Literal

from shared.instrument import Cutoff, Scale

Category = Literal["recovered", "improved", "unchanged", "deteriorated", "harmed"]
Place = Literal["ordinary", "warning", "signal"]

FOUR_WEEKS = timedelta(weeks=4)
TREND_LEAST = 4
"""Fewest ratings that a trend is computed from (own)."""

TREND_MOST = 6
"""How many of the latest ratings a trend looks at (own)."""

BASELINE = 5
"""How many of a series' first ratings set the limits of its control chart (own)."""

MOVING_RANGE_TO_SIGMA = 1.128
"""d₂ for ranges of two (Shewhart; Montgomery, Introduction to Statistical Quality Control)."""

EXACT_UP_TO = 33
"""Largest number of values for which Mann–Kendall is exact, as in scipy.stats.kendalltau."""

_DECIMALS = 9
"""Differences are rounded here, so that 36.1 − 30.1 is a change of 6."""


@dataclass(frozen=True, slots=True)
class ReliableDifference:
    """A change between two scores, seen against the noise of measurement.

    Attributes:
        better_by: After minus before, turned so that a positive figure is an improvement.
        needed: The reliable change of the scale; a change of at least this much is reliable.
        category: ``recovered`` and ``harmed`` also cross the scale's first cut-off.
    """

    better_by: float
    needed: float
    category: Category


@dataclass(frozen=True, slots=True)
class Slope:
    """A Theil–Sen slope with its interval, in scale units per four weeks."""

    per_4_weeks: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class MannKendall:
    """Whether values rise or fall, one-sided.

    Attributes:
        s: Pairs that rise minus pairs that fall.
        p_falling: Probability of an S at most this small where there is no trend.
        p_rising: Probability of an S at least this large where there is no trend.
        exact: From the exact null distribution; otherwise the normal approximation.
    """

    s: int
    p_falling: float
    p_rising: float
    exact: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """An individuals control chart on a client's own scores.

    Attributes:
        centre: Mean of the baseline.
        sigma: Mean moving range of the baseline ÷ 1.128, at least the instrument's SEM.
        worse: -1 where lower scores are worse, 1 where higher ones are.
    """

    centre: float
    sigma: float
    worse: Literal[-1, 1]

    def place(self, value: float) -> Place:
        """Return where a score lies; only the worse side counts, and a limit itself is inside."""
        beyond = round(self.worse * (value - self.centre), _DECIMALS)
        if beyond > round(3 * self.sigma, _DECIMALS):
            return "signal"
        return "warning" if beyond > round(2 * self.sigma, _DECIMALS) else "ordinary"


def reliable_difference(scale: Scale, before: float, after: float) -> ReliableDifference | None:
    """Return how a change compares with the scale's reliable change (Jacobson and Truax 1991).

    Returns None where none is published, or the scale is descriptive: *not analysable*.
    """
    if scale.reliable_change is None or scale.direction == "descriptive":
        return None
    needed = scale.reliable_change.value
    better_by = round(after - before, _DECIMALS) * (1 if scale.direction == "higher" else -1)
    category: Category = "unchanged"
    if better_by >= needed:
        category = (
            "recovered" if _meets(scale, before) and not _meets(scale, after) else "improved"
        )
    elif -better_by >= needed:
        crossed = not _meets(scale, before) and _meets(scale, after)
        category = "harmed" if scale.cutoffs and crossed else "deteriorated"
    return ReliableDifference(better_by, needed, category)


def meets(cutoff: Cutoff, value: float) -> bool:
    """Return whether a score is on the side of a cut-off that matters."""
    return value < cutoff.value if cutoff.meets == "below" else value >= cutoff.value


def theil_sen(points: Sequence[tuple[datetime, float]], confidence: float = 0.95) -> Slope | None:
    """Return the median of the slopes between all pairs, with its interval (Sen 1968).

    Ratings come at irregular times; pairs at the same time have no slope and are left out.

    Args:
        points: (time, score) in any order.
        confidence: Of the interval, two-sided.

    Returns:
        None for fewer than two different times.
    """
    days = [(at - points[0][0]) / FOUR_WEEKS for at, _ in points]
    values = [value for _, value in points]
    slopes = sorted(
        (values[j] - values[i]) / (days[j] - days[i])
        for i, j in combinations(range(len(points)), 2)
        if days[i] != days[j]
    )
    if not slopes:
        return None
    spread = -NormalDist().inv_cdf((1 - confidence) / 2) * math.sqrt(
        max(0, _pairs_term(len(points)) - _ties_term(days) - _ties_term(values)) / 18
    )
    high = min(round((len(slopes) + spread) / 2), len(slopes) - 1)
    low = max(round((len(slopes) - spread) / 2) - 1, 0)
    return Slope(median(slopes), slopes[low], slopes[high], len(points))


def mann_kendall(values: Sequence[float]) -> MannKendall:
    """Test for a trend (Mann 1945; Kendall 1975), by the order of the values alone.

    Without ties, up to 33 values: exact, from the null distribution of S, which four to six
    ratings need. Otherwise: the normal approximation with continuity and tie correction.
    """
    n = len(values)
    s = sum((later > earlier) - (later < earlier) for earlier, later in combinations(values, 2))
    if len(set(values)) == n and n <= EXACT_UP_TO:
        at_most = _at_most(n)
        most = n * (n - 1) // 2
        return MannKendall(s, at_most[(s + most) // 2], at_most[(most - s) // 2], exact=True)
    sigma = math.sqrt((_pairs_term(n) - _ties_term(values)) / 18)
    if sigma == 0:
        return MannKendall(s, 1.0, 1.0, exact=False)
    return MannKendall(s, _below(s, sigma), _below(-s, sigma), exact=False)


def control_chart(scores: Sequence[float], scale: Scale) -> Chart | None:
    """Return the limits that the first five scores of a series set.

    Returns:
        None with fewer than five, for a descriptive scale, and where the baseline is flat and no
        SEM is known: a flat course must not fire on a small wobble.
    """
    baseline = scores[:BASELINE]
    if len(baseline) < BASELINE or scale.direction == "descriptive":
        return None
    moving = fmean(abs(after - before) for before, after in pairwise(baseline))
    sigma = max(moving / MOVING_RANGE_TO_SIGMA, scale.sem or 0.0)
    if sigma == 0:
        return None
    return Chart(fmean(baseline), sigma, -1 if scale.direction == "higher" else 1)


def _meets(scale: Scale, value: float) -> bool:
    return any(meets(cutoff, value) for cutoff in scale.cutoffs[:1])


def _pairs_term(n: int) -> int:
    return n * (n - 1) * (2 * n + 5)


def _ties_term(values: Iterable[float]) -> int:
    return sum(_pairs_term(times) for times in Counter(values).values() if times > 1)


def _below(s: int, sigma: float) -> float:
    """Return P(S ≤ s) by the normal approximation, moved half way to the next S (S ± 1)."""
    return NormalDist().cdf((s + 1) / sigma)


@lru_cache(maxsize=EXACT_UP_TO + 1)
def _at_most(n: int) -> tuple[float, ...]:
    """Return, for k = 0, 1, …, the chance that a random order has at most k rising pairs.

    The number of orders of n values with k rising pairs is a Mahonian number.
    """
    orders = [1]
    for values in range(2, n + 1):
        longer = [0] * (len(orders) + values - 1)
        for k, count in enumerate(orders):
            for more in range(values):
                longer[k + more] += count
        orders = longer
    total, chances, running = math.factorial(n), [], 0
    for count in orders:
        running += count
        chances.append(running / total)
    return tuple(chances)

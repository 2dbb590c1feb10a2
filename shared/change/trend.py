"""Trends: which way do values go, and is it more than chance?

Own code because it runs at every judgement; tests hold it to scipy and pymannkendall.

Of 36, 35, 35.5, 33 one pair rises and five fall: S = −4. Of the 24 orders of four values four
have at most one rising pair, so p = 4 ÷ 24. The six slopes in order are −2.5, −1, −1, −1, −0.25
and 0.5; the median is −1:

>>> test = mann_kendall([36, 35, 35.5, 33])
>>> test.s, round(test.p_falling, 4)
(-4, 0.1667)
>>> theil_sen([1, 2, 3, 4], [36, 35, 35.5, 33]).slope
-1.0
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from statistics import NormalDist, median
from typing import Final

EXACT_UP_TO: Final = 33
"""Largest number of values for which Mann–Kendall is exact, as in scipy.stats.kendalltau."""


@dataclass(frozen=True, slots=True)
class Slope:
    """A Theil–Sen slope with its interval, in units of the values per unit of time."""

    slope: float
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
        variance: Of S where there is no trend, corrected for ties.
    """

    s: int
    p_falling: float
    p_rising: float
    exact: bool
    variance: float = 0.0

    @property
    def p_two_sided(self) -> float:
        """Probability of an S at least this far from 0 where there is no trend."""
        return min(1.0, 2 * min(self.p_falling, self.p_rising))

    @property
    def z(self) -> float | None:
        """S with continuity correction in standard deviations; None where S cannot vary."""
        if not self.variance:
            return None
        return (self.s - (self.s > 0) + (self.s < 0)) / math.sqrt(self.variance)

    @property
    def p_normal(self) -> float | None:
        """The two-sided probability by the normal approximation, as most software prints it."""
        return None if self.z is None else 2 * NormalDist().cdf(-abs(self.z))


def theil_sen(
    times: Sequence[float], values: Sequence[float], confidence: float = 0.95
) -> Slope | None:
    """Return the median of the slopes between all pairs, with its interval (Sen 1968).

    Pairs at the same time have no slope and are left out. Of the N slopes in order, the limits are
    the ones at the ranks (N − C) ÷ 2 and (N + C) ÷ 2 + 1, rounded to whole ranks as
    scipy.stats.theilslopes does (halves to even), and at most the first and the last, with
    C = z·√Var(S) and Var(S) = [n(n − 1)(2n + 5) − Σ t(t − 1)(2t + 5)] ÷ 18 over the groups of t
    tied times and of t tied values. Gilbert (1987) interpolates between ranks instead.

    Args:
        times: In any unit and any order.
        values: As many.
        confidence: Of the interval, two-sided, between 0 and 1.

    Returns:
        None for fewer than two different times.
    """
    slopes = sorted(
        (values[j] - values[i]) / (times[j] - times[i])
        for i, j in combinations(range(len(times)), 2)
        if times[i] != times[j]
    )
    if not slopes:
        return None
    spread = -NormalDist().inv_cdf((1 - confidence) / 2) * math.sqrt(
        max(0, _pairs_term(len(times)) - _ties_term(times) - _ties_term(values)) / 18
    )
    high = min(round((len(slopes) + spread) / 2), len(slopes) - 1)
    low = max(round((len(slopes) - spread) / 2) - 1, 0)
    return Slope(median(slopes), slopes[low], slopes[high], len(times))


def mann_kendall(values: Sequence[float]) -> MannKendall:
    """Test for a trend (Mann 1945; Kendall 1975), by the order of the values alone.

    S is the number of pairs that rise minus those that fall; its variance where there is no trend
    is [n(n − 1)(2n + 5) − Σ t(t − 1)(2t + 5)] ÷ 18 over the groups of t tied values, and the
    approximation takes Φ((S ± 1) ÷ √variance), the sign towards 0.

    Without ties, up to 33 values: exact, from the null distribution of S, which four to six
    ratings need. Otherwise: the normal approximation with continuity and tie correction.
    """
    n = len(values)
    s = sum((later > earlier) - (later < earlier) for earlier, later in combinations(values, 2))
    variance = (_pairs_term(n) - _ties_term(values)) / 18
    if len(set(values)) == n and n <= EXACT_UP_TO:
        at_most = _at_most(n)
        most = n * (n - 1) // 2
        falling, rising = at_most[(s + most) // 2], at_most[(most - s) // 2]
        return MannKendall(s, falling, rising, exact=True, variance=variance)
    if variance == 0:
        return MannKendall(s, 1.0, 1.0, exact=False)
    sigma = math.sqrt(variance)
    return MannKendall(s, _below(s, sigma), _below(-s, sigma), exact=False, variance=variance)


def kendall_tau(values: Sequence[float]) -> float | None:
    """Return Kendall's τ_b of values with their order: S ÷ √((N − T)·N).

    N = n(n − 1) ÷ 2 pairs, T of them tied: as scipy.stats.kendalltau, and R's packages Kendall and
    trend, print it. (pymannkendall divides by N alone: S ÷ N.)

    Returns:
        From -1 to 1; None where no two values differ.
    """
    n = len(values)
    pairs = n * (n - 1) // 2
    tied = sum(times * (times - 1) // 2 for times in Counter(values).values())
    return mann_kendall(values).s / math.sqrt((pairs - tied) * pairs) if pairs > tied else None


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

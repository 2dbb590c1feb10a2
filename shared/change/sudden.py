"""Sudden gains and losses between two neighbouring measurements (Tang & DeRubeis 1999).

With the three values before (n − 2, n − 1, n) and the three after (n + 1, n + 2, n + 3):

1. x_n − x_{n+1} ≥ a cut-off in points (7 on the BDI; otherwise a reliable change),
2. x_n − x_{n+1} ≥ 25 % of x_n,
3. M_pre − M_post > t(0.975; n_pre + n_post − 2) · √(((n_pre−1)·s_pre² + (n_post−1)·s_post²) ÷
   (n_pre + n_post − 2)), *without* a factor √(1/n_pre + 1/n_post).

A missing value lowers the degrees of freedom (Lutz et al. 2013; Wiedemann et al. 2020, PLOS ONE
0230276, and their R package suddengains). With fewer than two values on a side, or without x_n or
x_{n+1}, an interval is *not analysable*. Losses are the mirror image, with all three criteria (the
R package's own second criterion lets every loss pass); of a scale on which higher is better, a
rise is the gain.

From 32, 31, 33 to 5, 6, 7: a fall of 28 points, more than a quarter of 33; the means are 32 and 6,
both SDs are 1, and 26 is more than t(0.975; 4) · 1 = 2.776:

>>> found = intervals([32, 31, 33, 5, 6, 7], -1, Criteria(points=7))[2]
>>> found.change, found.large, found.substantial, found.stable, found.met
(-28, True, True, True, True)
>>> round(critical_value(0.05, 4), 3)
2.776
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean
from typing import Final, Literal

Way = Literal[-1, 1]
"""-1: a fall is looked for; 1: a rise."""

WINDOW: Final = 3
FEWEST: Final = 2
"""Values on each side of an interval."""

PRECISION: Final = 1e-13
DECIMALS: Final = 9
"""Differences are rounded here, so that 36.1 − 30.1 is a change of 6."""

LOST_AGAIN: Final = 0.5
"""A gain is reversed when half of it is lost again at any later time (Tang & DeRubeis 1999).

The R package suddengains asks for more than half.
"""


@dataclass(frozen=True, slots=True)
class Criteria:
    """What makes a change sudden.

    Attributes:
        points: Least change in points; None leaves the first criterion out.
        share: Least change as a share of the value before; None leaves the second out.
        alpha: Two-sided, of the third; None leaves it out.
        critical: Of the third, the same for all intervals, such as 2.776 whatever is missing (as
            studies before Lutz et al. have it); None: t, by the values that there are.
    """

    points: float | None = 7.0
    share: float | None = 0.25
    alpha: float | None = 0.05
    critical: float | None = None


@dataclass(frozen=True, slots=True)
class Interval:
    """What was found between the values at ``before`` and ``before + 1``.

    Attributes:
        before: Index of x_n.
        change: x_{n+1} − x_n; None where one is missing.
        large: The first criterion, in points; None: left out or not analysable.
        substantial: The second, as a share of the value before; the same.
        stable: The third, against the fluctuation around it; the same.
        met: Whether all that were asked are met; None: not analysable.
        reversed_at: Index of the first later value that took half of the change back.
        means: M_pre and M_post; None where the third criterion is left out or not analysable.
        needed: How far apart they must be more than, by the third criterion; the same.
    """

    before: int
    change: float | None
    large: bool | None
    substantial: bool | None
    stable: bool | None
    met: bool | None
    reversed_at: int | None = None
    means: tuple[float, float] | None = None
    needed: float | None = None


def intervals(values: Sequence[float | None], way: Way, criteria: Criteria) -> list[Interval]:
    """Return every interval between two neighbouring measurements, in order.

    Args:
        values: One for each measurement, None where it is missing.
        way: Down for gains where lower is better, and for losses where higher is; up otherwise.
        criteria: What makes a change sudden.
    """
    return [_interval(values, at, way, criteria) for at in range(len(values) - 1)]


@lru_cache
def critical_value(alpha: float, degrees: int) -> float:
    """Return t(1 − alpha ÷ 2) for two, three or four degrees of freedom.

    Own code, because a library for three numbers would be the largest that we ship; tests hold it
    to scipy.

    Raises:
        ValueError: for other degrees of freedom.
    """
    low, high = 0.0, 1.0
    while _t_below(high, degrees) < 1 - alpha / 2:
        high *= 2
    while high - low > PRECISION * high:
        middle = (low + high) / 2
        below = _t_below(middle, degrees) < 1 - alpha / 2
        low, high = (middle, high) if below else (low, middle)
    return (low + high) / 2


def _interval(values: Sequence[float | None], at: int, way: Way, criteria: Criteria) -> Interval:
    first, then = values[at], values[at + 1]
    if first is None or then is None:
        return Interval(at, None, None, None, None, None)
    moved = round(way * (then - first), DECIMALS)
    large = None if criteria.points is None else moved >= criteria.points
    substantial = (
        None if criteria.share is None else moved >= round(criteria.share * first, DECIMALS)
    )
    means, needed, stable = None, None, None
    before = _present(values[max(0, at - WINDOW + 1) : at + 1])
    after = _present(values[at + 1 : at + 1 + WINDOW])
    if criteria.alpha is not None and min(len(before), len(after)) >= FEWEST:
        means = fmean(before), fmean(after)
        needed = _needed(before, after, criteria.alpha, criteria.critical)
        stable = way * (means[1] - means[0]) > needed
    met = None
    if criteria.alpha is None or stable is not None:
        met = False not in (large, substantial, stable)
    turned = _reversed_at(values, at, way, moved) if met else None
    return Interval(at, then - first, large, substantial, stable, met, turned, means, needed)


def _needed(
    before: Sequence[float], after: Sequence[float], alpha: float, critical: float | None
) -> float:
    degrees = len(before) + len(after) - 2
    t = critical_value(alpha, degrees) if critical is None else critical
    return t * math.sqrt((_squares(before) + _squares(after)) / degrees)


def _squares(values: Sequence[float]) -> float:
    """Return (n − 1)·s²: plain sums, because exact ones took most of a large table's time."""
    mean = fmean(values)
    return math.fsum((value - mean) ** 2 for value in values)


def _reversed_at(values: Sequence[float | None], at: int, way: Way, moved: float) -> int | None:
    reached = values[at + 1] or 0.0
    for index, value in enumerate(values[at + 2 :], at + 2):
        if value is not None and round(way * (reached - value), DECIMALS) >= LOST_AGAIN * moved:
            return index
    return None


def _present(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _t_below(t: float, degrees: int) -> float:
    """Return P(T ≤ t) of Student's t, in closed form for two, three and four degrees."""
    if degrees == 2:
        return 0.5 + t / (2 * math.sqrt(2 + t * t))
    if degrees == 3:
        s = t / math.sqrt(3)
        return 0.5 + (s / (1 + s * s) + math.atan(s)) / math.pi
    if degrees == 4:
        s = 1 + t * t / 4
        return 0.5 + 3 / 8 * t / math.sqrt(s) * (1 - t * t / (12 * s))
    raise ValueError(f"{degrees} degrees of freedom: two to four come of two or three values")

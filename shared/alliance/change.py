"""A client's change on a scale: is it reliable, which way does it go, is it out of the ordinary?

The methods are those of ``shared.change``; here they meet an instrument's published numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean
from typing import Literal

from shared.change import trend
from shared.change.chart import Chart as AnyChart
from shared.change.chart import Place, individuals_chart
from shared.instrument import Cutoff, Scale

Category = Literal["recovered", "improved", "unchanged", "deteriorated", "harmed"]

FOUR_WEEKS = timedelta(weeks=4)
TREND_LEAST = 4
"""Fewest ratings that a trend is computed from (own)."""

TREND_MOST = 6
"""How many of the latest ratings a trend looks at (own)."""

BASELINE = 5
"""How many of a series' first ratings set the limits of its control chart (own)."""

RECENT = 3
"""The recent level is the median of this many ratings before (own)."""

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
class Chart:
    """An individuals control chart on a client's own scores.

    Attributes:
        chart: Centre and spread.
        worse: -1 where lower scores are worse, 1 where higher ones are.
    """

    chart: AnyChart
    worse: Literal[-1, 1]

    @property
    def centre(self) -> float:
        """Mean of the baseline."""
        return self.chart.centre

    @property
    def sigma(self) -> float:
        """Mean moving range of the baseline ÷ 1.128, at least the instrument's SEM; 0 if flat."""
        return self.chart.sigma

    def place(self, value: float) -> Place:
        """Return where a score lies; only the worse side counts, and a limit itself is inside."""
        return self.chart.place(value, self.worse)


def reliable_difference(
    scale: Scale, before: float, after: float, rater: str = "client"
) -> ReliableDifference | None:
    """Return how a change compares with the scale's reliable change (Jacobson and Truax 1991).

    A cut-off is crossed only where the scale has one for the rater's ratings.

    Returns None where none is published, or the scale is descriptive: *not analysable*.
    """
    if scale.reliable_change is None or scale.direction == "descriptive":
        return None
    needed = scale.reliable_change.value
    better_by = round(after - before, _DECIMALS) * (1 if scale.direction == "higher" else -1)
    category: Category = "unchanged"
    cutoff = scale.cutoff_for(rater)
    was, is_now = (cutoff is not None and meets(cutoff, value) for value in (before, after))
    if better_by >= needed:
        category = "recovered" if was and not is_now else "improved"
    elif -better_by >= needed:
        category = "harmed" if is_now and not was else "deteriorated"
    return ReliableDifference(better_by, needed, category)


def meets(cutoff: Cutoff, value: float) -> bool:
    """Return whether a score is on the side of a cut-off that matters."""
    return value < cutoff.value if cutoff.meets == "below" else value >= cutoff.value


def theil_sen(points: Sequence[tuple[datetime, float]], confidence: float = 0.95) -> Slope | None:
    """Return the Theil–Sen slope of ratings, which come at irregular times, per four weeks.

    Args:
        points: (time, score) in any order.
        confidence: Of the interval, two-sided.

    Returns:
        None for fewer than two different times.
    """
    times = [(at - points[0][0]) / FOUR_WEEKS for at, _ in points]
    found = trend.theil_sen(times, [value for _, value in points], confidence)
    return None if found is None else Slope(found.slope, found.low, found.high, found.n)


def control_chart(scores: Sequence[float], scale: Scale) -> Chart | None:
    """Return the limits that the first five scores of a series set.

    Returns:
        None with fewer than five, and for a descriptive scale. Where the baseline is flat and no
        SEM is known, σ̂ is 0: whoever judges by it asks for a least fall besides (a tenth of the
        scale), as a flat course must not fire on a small wobble, and must on a large fall.
    """
    baseline = scores[:BASELINE]
    if len(baseline) < BASELINE or scale.direction == "descriptive":
        return None
    found = individuals_chart(baseline, scale.sem or 0.0) or AnyChart(fmean(baseline), 0.0)
    return Chart(found, -1 if scale.direction == "higher" else 1)

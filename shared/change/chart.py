"""The individuals control chart: is a value out of its own series' ordinary?

Of 30, 32, 31, 33, 34 the moving ranges are 2, 1, 2, 1: their mean is 1.5, σ̂ = 1.5 ÷ 1.128 =
1.33, the centre 32 and the limits 32 ∓ 3·1.33:

>>> chart = individuals_chart([30, 32, 31, 33, 34])
>>> round(chart.sigma, 2), [round(limit, 2) for limit in chart.limits]
(1.33, [28.01, 35.99])
>>> chart.place(29), chart.place(28)
('warning', 'signal')
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Final, Literal

Place = Literal["ordinary", "warning", "signal"]

MOVING_RANGE_TO_SIGMA: Final = 1.128
"""d₂ for ranges of two (Shewhart; Montgomery, Introduction to Statistical Quality Control)."""

WARNING: Final = 2
SIGNAL: Final = 3
"""Standard deviations from the centre (Shewhart)."""

_DECIMALS: Final = 9
"""Differences are rounded here, so that 36.1 − 30.1 is a change of 6."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Centre and spread of a series, in its own units.

    Attributes:
        centre: Mean of the baseline.
        sigma: Mean moving range of the baseline ÷ 1.128, or the floor where that is larger.
        moving_range: Mean moving range of the baseline: of |x_i − x_{i−1}|.
    """

    centre: float
    sigma: float
    moving_range: float = 0.0

    @property
    def limits(self) -> tuple[float, float]:
        """Lower and upper control limit: the centre ∓ 3 σ̂."""
        return self.centre - SIGNAL * self.sigma, self.centre + SIGNAL * self.sigma

    def place(self, value: float, side: Literal[-1, 1] | None = None) -> Place:
        """Return where a value lies; a limit itself is inside.

        Args:
            value: In units of the series.
            side: -1 where only low values count, 1 where only high ones do; None for both.
        """
        away = value - self.centre
        beyond = round(abs(away) if side is None else side * away, _DECIMALS)
        if beyond > round(SIGNAL * self.sigma, _DECIMALS):
            return "signal"
        return "warning" if beyond > round(WARNING * self.sigma, _DECIMALS) else "ordinary"


def individuals_chart(baseline: Sequence[float | None], floor: float = 0.0) -> Chart | None:
    """Return the chart that some values set.

    Args:
        baseline: In their order, at least two; None where one is missing. No range is taken over
            a missing one (as SAS and JMP have it).
        floor: Least σ̂, such as the standard error of measurement.

    Returns:
        None without two neighbours, and where they are all the same and no floor is given: a flat
        course must not fire on a small wobble.
    """
    ranges = [
        abs(after - before)
        for before, after in pairwise(baseline)
        if before is not None and after is not None
    ]
    if not ranges:
        return None
    moving = fmean(ranges)
    sigma = max(moving / MOVING_RANGE_TO_SIGMA, floor)
    present = (value for value in baseline if value is not None)
    return Chart(fmean(present), sigma, moving) if sigma else None

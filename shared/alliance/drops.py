"""One rating well below a client's recent level, and whether the level came back. Pure."""

from collections.abc import Iterator
from statistics import median
from typing import Final

from shared.alliance.change import BASELINE, RECENT, control_chart
from shared.alliance.series import Point, Series
from shared.alliance.wording import figure
from shared.values import frozen

_DECIMALS: Final = 6
"""Differences are rounded here, so that 36.1 − 30.1 is a fall of 6."""


@frozen
class Needed:
    """How large a fall counts.

    Attributes:
        fall: In points of the scale.
        since: How many ratings must come before.
        because: Why, in words.
    """

    fall: float
    since: int
    because: str


@frozen
class Drop:
    """A rating below the recent level.

    Attributes:
        at: Its index in the series.
        recent: The ratings that make the level.
        level: Their median.
        fell: How far below it the rating lies.
    """

    at: int
    recent: tuple[Point, ...]
    level: float
    fell: float


def needed(series: Series, sigmas: float, fall_percent: float) -> Needed | None:
    """Return how large a fall counts in a series; None: not analysable.

    The instrument's reliable change; where none is published, so many σ̂ of the client's own first
    five ratings, and so many percent of the scale: who rates evenly would else be told of at every
    wobble, and whose first five are all the same, of none (own, not validated).
    """
    change = series.scale.reliable_change
    if change is not None:
        return Needed(change.value, RECENT, "the reliable change")
    chart = control_chart([point.value for point in series.points], series.scale)
    if chart is None:
        return None
    varies = sigmas * chart.sigma
    least = (series.scale.maximum - series.scale.minimum) * fall_percent / 100
    if varies < least:
        return Needed(least, BASELINE, f"{figure(fall_percent)} % of the scale")
    if not varies:
        return None
    return Needed(varies, BASELINE, f"{figure(sigmas)} times the client's own variation")


def drop_at(series: Series, at: int, counts: Needed | None) -> Drop | None:
    """Return the drop at an index, where there is one."""
    if counts is None or at < counts.since:
        return None
    recent = series.points[at - RECENT : at]
    level = median(point.value for point in recent)
    fell = worse_by(series, level, series.points[at].value)
    return Drop(at, recent, level, fell) if fell >= counts.fall else None


def unregained(series: Series, counts: Needed | None, within: int) -> Iterator[tuple[Drop, int]]:
    """Yield each drop whose level no rating reached again in time, and the index that says so.

    The next drop is looked for once the level was reached again.
    """
    points, at = series.points, 1
    while at < len(points):
        drop = drop_at(series, at, counts)
        if drop is None:
            at += 1
            continue
        back = regained(series, drop)
        last = at + within
        if last < len(points) and (back is None or back > last):
            yield drop, last
        if back is None:
            return
        at = back + 1


def regained(series: Series, drop: Drop) -> int | None:
    """Return the index of the first rating after a drop that is back at the level before."""
    after = range(drop.at + 1, len(series.points))
    return next((i for i in after if is_back(series, drop, series.points[i])), None)


def is_back(series: Series, drop: Drop, point: Point) -> bool:
    """Return whether a rating is back at the level before a drop."""
    return worse_by(series, drop.level, point.value) <= 0


def worse_by(series: Series, before: float, after: float) -> float:
    """Return how many points worse a score is than another; negative: better."""
    worse = -1 if series.scale.direction == "higher" else 1
    return round(worse * (after - before), _DECIMALS)

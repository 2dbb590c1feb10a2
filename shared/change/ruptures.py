"""Ruptures by scores: a fall from the recent level, in one step or over several sessions.

Alliance ruptures show as a drop of session ratings by one or two standard deviations; comparing
neighbours alone misses the slow ones (Gumz et al. 2012, BMC Med Res Methodol 12:10). How a level,
a slow fall and a repair are defined here is our own, and not validated:

- The *level before* is the median of the three ratings that end with the last one before the fall.
- A fall is a run of ratings of which each is no better than the one before, and the first worse.
  It is a rupture as soon as it lies at least the threshold below the level before.
- It happened *in one step* when a single step of the run is that large, otherwise *over several
  sessions*.
- It is *repaired* when one of the next three ratings is back at the level before, *unrepaired*
  when none of them is, and *open* while fewer than three have come.

After 36, 37, 36 (level 36) come 34 and 31: a fall of 5, of which no step is as large as 4. Two
ratings later 37 repairs it:

>>> (found,) = ruptures([36, 37, 36, 34, 31, 33, 37], threshold=4)
>>> found.level, found.depth, found.in_one_step, found.state, found.repaired_at
(36, 5, False, 'repaired', 6)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Final, Literal

State = Literal["repaired", "unrepaired", "open"]

LEVEL_OF: Final = 3
"""Ratings whose median is the level before (own)."""

WITHIN: Final = 3
"""Ratings within which a rupture is repaired (own)."""

_DECIMALS: Final = 9


@dataclass(frozen=True, slots=True)
class Rupture:
    """One fall, by the indices of its ratings.

    Attributes:
        begins: The last rating before the fall.
        seen: The first rating that lies the threshold below the level.
        level: The level before.
        depth: How far below the level it came, at its worst.
        in_one_step: Whether one step alone was as large as the threshold.
        state: Repaired, unrepaired, or open.
        repaired_at: The rating that was back at the level; None where none was.
    """

    begins: int
    seen: int
    level: float
    depth: float
    in_one_step: bool
    state: State
    repaired_at: int | None


def ruptures(
    values: Sequence[float], threshold: float, worse: Literal[-1, 1] = -1, within: int = WITHIN
) -> list[Rupture]:
    """Return the ruptures of a series, in order; one that lasts is told once.

    Args:
        values: Ratings in order.
        threshold: Least fall, in their units; above 0. The literature uses one and two SDs.
        worse: -1 where lower ratings are worse, 1 where higher ones are.
        within: Ratings within which it counts as repaired.

    Returns:
        Nothing for fewer than four ratings: three make a level, one falls below it.
    """
    turned = [-worse * value for value in values]
    return [replace(one, level=-worse * one.level) for one in _found(turned, threshold, within)]


def _found(values: Sequence[float], threshold: float, within: int) -> Iterator[Rupture]:
    at = LEVEL_OF - 1
    while at + 1 < len(values):
        level = median(values[at - LEVEL_OF + 1 : at + 1])
        seen, end = None, at
        for end in _fall(values, at):
            if _below(level, values[end], threshold):
                seen = end
                break
        if seen is None:
            at = max(at + 1, end)
            continue
        found = _rupture(values, at, seen, level, threshold, within)
        yield found
        after = seen + within if found.repaired_at is None else found.repaired_at
        at = max(after, seen + 1)


def _rupture(
    values: Sequence[float], at: int, seen: int, level: float, threshold: float, within: int
) -> Rupture:
    next_ones = range(seen + 1, min(seen + 1 + within, len(values)))
    back = next((i for i in next_ones if values[i] >= level), None)
    last = back if back is not None else next_ones.stop - 1
    steps = (_below(values[i], values[i + 1], threshold) for i in range(at, seen))
    state: State = "open" if len(next_ones) < within else "unrepaired"
    return Rupture(
        begins=at,
        seen=seen,
        level=level,
        depth=round(level - min(values[seen : last + 1]), _DECIMALS),
        in_one_step=any(steps),
        state="repaired" if back is not None else state,
        repaired_at=back,
    )


def _fall(values: Sequence[float], at: int) -> Iterator[int]:
    """Yield the indices of the run after ``at`` that never gets better, its first step down."""
    for index in range(at + 1, len(values)):
        better = values[index] > values[index - 1]
        if better or (index == at + 1 and values[index] == values[at]):
            return
        yield index


def _below(level: float, value: float, threshold: float) -> bool:
    return round(level - value, _DECIMALS) >= threshold

"""How figures are taken: sides interleaved, medians over repeats, the spread beside them."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import psutil

_Taken = TypeVar("_Taken")


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures of one thing, taken several times.

    Attributes:
        figures: In the order in which they were taken.
    """

    figures: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle figure."""
        return statistics.median(self.figures)

    @property
    def low(self) -> float:
        """The lowest figure."""
        return min(self.figures)

    @property
    def high(self) -> float:
        """The highest figure."""
        return max(self.figures)


def measured(figures: Sequence[float]) -> Measured:
    """Return the figures as one measurement."""
    return Measured(tuple(figures))


def ratio(ours: Measured, theirs: Measured) -> Measured:
    """Return our figures over theirs, repeat by repeat.

    Both sides of a repeat ran within seconds of each other, so that a machine that is slower for
    a while moves both.
    """
    pairs = zip(ours.figures, theirs.figures, strict=True)
    return Measured(tuple(mine / other for mine, other in pairs))


def interleaved(
    sides: Mapping[str, Callable[[], _Taken]],
    repeats: int,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, list[_Taken]]:
    """Measure every side once per repeat; every other repeat runs in the opposite order.

    Args:
        sides: Name → what takes one figure.
        repeats: How often each is measured.
        say: Told what comes next.
    """
    taken: dict[str, list[_Taken]] = {name: [] for name in sides}
    for repeat in range(repeats):
        order = list(sides)[:: 1 if repeat % 2 == 0 else -1]
        for name in order:
            say(f"{name}, {repeat + 1} of {repeats}")
            taken[name].append(sides[name]())
    return taken


def percentile(figures: Sequence[float], share: float) -> float:
    """Return the figure that ``share`` (0 to 1) of all figures do not exceed."""
    ordered = sorted(figures)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def cpu_s(process: psutil.Process) -> float:
    """Return the CPU seconds that a process and its descendants have used, ended ones too."""
    used = 0.0
    for one in _family(process):
        # One that has just ended is in what its parent says of its children, who is asked later.
        with suppress(psutil.NoSuchProcess):
            used += sum(one.cpu_times()[:4])
    return used


def resident_mb(process: psutil.Process) -> float:
    """Return the resident memory of a process and its descendants, in MB (10⁶ bytes)."""
    return float(sum(one.memory_info().rss for one in _family(process)) / 1e6)


def _family(process: psutil.Process) -> Sequence[psutil.Process]:
    """Return its descendants, the youngest first, and itself."""
    return (*reversed(process.children(recursive=True)), process)

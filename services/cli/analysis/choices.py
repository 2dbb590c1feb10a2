"""What an analysis is asked, and what it answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from shared.change.reliable import Better, CutoffKind, Population
from shared.change.sudden import Criteria

Row = dict[str, Any]

NOT_ANALYSABLE: Final = "not analysable"


class Undecided(Exception):
    """Something must be said before the table can be analysed; the message says with what."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What the owner of a table decided; None means: not said.

    Attributes:
        better: Which way is better.
        instrument: Whose scores they are; None: not known.
        pre: Occasion before; each client's first where not said.
        post: Occasion after; each client's last where not said.
        sd: Of the scores before, in points; from the table where not said.
        reliability: Of the instrument, 0 to 1.
        reliability_after: The same at the second occasion; the first where not said.
        reliable_change: In points, as published; a change of at least so much is reliable.
        z: How far from 0 an index must be; the method's own where not said.
        cutoff: Between clinical and functional range, in points.
        functional: (score) → whether it is in the functional range, by an instrument's cut-off.
        cutoff_kind: Which cut-off is computed.
        clinical_population: Mean and SD; the scores before where not said.
        functional_population: Mean and SD.
        criteria: Of sudden gains and losses.
        baseline: How many first values set the limits of a chart; 0: all of them.
        floor: Least σ̂ of a chart, such as the standard error of measurement.
        last: How many last values a trend looks at; 0: all of them.
        confidence: Of an index, where no z was said, and of a slope's interval.
        thresholds: Falls that make a rupture, in points, with what they are called.
    """

    better: Better
    instrument: str | None = None
    pre: str | None = None
    post: str | None = None
    mean: float | None = None
    sd: float | None = None
    reliability: float | None = None
    reliability_after: float | None = None
    reliable_change: float | None = None
    z: float | None = None
    cutoff: float | None = None
    functional: Callable[[float], bool] | None = None
    cutoff_kind: CutoffKind | None = None
    clinical_population: Population | None = None
    functional_population: Population | None = None
    criteria: Criteria = field(default_factory=Criteria)
    baseline: int = 5
    floor: float = 0.0
    last: int = 0
    confidence: float = 0.95
    thresholds: Mapping[str, float] = field(default_factory=dict)

    @property
    def up(self) -> Literal[-1, 1]:
        """1 where higher is better, -1 where lower is."""
        return 1 if self.better == "higher" else -1

    @property
    def worse(self) -> Literal[-1, 1]:
        """The other way."""
        return -1 if self.better == "higher" else 1


@dataclass(frozen=True, slots=True)
class Found:
    """What an analysis came to.

    Attributes:
        used: What it was computed with.
        rows: In the order of the table.
        summary: Counts over all clients.
        notes: What a reader should know.
    """

    used: Row
    rows: Sequence[Row]
    summary: Row
    notes: Sequence[str] = ()

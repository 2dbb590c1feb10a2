"""What a benchmark found: rows of the table, and costs for the plan of a capacity."""

from dataclasses import dataclass, field
from typing import Any, Literal

from tests.bench.measuring import Measured


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure should reach, from section 9 of the design.

    Attributes:
        limit: The figure.
        sense: Whether it should be at least, or stay below, the limit.
        of: Whether the ratio or the value itself is meant.
    """

    limit: float
    sense: Literal["≥", "<"] = "≥"
    of: Literal["ratio", "value"] = "value"

    def met(self, figure: float) -> bool:
        """Return whether the figure reaches it."""
        return figure >= self.limit if self.sense == "≥" else figure < self.limit


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        what: What was measured.
        value: Rapport's figures.
        unit: Their unit.
        against: What it is compared with; empty where nothing is.
        other: Its figures.
        ratio: Rapport's figures over the others', repeat by repeat.
        target: What should be reached; None where nothing was set.
    """

    what: str
    value: Measured
    unit: str
    against: str = ""
    other: Measured | None = None
    ratio: Measured | None = None
    target: Target | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target was reached; None where there is none."""
        if self.target is None:
            return None
        figure = self.ratio if self.target.of == "ratio" else self.value
        return figure is not None and self.target.met(figure.median)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "what": self.what,
            "unit": self.unit,
            "rapport": _json(self.value),
            "against": self.against or None,
            "other": _json(self.other),
            "ratio": _json(self.ratio),
            "target": None
            if self.target is None
            else {"sense": self.target.sense, "limit": self.target.limit, "of": self.target.of},
            "met": self.met,
        }


@dataclass(frozen=True, slots=True)
class Cost:
    """What one event costs one part: the ground of a plan.

    Attributes:
        part: Whose cost.
        figure: How much.
        unit: Such as µs of CPU per event.
        note: What it was measured on.
    """

    part: str
    figure: float
    unit: str
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {"part": self.part, "figure": self.figure, "unit": self.unit, "note": self.note}


@dataclass(slots=True)
class Findings:
    """What one group found.

    Attributes:
        rows: Lines of the table.
        costs: Lines of the second table.
        notes: Sentences that a reader must know to understand the figures.
    """

    rows: list[Row] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def _json(measured: Measured | None) -> dict[str, Any] | None:
    if measured is None:
        return None
    return {
        "median": measured.median,
        "low": measured.low,
        "high": measured.high,
        "figures": list(measured.figures),
    }

"""From a rating's answers to its scores, exactly by the version of the instrument it carries."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ScaleScore:
    """A score in the scale's own units, and as percent of the maximum possible.

    Attributes:
        value: In the scale's own units.
        percent: 0–100; 100 is the best possible, whichever way the scale runs; None for a
            descriptive scale.
    """

    value: float
    percent: float | None


@dataclass(frozen=True, slots=True)
class Score:
    """What one rating scores.

    Attributes:
        scales: By scale name; the leading one first; empty when unscored.
        unscored_because: ``too_many_missing``, ``no_survey``, ``unknown_instrument``, or None.
        risk: Answer of each risk item that was seen, by item number.
        risk_items: Whether the risk items were ``seen``; None where the instrument has none.
    """

    scales: Mapping[str, ScaleScore]
    unscored_because: str | None
    risk: Mapping[str, float]
    risk_items: Literal["seen", "not_seen"] | None

"""What a measure of consistency is, and what it says of one phase. Pure.

A measure is one file in this folder and one line in its visible tuple ``MEASURES``. It counts
from the corrected state of one phase, up to a moment that is itself a fact, never to a clock.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from shared.alliance.reading import Fact
from shared.alliance.things import Phase
from shared.clock import format_time

Level = Literal["attention", "urgent"]
Settings = Mapping[str, Any]

_DECIMALS: Final = 3


@dataclass(frozen=True, slots=True)
class Figure:
    """What a measure says of a phase.

    Attributes:
        says: The figure as words with its numbers in them, without a full stop, blaming nobody;
            where it is not analysable, why.
        window: What it stands on, in words.
        analysable: False where data are missing; then there is no value, and none is guessed.
        value: The figure itself, in the measure's unit.
        numerator: Above the line; None where the figure is no fraction.
        denominator: Below the line; None where the figure is no fraction.
        values: What a list or a median stands on, one mapping each, in time.
        met: The level that its threshold gives; None where it is not met.
        events: The facts that count, in order.
        among: The facts of the whole window, where they are few enough to be named.
        not_counted: Reason → how many were left out, and why.
        numbers: What is shown beside it.
        due_at: When time alone would meet the threshold, if nothing else happens.
    """

    says: str
    window: str
    analysable: bool = True
    value: float | None = None
    numerator: float | None = None
    denominator: float | None = None
    values: tuple[Mapping[str, Any], ...] = ()
    met: Level | None = None
    events: Sequence[Fact] = ()
    among: Sequence[Fact] = ()
    not_counted: Mapping[str, int] = field(default_factory=dict)
    numbers: Mapping[str, Any] = field(default_factory=dict)
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure of consistency.

    Attributes:
        name: Such as ``late_starts``; the name of its file, and its key on the timeline.
        title: What it is about, in few words.
        unit: Of its value.
        definition: How it is computed, so that anybody can do it again.
        limit: Its threshold in words, with the names of settings in braces; empty without one.
        defaults: Its settings with their default values; units in the names.
        figure: (phase, up to when, settings) → what it says.
        source: Where the threshold comes from; ours are called own: they are not validated.
        rule: The rule that tells of it, whose settings are its own; empty where none does.
    """

    name: str
    title: str
    unit: str
    definition: str
    limit: str
    defaults: Settings
    figure: Callable[[Phase, datetime, Settings], Figure]
    source: str = "own, not validated"
    rule: str = ""

    def of(self, phase: Phase, at: datetime, settings: Settings | None = None) -> Figure:
        """Return the figure of a phase up to a moment; a closed phase's stands still."""
        if phase.closed_at is not None:
            at = min(at, phase.closed_at)
        return self.figure(phase, at, {**self.defaults, **(settings or {})})

    def as_json(self, figure: Figure, settings: Settings | None = None) -> dict[str, Any]:
        """Return a figure as the timeline shows it, with what it needs to be computed again."""
        chosen = {**self.defaults, **(settings or {})}
        limit = self.limit.format(**chosen)
        return {
            "title": self.title,
            "value": _rounded(figure.value),
            "unit": self.unit,
            "numerator": _rounded(figure.numerator),
            "denominator": _rounded(figure.denominator),
            "values": list(figure.values),
            "window": figure.window,
            "definition": self.definition,
            "threshold": {"words": limit, "source": self.source if limit else None, **chosen},
            "met": figure.met,
            "not_analysable_because": None if figure.analysable else figure.says,
            "not_counted": [
                {"reason": reason, "n": n} for reason, n in sorted(figure.not_counted.items())
            ],
            "numbers": dict(figure.numbers),
            "due_at": None if figure.due_at is None else format_time(figure.due_at),
            "events": [fact.event for fact in figure.events],
            "among": [fact.event for fact in figure.among],
            "words": _words(self.title, figure, limit),
        }


def not_analysable(
    because: str, window: str, not_counted: Mapping[str, int] | None = None, **numbers: Any
) -> Figure:
    """Return that data are missing, and which."""
    return Figure(because, window, False, not_counted=not_counted or {}, numbers=numbers)


def level(met: bool, urgent: bool = False) -> Level | None:
    """Return the level of a threshold that is met or not, and perhaps at once urgent."""
    if urgent:
        return "urgent"
    return "attention" if met else None


def together(*several: Mapping[str, int]) -> dict[str, int]:
    """Return the sum of what was not counted, without what never came."""
    total: Counter[str] = Counter()
    for one in several:
        total.update(one)
    return {reason: n for reason, n in sorted(total.items()) if n}


def _words(title: str, figure: Figure, limit: str) -> str:
    """Return one calm sentence: the figure, its threshold, what was not counted."""
    said = figure.says if figure.analysable else f"{title}: not analysable, {figure.says}"
    if figure.analysable and limit:
        said += f" (threshold {limit})"
    if figure.not_counted:
        left_out = ", ".join(
            f"{n} {reason.replace('_', ' ')}" for reason, n in sorted(figure.not_counted.items())
        )
        said += f"; not counted: {left_out}"
    return f"{said}."


def _rounded(value: float | None) -> float | None:
    return value if value is None or isinstance(value, int) else round(value, _DECIMALS) + 0.0

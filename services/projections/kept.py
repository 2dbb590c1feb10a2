"""What the drawings say of consistency: the timeline's figures of a phase, in a few calm lines."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

LEVELS: Final = ("urgent", "attention", None)


@dataclass(frozen=True, slots=True)
class Kept:
    """One figure of consistency.

    Attributes:
        phase: Whose, where several phases are told of; empty where there is one.
        title: What it is about.
        says: The figure, its threshold and what was not counted, as one sentence.
        met: ``attention`` or ``urgent`` where its threshold is met, else None.
        analysable: False where data are missing.
        telling: Whether something counted, or was left out: worth a line of its own.
    """

    phase: str
    title: str
    says: str
    met: str | None
    analysable: bool
    telling: bool


def kept(phases: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> tuple[Kept, ...]:
    """Return the figures of the phases that are open, else of the last one.

    Args:
        phases: As they stand on the timeline.
        labels: How each is called where there are several.
    """
    pairs = list(zip(phases, labels, strict=True))
    told = [pair for pair in pairs if pair[0]["closed_at"] is None] or pairs[-1:]
    return tuple(
        _kept(figure, label if len(told) > 1 else "")
        for phase, label in told
        for figure in phase["consistency"].values()
    )


def lines(figures: Sequence[Kept]) -> Iterable[tuple[str | None, str]]:
    """Yield what is worth a line of its own, the most urgent first; then the rest by name.

    Yields:
        The level that is met, if one is, and the sentence.
    """
    telling = [one for one in figures if one.met or one.telling]
    for one in sorted(telling, key=lambda one: LEVELS.index(one.met)):
        yield one.met, f"{one.phase}: {one.says}" if one.phase else one.says
    rest = [one for one in figures if one not in telling]
    for said, analysable in (("Nothing to tell", True), ("Not analysable", False)):
        titles = dict.fromkeys(one.title for one in rest if one.analysable is analysable)
        if titles:
            yield None, f"{said}: {'; '.join(title.lower() for title in titles)}."


def _kept(figure: Mapping[str, Any], phase: str) -> Kept:
    return Kept(
        phase=phase,
        title=figure["title"],
        says=figure["words"],
        met=figure["met"],
        analysable=figure["not_analysable_because"] is None,
        telling=bool(figure["numerator"] or figure["not_counted"])
        and figure["not_analysable_because"] is None,
    )

"""What an instrument is: a questionnaire's items, scales and published numbers.

One data file per instrument and version lies in ``shared/instruments`` (``phq-9.v1.toml``);
``INSTRUMENTS`` holds them all. A published file never changes in what it scores: a mistake is a
new version.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Any, Literal

from shared import instrument_file

Direction = Literal["higher", "lower", "descriptive"]
Form = Literal["sum", "mean"]
Construct = Literal["alliance", "outcome", "session"]
Rater = Literal[
    "client", "therapist", "observer", "supervisor", "parent_or_carer", "partner", "teacher"
]


@dataclass(frozen=True, slots=True)
class Item:
    """One question.

    Attributes:
        number: Its name in a rating's ``items``, such as ``"9"``.
        minimum: Lowest answer.
        maximum: Highest answer.
        step: Smallest difference between answers (1, or 0.1 on a visual analogue scale).
        reversed: Scored as minimum + maximum - answer.
        risk: ``"self"`` or ``"others"`` for a risk item, else None.
        text: What it asks; empty where the licence does not let us ship it.
    """

    number: str
    minimum: float
    maximum: float
    step: float = 1.0
    reversed: bool = False
    risk: Literal["self", "others"] | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a part of the file comes from.

    Attributes:
        about: ``items``, ``scales``, ``missing``, ``reversed``, ``risk`` or ``bands``.
        source: Where it was published.
        verified: False until somebody has checked the source.
    """

    about: str
    source: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Band:
    """A published range of a scale, such as *moderate*: from ``low`` to ``high``, inclusive."""

    low: float
    high: float
    label: str


@dataclass(frozen=True, slots=True)
class Cutoff:
    """A published threshold.

    Attributes:
        value: In the scale's own units.
        meets: Whether a score ``below`` it, or ``at_or_above`` it, is the one that matters.
        meaning: What that says, such as ``concern`` or ``caseness``.
        source: Where it was published.
        verified: False until somebody has checked the source.
        rater: Whose ratings it holds for; None: everybody's.
    """

    value: float
    meets: Literal["below", "at_or_above"]
    meaning: str
    source: str
    verified: bool
    rater: Rater | None = None


@dataclass(frozen=True, slots=True)
class ReliableChange:
    """How much must change before it is more than the noise of measurement.

    Attributes:
        value: In the scale's own units; a change of at least this much is reliable.
        confidence: 0.95, or 0.90 where the source gives that.
        source: Where the value, or the SD and reliability it is computed from, was published.
        verified: False until somebody has checked the source.
        computed: True when it was computed here from ``sd`` and ``reliability``.
        reliability: What it was computed from, 0–1, else None.
        kind: Of the reliability: Cronbach's alpha, or of a retest.
    """

    value: float
    confidence: float
    source: str
    verified: bool
    computed: bool = False
    reliability: float | None = None
    kind: Literal["alpha", "retest"] | None = None


@dataclass(frozen=True)
class Scale:
    """A score that is computed from items.

    Attributes:
        name: Such as ``total`` or ``bond``.
        items: Numbers of its items, in order; empty where the map is not ours to ship.
        size: How many items it has.
        compute: ``sum``, or ``mean``; times ``multiplier``.
        multiplier: 1, or 10 for the CORE family.
        minimum: Lowest possible score.
        maximum: Highest possible score.
        direction: Which way is better.
        max_missing: How many items may be unanswered (person mean of the others stands in).
        rounds_missing: Whether that mean is rounded, half up, to a whole answer.
        parts: Names of the scales that it is the sum, or the mean, of; then it has a score where
            all of them do.
        sd: Standard deviation, where published (the reliable change is computed from it).
        sem: Standard error of measurement, where it follows from published numbers, else None.
        reliable_change: None where nothing is published: then change is *not analysable*.
        cutoffs: Published thresholds.
        bands: Published ranges, from low to high.
    """

    name: str
    items: tuple[str, ...]
    size: int
    compute: Literal["sum", "mean"]
    multiplier: float
    minimum: float
    maximum: float
    direction: Direction
    max_missing: int
    sd: float | None = None
    sem: float | None = None
    reliable_change: ReliableChange | None = None
    cutoffs: tuple[Cutoff, ...] = ()
    bands: tuple[Band, ...] = ()
    parts: tuple[str, ...] = ()
    rounds_missing: bool = False

    @cached_property
    def factor(self) -> float:
        """By what the mean answer is multiplied: a sum is so many times the mean."""
        return self.multiplier * (self.size if self.compute == "sum" else 1)

    def cutoff_for(self, rater: str) -> Cutoff | None:
        """Return the leading cut-off that holds for a rater's ratings, or None."""
        hold = (cutoff for cutoff in self.cutoffs if cutoff.rater in (None, rater))
        return next(hold, None)

    def band(self, value: float) -> Band | None:
        """Return the band that a score falls in: the last one that begins at or below it."""
        reached = [band for band in self.bands if band.low <= value]
        return reached[-1] if reached else None


@dataclass(frozen=True)
class Instrument:
    """One version of one questionnaire.

    Attributes:
        key: Such as ``phq-9``.
        version: Such as ``1``.
        title: Its full name.
        construct: ``alliance`` (of the relationship), ``outcome`` (of the client's state) or
            ``session`` (of how one session was, which is neither).
        raters: Who fills it in.
        items: By number, in order.
        scales: The ``total`` (or, where there is none, the leading scale) first.
        accepts: Which parts a sender may give: ``items``, ``scales``, ``total``.
        licence: What may be stored and shipped, in words.
        rhythm: Recommended rhythm, in words.
        facets: Scale name → facets it speaks to (domain.md section 7).
        sources: Where the numbers come from.
        validated: False for ``pulse``, which is ours.
        forms: How a sender may have computed scales and total; two of them: they must say which
            (``scored_as``). The first is the one that scores are kept in.
        complete_only: True where a form with any answer missing has no score at all.
        variant: True where only ratings that name this version get it, being another way to
            score the same questionnaire.
        risk_items: Numbers of the risk items.
        marks: Where each part of the file comes from, and whether that was checked.
        notes: What a reader of the scores should know.
    """

    key: str
    version: str
    title: str
    construct: Construct
    raters: tuple[Rater, ...]
    items: Mapping[str, Item]
    scales: tuple[Scale, ...]
    accepts: tuple[str, ...]
    licence: str
    rhythm: str
    facets: Mapping[str, tuple[str, ...]]
    sources: tuple[str, ...]
    validated: bool = True
    forms: tuple[Form, ...] = ("sum",)
    complete_only: bool = False
    variant: bool = False
    risk_items: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    notes: tuple[str, ...] = ()

    @cached_property
    def reversed_items(self) -> tuple[str, ...]:
        """Numbers of the items that are turned round."""
        return tuple(item.number for item in self.items.values() if item.reversed)

    @property
    def leading(self) -> Scale:
        """The scale that stands for the whole: the total, or the first."""
        return self.scales[0]

    def scale(self, name: str) -> Scale | None:
        """Return the scale of that name, or None."""
        return next((scale for scale in self.scales if scale.name == name), None)


Z = {0.95: 1.96, 0.90: 1.645}
"""Two-sided normal quantiles, as Jacobson and Truax (1991) use them."""


def load(name: str, text: str) -> Instrument:
    """Return the instrument that a data file describes.

    Args:
        name: The file's name, ``<key>.v<version>.toml``.
        text: Its TOML.

    Raises:
        ConfigurationError: with every problem that was found.
    """
    said = instrument_file.read(name, text)
    plain = {
        field: said[field]
        for field in ("key", "version", "title", "construct", "licence", "rhythm", "validated",
                      "complete_only", "variant")
    }  # fmt: skip
    return Instrument(
        **plain,
        raters=tuple(said["raters"]),
        items=_items(said["items"]),
        risk_items=tuple(sorted(said["items"]["risk"], key=int)),
        scales=tuple(_scale(said["items"], scale) for scale in said["scales"]),
        accepts=tuple(said["accepts"]),
        forms=tuple(said["forms"]),
        facets={scale: tuple(facets) for scale, facets in said["facets"].items()},
        sources=tuple(said["sources"]),
        marks=tuple(Mark(**mark) for mark in said["marks"]),
        notes=tuple(said["notes"]),
    )


@lru_cache(maxsize=256)
def latest(key: str) -> Instrument | None:
    """Return the newest version of an instrument that is no variant; None: no such key."""
    versions = [one for one in INSTRUMENTS.values() if one.key == key and not one.variant]
    return max(versions, key=lambda one: int(one.version), default=None)


def _items(said: Mapping[str, Any]) -> dict[str, Item]:
    return {
        str(number): Item(
            number=str(number),
            minimum=said["minimum"],
            maximum=said["maximum"],
            step=said["step"],
            reversed=number in said["reversed"],
            risk=said["risk"].get(str(number)),
            text=said["texts"][number - 1] if said["texts"] else "",
        )
        for number in range(1, said["count"] + 1)
    }


def _scale(items: Mapping[str, Any], said: Mapping[str, Any]) -> Scale:
    minimum, maximum = instrument_file.scale_range(items, said)
    change = _reliable_change(said["reliable_change"])
    return Scale(
        name=said["name"],
        items=tuple(str(number) for number in said["items"]),
        size=said["size"],
        compute=said["compute"],
        multiplier=said["multiplier"],
        minimum=minimum,
        maximum=maximum,
        direction=said["direction"],
        max_missing=said["max_missing"],
        sd=(said["reliable_change"] or {}).get("sd"),
        sem=None if change is None else change.value / (math.sqrt(2) * Z[change.confidence]),
        reliable_change=change,
        cutoffs=tuple(Cutoff(**cutoff) for cutoff in said["cutoffs"]),
        bands=tuple(Band(**band) for band in said["bands"]),
        parts=tuple(said["parts"]),
        rounds_missing=said["rounds_missing"],
    )


def _reliable_change(said: Mapping[str, Any] | None) -> ReliableChange | None:
    """Return the published value, or z·√2·SD·√(1−r) (Jacobson and Truax 1991)."""
    if said is None:
        return None
    given = {name: said[name] for name in said.keys() - {"value", "sd"}}
    if "value" in said:
        return ReliableChange(said["value"], computed=False, **given)
    error = Z[said["confidence"]] * math.sqrt(2) * said["sd"]
    return ReliableChange(error * math.sqrt(1 - said["reliability"]), computed=True, **given)


class _Library(Mapping[tuple[str, str], Instrument]):
    """Every data file, read when the first of them is asked for: an import does nothing."""

    @cached_property
    def _all(self) -> dict[tuple[str, str], Instrument]:
        paths = sorted(files("shared.instruments").iterdir(), key=lambda path: path.name)
        found = [path for path in paths if path.name.endswith(".toml")]
        loaded = [load(path.name, path.read_text("utf-8")) for path in found]
        return {(instrument.key, instrument.version): instrument for instrument in loaded}

    def __getitem__(self, key: tuple[str, str]) -> Instrument:
        return self._all[key]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)


INSTRUMENTS: Mapping[tuple[str, str], Instrument] = _Library()
"""Every published instrument by (key, version)."""

"""What an instrument is: a questionnaire's items, scales and published numbers.

One data file per instrument and version lies in ``shared/instruments``; ``INSTRUMENTS`` holds them
all. A published file never changes in what it scores: a mistake is a new version.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Direction = Literal["higher", "lower", "descriptive"]
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
    """

    number: str
    minimum: float
    maximum: float
    step: float = 1.0
    reversed: bool = False
    risk: Literal["self", "others"] | None = None


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
    """

    value: float
    meets: Literal["below", "at_or_above"]
    meaning: str
    source: str
    verified: bool


@dataclass(frozen=True, slots=True)
class ReliableChange:
    """How much must change before it is more than the noise of measurement.

    Attributes:
        value: In the scale's own units; a change of at least this much is reliable.
        confidence: 0.95, or 0.90 where the source gives that.
        source: Where the value, or the SD and reliability it is computed from, was published.
        verified: False until somebody has checked the source.
        computed: True when it was computed here from ``sd`` and ``reliability``.
    """

    value: float
    confidence: float
    source: str
    verified: bool
    computed: bool = False


@dataclass(frozen=True, slots=True)
class Scale:
    """A score that is computed from items.

    Attributes:
        name: Such as ``total`` or ``bond``.
        items: Numbers of its items, in order.
        compute: ``sum``, or ``mean``; times ``multiplier``.
        multiplier: 1, or 10 for the CORE family.
        minimum: Lowest possible score.
        maximum: Highest possible score.
        direction: Which way is better.
        max_missing: How many items may be unanswered (person mean of the others stands in).
        sd: Standard deviation, where published (the reliable change is computed from it).
        sem: Standard error of measurement, where it follows from published numbers, else None.
        reliable_change: None where nothing is published: then change is *not analysable*.
        cutoffs: Published thresholds.
        bands: Published ranges, from low to high.
    """

    name: str
    items: tuple[str, ...]
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


@dataclass(frozen=True, slots=True)
class Instrument:
    """One version of one questionnaire.

    Attributes:
        key: Such as ``phq-9``.
        version: Such as ``1``.
        title: Its full name.
        construct: ``alliance`` (of the relationship) or ``outcome`` (of the client's state).
        raters: Who fills it in.
        items: By number, in order.
        scales: The ``total`` (or, where there is none, the leading scale) first.
        accepts: Which parts a sender may give: ``items``, ``scales``, ``total``.
        licence: What may be stored and shipped, in words.
        rhythm: Recommended rhythm, in words.
        facets: Scale name → facets it speaks to (domain.md section 7).
        sources: Where the numbers come from.
        validated: False for ``pulse``, which is ours.
    """

    key: str
    version: str
    title: str
    construct: Literal["alliance", "outcome"]
    raters: tuple[Rater, ...]
    items: Mapping[str, Item]
    scales: tuple[Scale, ...]
    accepts: tuple[str, ...]
    licence: str
    rhythm: str
    facets: Mapping[str, tuple[str, ...]]
    sources: tuple[str, ...]
    validated: bool = True

    @property
    def leading(self) -> Scale:
        """The scale that stands for the whole: the total, or the first."""
        return self.scales[0]

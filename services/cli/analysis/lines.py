"""The cut-off between the clinical and the functional range, and on which side a score lies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from services.cli.analysis.choices import Choices, Row, Undecided
from shared.change import reliable
from shared.change.group_level import share_functional
from shared.change.reliable import METHODS, Population, Sample, Side

DECIMALS: Final = 9

HAGEMAN_ARRINDELL: Final = "hageman-arrindell"
"""The one method with a significance of its own: of an estimated true score."""

_Side = Callable[[float], Side | None]


def _nowhere(_: float) -> None:
    return None


def _nothing(_: float) -> Row:
    return {}


@dataclass(frozen=True, slots=True)
class Line:
    """A cut-off, and what is said of it.

    Attributes:
        used: What it was computed from.
        drawn: Whether there is one.
        before: (score before) → where it lies.
        after: (score after) → the same.
        columns: What it adds to a client's row.
        said: (score after) → those columns.
        summed: What it adds of the whole group.
    """

    used: Row
    drawn: bool = True
    before: _Side = _nowhere
    after: _Side = _nowhere
    columns: Sequence[str] = ()
    said: Callable[[float], Row] = _nothing
    summed: Row = field(default_factory=dict)


def line_of(method: str, sample: Sample | None, choices: Choices) -> Line:
    """Return the cut-off that a method uses.

    A score exactly at it is in neither range, as Claus et al. have it; a published cut-off says
    itself which side it belongs to.

    Raises:
        Undecided: when a population that it is computed from was not given.
    """
    if choices.cutoff is None and choices.cutoff_kind is None:
        return _published(choices.functional)
    value, said = choices.cutoff, {}
    clinical = choices.clinical_population or (None if sample is None else sample.pre)
    if choices.cutoff_kind is not None:
        value = _computed(method, clinical, choices)
        said = {"cutoff_kind": choices.cutoff_kind}
    line = value or 0.0
    used: Row = {**said, "cutoff": value}

    def side(score: float) -> Side:
        return _side(choices.up * (score - line))

    if method != HAGEMAN_ARRINDELL or clinical is None or sample is None:
        return Line(used, before=side, after=side)
    return _of_true_scores(Line(used, before=side), line, clinical, sample.post, choices)


def _published(functional: Callable[[float], bool] | None) -> Line:
    used: Row = {"cutoff": None}
    if functional is None:
        return Line(used, drawn=False)

    def side(score: float) -> Side:
        return "functional" if functional(score) else "clinical"

    return Line(used, before=side, after=side)


def _computed(method: str, clinical: Population | None, choices: Choices) -> float:
    kind, functional = choices.cutoff_kind, choices.functional_population
    try:
        if method == HAGEMAN_ARRINDELL and clinical and choices.reliability is not None and kind:
            return reliable.true_cutoff(
                kind, choices.better, clinical, functional, choices.reliability
            )
        return reliable.cutoff(kind or "c", choices.better, clinical, functional)
    except ValueError as error:
        raise Undecided(f"{error}: --clinical MEAN SD, --functional MEAN SD") from error


def _of_true_scores(
    drawn: Line, line: float, clinical: Population, after: Population, choices: Choices
) -> Line:
    """Return the line of Hageman and Arrindell: the score after must lie beyond it reliably."""
    error = reliable.standard_error(clinical.sd, choices.reliability or 0.0)
    z = choices.z or METHODS[HAGEMAN_ARRINDELL].z_at(choices.confidence)

    def index(post: float) -> float | None:
        return reliable.individual_significance(post, line, after, error)

    def side(post: float) -> Side | None:
        found = index(post)
        if found is None:
            return None
        beyond = round(abs(found), DECIMALS) > z
        return _side(choices.up * found) if beyond else None

    return Line(
        drawn.used,
        before=drawn.before,
        after=side,
        columns=("cs_indiv",),
        said=lambda post: {"cs_indiv": index(post)},
        summed={"share_functional": share_functional(choices.better, line, after, error)},
    )


def _side(away: float) -> Side:
    """Return the side of a score that lies so far from the line, towards health."""
    away = round(away, DECIMALS)
    return "line" if away == 0 else "functional" if away > 0 else "clinical"

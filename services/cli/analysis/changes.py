"""Change between two occasions: an index or points, a cut-off, and the category it comes to."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Literal

from services.cli.analysis.choices import NOT_ANALYSABLE, Choices, Found, Row, Undecided
from services.cli.analysis.table import Course, ScoreTable
from shared.change import reliable
from shared.change.reliable import CATEGORIES, METHODS, Noise, Population, Sample, category

DECIMALS: Final = 9
"""Differences are rounded here, so that 36.1 − 30.1 is a change of 6."""

_Pair = tuple[tuple[str, float], tuple[str, float]]

NOBODY: Final = Sample(Population(0.0, 0.0), Population(0.0, 0.0), None, 0)


def _changes(table: ScoreTable, choices: Choices, *, method: str) -> Found:
    pairs = {course.client: _pair(course, choices) for course in table.courses}
    both = [(pair[0][1], pair[1][1]) for pair in pairs.values() if pair is not None]
    sample = reliable.describe(both)
    seen = _yardstick(method, sample, choices)
    line, functional = _line(sample, choices)
    rows = [_row(client, pair, seen, functional) for client, pair in pairs.items()]
    used = {"better": choices.better, **seen.used, **line}
    notes = [] if functional else ["No cut-off was given: nobody can be recovered or harmed."]
    return Found(used, rows, _categories(rows), notes)


def _pair(course: Course, choices: Choices) -> _Pair | None:
    """Return (occasion, score) before and after, or None where one is missing."""
    scored = [(occasion, score) for occasion, _, score in course.scored]
    named = dict(scored)
    first = choices.pre or (scored[0][0] if scored else "")
    last = choices.post or (scored[-1][0] if scored else "")
    if first == last or first not in named or last not in named:
        return None
    return (first, named[first]), (last, named[last])


def _row(
    client: str,
    pair: _Pair | None,
    seen: "_Yardstick",
    functional: Callable[[float], bool | None] | None,
) -> Row:
    if pair is None:
        empty = dict.fromkeys(("before", "pre", "after", "post", "change", "rci"))
        return {"client": client, **empty, "category": NOT_ANALYSABLE}
    (first, pre), (last, post) = pair
    index, moved = seen.index(pre, post), round(post - pre, DECIMALS)
    way = seen.reliable(moved, index)
    was, now = (None if functional is None else functional(score) for score in (pre, post))
    kind = None if way is None else category(way, was_functional=was, is_functional=now)
    return {
        "client": client,
        "before": first,
        "pre": pre,
        "after": last,
        "post": post,
        "change": moved,
        "rci": index,
        "category": kind or NOT_ANALYSABLE,
    }


@dataclass(frozen=True, slots=True)
class _Yardstick:
    """What a change is compared with."""

    used: Row
    index: Callable[[float, float], float | None]
    reliable: Callable[[float, float | None], Literal[-1, 0, 1] | None]


def _yardstick(method: str, sample: Sample | None, choices: Choices) -> _Yardstick:
    if choices.reliability is None and choices.reliable_change is not None:
        if method != "jacobson-truax":
            raise Undecided(f"{method} needs the instrument's reliability: --reliability 0.85")
        return _published(choices.reliable_change, choices)
    if choices.reliability is None:
        raise Undecided(
            "how much noise is there? Give --reliability (0 to 1), or a published"
            " --reliable-change in points, or an --instrument that has one"
        )
    if sample is None and method != "jacobson-truax":
        raise Undecided(f"fewer than two clients have both scores: {method} needs their mean")
    if sample is None and choices.sd is None:
        raise Undecided("fewer than two clients have both scores: give --sd")
    known = sample is not None
    sample = sample or NOBODY
    if choices.sd is not None:
        sample = replace(sample, pre=Population(sample.pre.mean, choices.sd))
    after = choices.reliability_after
    noise = Noise(sample, choices.reliability, choices.reliability if after is None else after)
    how = METHODS[method]
    z = choices.z or how.z
    used: Row = {
        "mean_before": sample.pre.mean if known else None,
        "sd_before": sample.pre.sd,
        "mean_after": sample.post.mean if known else None,
        "sd_after": sample.post.sd if known else None,
        "correlation": sample.correlation,
        "reliability": choices.reliability,
        "standard_error": noise.error,
        "z": z,
    }
    if method == "jacobson-truax":
        used["reliable_change"] = reliable.reliable_change(sample.pre.sd, choices.reliability, z)
    return _Yardstick(
        used,
        lambda pre, post: how.index(pre, post, noise),
        lambda _, index: None if index is None else _way(choices.up * index, z, at_least=False),
    )


def _published(needed: float, choices: Choices) -> _Yardstick:
    return _Yardstick(
        {"reliable_change": needed},
        lambda _, __: None,
        lambda moved, _: _way(choices.up * moved, needed, at_least=True),
    )


def _way(better_by: float, needed: float, *, at_least: bool) -> Literal[-1, 0, 1]:
    """Return whether a change is reliable: beyond an index, or at least a published value."""
    if abs(better_by) < needed or (abs(better_by) == needed and not at_least):
        return 0
    return 1 if better_by > 0 else -1


def _line(
    sample: Sample | None, choices: Choices
) -> tuple[Row, Callable[[float], bool | None] | None]:
    """Return the cut-off that is used, and whether a score lies in the functional range.

    A score exactly at the cut-off is in neither range, as Claus et al. have it.
    """
    if choices.cutoff is None and choices.cutoff_kind is None:
        return {"cutoff": choices.cutoff}, choices.functional
    value, said = choices.cutoff, {}
    if choices.cutoff_kind is not None:
        clinical = choices.clinical_population or (None if sample is None else sample.pre)
        try:
            value = reliable.cutoff(
                choices.cutoff_kind, choices.better, clinical, choices.functional_population
            )
        except ValueError as error:
            raise Undecided(f"{error}: --clinical MEAN SD, --functional MEAN SD") from error
        said = {"cutoff_kind": choices.cutoff_kind}
    line = value or 0.0

    def functional(score: float) -> bool | None:
        away = round(choices.up * (score - line), DECIMALS)
        return None if away == 0 else away > 0

    return {**said, "cutoff": value}, functional


def _categories(rows: Sequence[Row]) -> Row:
    counted = Counter(row["category"] for row in rows)
    analysed = len(rows) - counted[NOT_ANALYSABLE]
    shares: Row = {
        one: f"{counted[one]} of {analysed} ({100 * counted[one] / analysed:.1f} %)"
        for one in CATEGORIES
        if analysed
    }
    return {"clients": len(rows), "analysed": analysed,
            "not_analysable": counted[NOT_ANALYSABLE], **shares}  # fmt: skip


CHANGES: Final[Mapping[str, Callable[[ScoreTable, Choices], Found]]] = {
    name: partial(_changes, method=name) for name in METHODS
}

"""Change between two occasions: an index or points, a cut-off, and the category it comes to."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, Literal

from services.cli.analysis.choices import NOT_ANALYSABLE, Choices, Found, Row, Undecided
from services.cli.analysis.figures import share
from services.cli.analysis.lines import HAGEMAN_ARRINDELL, Line, line_of
from services.cli.analysis.table import Course, ScoreTable
from shared.change import reliable
from shared.change.group_level import share_changed
from shared.change.reliable import CATEGORIES, METHODS, Noise, Population, Sample, category

DECIMALS: Final = 9
"""Differences are rounded here, so that 36.1 − 30.1 is a change of 6."""

_Pair = tuple[tuple[str, float], tuple[str, float]]

NEED_BOTH_MEANS: Final = frozenset({"hsu-linn-lord", HAGEMAN_ARRINDELL})
"""Methods that look at how the whole group moved."""

NOBODY: Final = Sample(Population(0.0, 0.0), Population(0.0, 0.0), None, 0)


def _changes(table: ScoreTable, choices: Choices, *, method: str) -> Found:
    first, last = (_occasion(table, named) for named in (choices.pre, choices.post))
    if first is not None and first == last:
        raise Undecided("--pre, --post: name two occasions")
    pairs = {course.client: _pair(course, first, last) for course in table.courses}
    both = [(pair[0][1], pair[1][1]) for pair in pairs.values() if pair is not None]
    sample = reliable.describe(both)
    seen = _yardstick(method, sample, choices)
    line = line_of(method, sample, choices)
    rows = [_row(client, pair, seen, line) for client, pair in pairs.items()]
    used = {"better": choices.better, **seen.used, **line.used}
    summary = {**_categories(rows), **seen.summed, **line.summed, **_by_group(table, rows)}
    return Found(used, rows, summary, _notes(line, [pre for pre, _ in both]))


def _notes(line: Line, before: Sequence[float]) -> list[str]:
    if not line.drawn:
        return ["No cut-off was given: nobody can be recovered or harmed."]
    healthy = sum(line.before(score) == "functional" for score in before)
    if not healthy:
        return []
    return [f"{healthy} of {len(before)} were in the functional range before: they can improve,"
            " and not recover."]  # fmt: skip


def _occasion(table: ScoreTable, named: str | None) -> str | None:
    if named is None:
        return None
    found = table.occasion(named)
    if found is None:
        some = ", ".join(table.occasions[:20])
        raise Undecided(f"there is no occasion {named!r}; the table has: {some}")
    return found


def _pair(course: Course, first: str | None, last: str | None) -> _Pair | None:
    """Return (occasion, score) before and after, or None where one is missing."""
    scored = [(occasion, score) for occasion, _, score in course.scored]
    named = dict(scored)
    first = first or (scored[0][0] if scored else "")
    last = last or (scored[-1][0] if scored else "")
    if first == last or first not in named or last not in named:
        return None
    return (first, named[first]), (last, named[last])


def _row(client: str, pair: _Pair | None, seen: "_Yardstick", line: Line) -> Row:
    if pair is None:
        empty = dict.fromkeys(("before", "pre", "after", "post", "change", "rci", *line.columns))
        return {"client": client, **empty, "category": NOT_ANALYSABLE}
    (first, pre), (last, post) = pair
    index, moved = seen.index(pre, post), round(post - pre, DECIMALS)
    way = seen.reliable(moved, index)
    was, now = line.before(pre), line.after(post)
    return {
        "client": client,
        "before": first,
        "pre": pre,
        "after": last,
        "post": post,
        "change": moved,
        "rci": index,
        **line.said(post),
        "category": NOT_ANALYSABLE if way is None else category(way, was=was, now=now),
    }


@dataclass(frozen=True, slots=True)
class _Yardstick:
    """What a change is compared with; ``summed`` is what is said of the whole group."""

    used: Row
    index: Callable[[float, float], float | None]
    reliable: Callable[[float, float | None], Literal[-1, 0, 1] | None]
    summed: Row = field(default_factory=dict)


def _yardstick(method: str, sample: Sample | None, choices: Choices) -> _Yardstick:
    if choices.reliability is None and choices.reliable_change is not None:
        if method != "jacobson-truax":
            raise Undecided(f"{method} needs the instrument's reliability: --reliability 0.85")
        return _published(choices.reliable_change, choices)
    if choices.reliability is None:
        why = (
            "how much noise is there?"
            if choices.instrument is None
            else f"no reliable change is published here for {choices.instrument}:"
        )
        raise Undecided(
            f"{why} Give --reliability (0 to 1), or a published --reliable-change in points, or"
            " an --instrument that has one"
        )
    known = sample is not None or choices.mean is not None
    noise = _noise(method, sample, choices)
    sample = noise.sample
    how = METHODS[method]
    z = choices.z or how.z_at(choices.confidence)
    used: Row = {
        "mean_before": sample.pre.mean if known else None,
        "sd_before": sample.pre.sd,
        "mean_after": sample.post.mean if sample.n else None,
        "sd_after": sample.post.sd if sample.n else None,
        "correlation": sample.correlation,
        "reliability": choices.reliability,
        "standard_error": noise.error,
        "z": z,
    }
    if method == "jacobson-truax":
        used["standard_error_of_difference"] = reliable.reliable_change(
            sample.pre.sd, choices.reliability, z=1
        )
        used["reliable_change"] = reliable.reliable_change(sample.pre.sd, choices.reliability, z)
    return _Yardstick(
        used,
        lambda pre, post: how.index(pre, post, noise),
        lambda _, index: None if index is None else _way(choices.up * index, z, at_least=False),
        {"share_changed": share_changed(choices.better, noise)}
        if method == HAGEMAN_ARRINDELL
        else {},
    )


def _noise(method: str, sample: Sample | None, choices: Choices) -> Noise:
    """Return what an index is computed with: as told, else from the table's own scores.

    Raises:
        Undecided: when the table has too few for what was not told.
    """
    if sample is None and method in NEED_BOTH_MEANS:
        raise Undecided(f"fewer than two clients have both scores: {method} needs their means")
    if sample is None and method != "jacobson-truax" and choices.mean is None:
        raise Undecided(
            f"fewer than two clients have both scores: {method} needs a mean before: --mean"
        )
    if sample is None and choices.sd is None:
        raise Undecided("fewer than two clients have both scores: give --sd")
    sample = sample or NOBODY
    mean = sample.pre.mean if choices.mean is None else choices.mean
    sample = replace(sample, pre=Population(mean, choices.sd or sample.pre.sd))
    before, after = choices.reliability or 0.0, choices.reliability_after
    return Noise(sample, before, before if after is None else after)


def _published(needed: float, choices: Choices) -> _Yardstick:
    return _Yardstick(
        {"reliable_change": needed},
        lambda _, __: None,
        lambda moved, _: _way(choices.up * moved, needed, at_least=True),
    )


def _way(better_by: float, needed: float, *, at_least: bool) -> Literal[-1, 0, 1]:
    """Return whether a change is reliable: beyond an index, or at least a published value."""
    size = round(abs(better_by), DECIMALS)
    if size < needed or (size == needed and not at_least):
        return 0
    return 1 if better_by > 0 else -1


def _categories(rows: Sequence[Row]) -> Row:
    counted = Counter(row["category"] for row in rows)
    analysed = len(rows) - counted[NOT_ANALYSABLE]
    shares: Row = {one: share(counted[one], analysed) for one in CATEGORIES if analysed}
    return {"clients": len(rows), "analysed": analysed,
            "not_analysable": counted[NOT_ANALYSABLE], **shares}  # fmt: skip


def _by_group(table: ScoreTable, rows: Sequence[Row]) -> Row:
    """Return each group's own counts; what they were compared with comes from everybody."""
    group_of = {course.client: course.group for course in table.courses}
    by_group: dict[str, list[Row]] = {}
    for row in rows:
        if (group := group_of[row["client"]]) is not None:
            by_group.setdefault(group, []).append(row)
    return {
        f"{one}_in_{group}": value
        for group, own in by_group.items()
        for one, value in _categories(own).items()
        if one != "clients"
    }


CHANGES: Final[Mapping[str, Callable[[ScoreTable, Choices], Found]]] = {
    name: partial(_changes, method=name) for name in METHODS
}

"""In which order occasions come: as numbers, as dates, else as the table has them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Final, Literal

Unit = Literal["days", "occasions"]
"""What times are counted in: ``days`` for dates, ``occasions`` for numbers and names."""

_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NUMBERED: Final = re.compile(r"(\D*?)[ _.-]*(\d+)", re.ASCII)
"""A name that ends in a number, such as ``s10``, ``T2`` or ``week 4``."""

_DATED: Final = re.compile(r"\d+[./-]\d+[./-]\d+", re.ASCII)
"""What may be a date; which of its numbers is the month, nobody knows."""

SHOWN: Final = 20
"""Names that are listed."""

MOST: Final = 1e12
"""Larger numbers are no scores and no occasions."""


@dataclass(frozen=True, slots=True)
class Order:
    """Where each occasion stands.

    Attributes:
        times: By the occasion as it is written.
        unit: What they are counted in.
        notes: What a reader should know of it.
    """

    times: Mapping[str, float]
    unit: Unit
    notes: tuple[str, ...] = ()


def ordered(by_client: Iterable[Sequence[str]]) -> Order:
    """Return the order of all occasions of a table.

    Args:
        by_client: Each client's own occasions, in the order of the table's lines.
    """
    rows = list(by_client)
    every = list(dict.fromkeys(occasion for row in rows for occasion in row))
    if (numbers := _numbers(every)) is not None:
        return Order(numbers, "occasions")
    if (days := _days(every)) is not None:
        return Order(days, "days")
    if (numbered := _numbered(every)) is not None:
        return Order(numbered, "occasions")
    names, agreed = _named(every, rows)
    said = f"Occasions are names, taken in this order: {', '.join(names[:SHOWN])}"
    said += ", …" if len(names) > SHOWN else "."
    if any(_DATED.search(name) for name in names):
        said += " Dates are read where they are written 2026-01-31, all of them."
    if not agreed:
        said += " Not every client has them in that order: write numbers or dates to be sure."
    return Order({name: float(at) for at, name in enumerate(names)}, "occasions", (said,))


def number(written: str) -> float | None:
    """Return a number as it is written in plain digits, else None (``1_000`` is none)."""
    if not _NUMBER.fullmatch(written):
        return None
    value = float(written)
    return value if abs(value) <= MOST else None


def _numbers(occasions: Sequence[str]) -> dict[str, float] | None:
    found = {occasion: number(occasion) for occasion in occasions}
    known = {occasion: value for occasion, value in found.items() if value is not None}
    return known if len(known) == len(found) else None


def _numbered(occasions: Sequence[str]) -> dict[str, float] | None:
    """Return the numbers of names that differ in their number alone, such as s1, s2, s10."""
    found = {occasion: _NUMBERED.fullmatch(occasion) for occasion in occasions}
    known = {occasion: match for occasion, match in found.items() if match is not None}
    if len(known) < len(found) or len({match[1].casefold() for match in known.values()}) > 1:
        return None
    return {occasion: float(match[2]) for occasion, match in known.items()}


def _days(occasions: Sequence[str]) -> dict[str, float] | None:
    """Return days since the first date; ISO 8601 dates or times, UTC where no offset is given."""
    try:
        moments = {occasion: _moment(occasion) for occasion in occasions}
    except ValueError:
        return None
    first = min(moments.values())
    return {
        occasion: (moment - first).total_seconds() / 86_400 for occasion, moment in moments.items()
    }


def _moment(written: str) -> datetime:
    if len(written) == len("2026-01-31"):
        day = date.fromisoformat(written)
        return datetime(day.year, day.month, day.day, tzinfo=UTC)
    moment = datetime.fromisoformat(written)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _named(every: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[list[str], bool]:
    """Return names in an order that every client's own lines agree with, where there is one.

    A client without the middle occasion must not push it to the end for everybody: of the names
    that nothing unplaced comes before, the one that the table has first is next.
    """
    before: dict[str, set[str]] = {name: set() for name in every}
    for row in rows:
        for earlier, later in pairwise(row):
            before[later].add(earlier)
    left, placed = list(every), set[str]()
    names: list[str] = []
    while left:
        ready = next((name for name in left if before[name] <= placed), None)
        if ready is None:
            return list(every), False
        left.remove(ready)
        placed.add(ready)
        names.append(ready)
    return names, True

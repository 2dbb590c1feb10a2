"""Reading anybody's table of client, occasion and score."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, TextIO

MISSING: Final = frozenset({"", "na", "n/a", "nan", "null", "none", ".", "-"})
"""What stands for a missing score, in any case of letters."""

DELIMITERS: Final = ",;\t"
LISTED: Final = 10
"""Faults that are told at once."""

Unit = str
"""What occasions are counted in: ``days`` for dates, ``occasions`` for numbers and names."""


class TableFault(Exception):
    """The table cannot be read; every fault that was found, each with its line."""

    def __init__(self, faults: Sequence[str]) -> None:
        """Keep the faults."""
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns are called in the table's first line."""

    client: str
    occasion: str
    score: str


@dataclass(frozen=True, slots=True)
class Course:
    """One client's scores, in the order of their occasions.

    Attributes:
        client: As the table names them.
        occasions: As the table writes them.
        times: The same as numbers, in the table's unit.
        scores: None where the table says that it is missing.
    """

    client: str
    occasions: tuple[str, ...]
    times: tuple[float, ...]
    scores: tuple[float | None, ...]

    @property
    def scored(self) -> list[tuple[str, float, float]]:
        """(occasion, time, score) where there is a score."""
        every = zip(self.occasions, self.times, self.scores, strict=True)
        return [(occasion, time, score) for occasion, time, score in every if score is not None]


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """A table that was read.

    Attributes:
        occasions: Every one that occurs, in order.
        unit: What their times are counted in.
        courses: By client, in the order of the table.
    """

    occasions: tuple[str, ...]
    unit: Unit
    courses: tuple[Course, ...]

    def on_grid(self, course: Course) -> tuple[tuple[str, ...], tuple[float | None, ...]]:
        """Return a course with every occasion of the table, missing where the client has none.

        Dates are everybody's own: there, only the client's own occasions count.
        """
        if self.unit == "days":
            return course.occasions, course.scores
        own = dict(zip(course.occasions, course.scores, strict=True))
        return self.occasions, tuple(own.get(occasion) for occasion in self.occasions)


def read(text: TextIO, columns: Columns, delimiter: str | None = None) -> ScoreTable:
    """Read a table with a line of names and a line for each client and occasion.

    Args:
        text: CSV; separated by comma, semicolon or tab.
        columns: Names of the three columns; others are not looked at.
        delimiter: Between columns; None: whichever of the three the first line has most of.

    Raises:
        TableFault: with every fault, up to ten.
    """
    first = text.readline().lstrip("\N{ZERO WIDTH NO-BREAK SPACE}")
    if not first.strip():
        raise TableFault(["the table is empty: it needs a line with the names of its columns"])
    delimiter = delimiter or max(DELIMITERS, key=first.count)
    names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter))]
    places = _places(names, columns)
    faults: list[str] = []
    found: dict[str, dict[str, float | None]] = {}
    seen: dict[tuple[str, str], int] = {}
    for number, row in enumerate(csv.reader(text, delimiter=delimiter), 2):
        if any(cell.strip() for cell in row):
            faults += _take(number, row, places, found, seen)
        if len(faults) >= LISTED:
            break
    if not found and not faults:
        faults = ["the table has no line below the names of its columns"]
    if faults:
        raise TableFault(faults)
    return _ordered(found)


def _places(names: Sequence[str], columns: Columns) -> tuple[int, int, int]:
    wanted = {"client": columns.client, "occasion": columns.occasion, "score": columns.score}
    faults = [
        f"there is no column {name!r}; it has: {', '.join(names)}. Name yours with --{option}"
        for option, name in wanted.items()
        if name not in names
    ]
    if faults:
        raise TableFault(faults)
    client, occasion, score = (names.index(name) for name in wanted.values())
    return client, occasion, score


def _take(
    number: int,
    row: Sequence[str],
    places: tuple[int, int, int],
    found: dict[str, dict[str, float | None]],
    seen: dict[tuple[str, str], int],
) -> list[str]:
    """Take one line; return what is wrong with it."""
    if len(row) <= max(places):
        return [f"line {number}: it has {len(row)} columns, {max(places) + 1} are needed"]
    client, occasion, written = (row[place].strip() for place in places)
    if not client or not occasion:
        return [f"line {number}: the {'client' if not client else 'occasion'} is empty"]
    before = seen.setdefault((client, occasion), number)
    if before != number:
        return [f"line {number}: client {client} has occasion {occasion} in line {before} as well"]
    try:
        score = None if written.lower() in MISSING else float(written)
    except ValueError:
        hint = "; write the decimal point as a point" if "," in written else ""
        return [f"line {number}: the score {written!r} is not a number{hint}"]
    if score is not None and not math.isfinite(score):
        return [f"line {number}: the score {written!r} is not a finite number"]
    found.setdefault(client, {})[occasion] = score
    return []


def _ordered(found: Mapping[str, Mapping[str, float | None]]) -> ScoreTable:
    """Order occasions as numbers, else as dates, else as they first occur."""
    every = list(dict.fromkeys(occasion for scores in found.values() for occasion in scores))
    unit: Unit = "occasions"
    if (numbers := _numbers(every)) is not None:
        times = numbers
    elif (days := _days(every)) is not None:
        times, unit = days, "days"
    else:
        times = {occasion: float(number) for number, occasion in enumerate(every)}
    courses = []
    for client, scores in found.items():
        own = sorted(scores, key=times.__getitem__)
        courses.append(
            Course(
                client,
                tuple(own),
                tuple(times[occasion] for occasion in own),
                tuple(scores[occasion] for occasion in own),
            )
        )
    return ScoreTable(tuple(sorted(every, key=times.__getitem__)), unit, tuple(courses))


def _numbers(occasions: Sequence[str]) -> dict[str, float] | None:
    try:
        found = {occasion: float(occasion) for occasion in occasions}
    except ValueError:
        return None
    return found if all(map(math.isfinite, found.values())) else None


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

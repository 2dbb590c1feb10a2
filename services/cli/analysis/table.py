"""Reading anybody's table of client, occasion and score."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, TextIO

from services.cli.analysis.choices import Undecided
from services.cli.analysis.occasions import Order, Unit, Unread, as_told, number, ordered
from services.cli.analysis.scores import Notation

DELIMITERS: Final = ",;\t"
TOTALS: Final = frozenset({"mean", "average", "median", "sum", "total", "totals", "grand total"})
"""Names of no client: spreadsheets end with such lines (own list)."""

LISTED: Final = 10
"""Faults that are told at once."""


class TableFault(Exception):
    """The table cannot be read; every fault that was found, each with its line."""

    def __init__(self, faults: Sequence[str]) -> None:
        """Keep the faults."""
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns are called in the table's first line.

    Attributes:
        client: Who it is about.
        occasion: When, in a table with a line for each client and occasion.
        score: The score there.
        wide: The scores of a table with a line for each client, in the order of their occasions;
            where given, the two before are not looked at.
        group: Which group the client belongs to, such as an arm of a trial; None: not looked at.
    """

    client: str
    occasion: str
    score: str
    wide: tuple[str, ...] = ()
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """One client's scores, in the order of their occasions.

    Attributes:
        client: As the table names them.
        occasions: As the table first writes them: 1 and 1.0 are one occasion.
        times: The same as numbers, in the table's unit.
        scores: None where the table says that it is missing.
        group: Which group the client belongs to; None where no column of groups was named.
    """

    client: str
    occasions: tuple[str, ...]
    times: tuple[float, ...]
    scores: tuple[float | None, ...]
    group: str | None = None

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
        times: Of every occasion as it is written anywhere in the table.
        notes: What a reader should know of how it was read.
    """

    occasions: tuple[str, ...]
    unit: Unit
    courses: tuple[Course, ...]
    times: Mapping[str, float]
    notes: tuple[str, ...] = ()

    def occasion(self, named: str) -> str | None:
        """Return an occasion by its name, or by its number however that is written."""
        at = self.times.get(named, number(named.replace(",", ".")))
        return next((one for one in self.occasions if self.times[one] == at), None)

    def on_grid(self, course: Course) -> tuple[tuple[str, ...], tuple[float | None, ...]]:
        """Return a course with every occasion of the table, missing where the client has none.

        Dates and moments are everybody's own: there, only the client's own occasions count.
        """
        if self.unit != "occasions":
            return course.occasions, course.scores
        own = dict(zip(course.occasions, course.scores, strict=True))
        return self.occasions, tuple(own.get(occasion) for occasion in self.occasions)


def read(
    text: TextIO, columns: Columns, delimiter: str | None = None, notation: Notation | None = None
) -> ScoreTable:
    """Read a table with a line of names and a line for each client and occasion.

    A first line ``sep=;``, as spreadsheets write it, names the delimiter.

    Args:
        text: CSV; separated by comma, semicolon or tab.
        columns: Names of the three columns; others are not looked at.
        delimiter: Between columns; None: whichever of the three the first line has most of.
        notation: How scores and occasions are written.

    Raises:
        TableFault: with every fault, up to ten.
        Undecided: when nobody can tell the days of its dates from their months.
    """
    first, before = _first(text)
    if first.lower().startswith("sep=") and len(first.strip("\r\n")) == len("sep=;"):
        delimiter = delimiter or first[4]
        first, more = _first(text)
        before += 1 + more
    if not first:
        raise TableFault(["the table is empty: it needs a line with the names of its columns"])
    delimiter = delimiter or max(DELIMITERS, key=first.count)
    reading = _Reading(notation or Notation(), {}, {}, {}, {})
    faults: list[str] = []
    lines = _lines(chain([first], text), delimiter, before)
    try:
        names = [" ".join(name.split()) for name in next(lines)[1]]
        places = _places(names, columns)
        for line, row in lines:
            faults += _take(line, row, places, reading)
            if len(faults) >= LISTED:
                break
    except csv.Error as error:
        raise TableFault([f"this is no CSV: {error}"]) from error
    if not reading.found and not faults:
        faults = ["the table has no line below the names of its columns"]
    faults = faults or reading.notation.codes(reading.values)
    if faults:
        raise TableFault(faults[:LISTED])
    return _in_order(reading, columns.wide)


def _first(text: TextIO) -> tuple[str, int]:
    """Return the next line that holds something, and how many empty ones stand before it."""
    for before, line in enumerate(text):
        line = line.lstrip("\N{ZERO WIDTH NO-BREAK SPACE}")
        if line.strip():
            return line, before
    return "", 0


@dataclass(frozen=True, slots=True)
class _Reading:
    """What was read so far.

    Attributes:
        notation: How it is written.
        found: Scores by client and occasion.
        lines: The line of each.
        values: Where the first of each value stands, in the order of the lines.
        groups: Each client's group, and the line that says so.
    """

    notation: Notation
    found: dict[str, dict[str, float | None]]
    lines: dict[tuple[str, str], int]
    values: dict[float, str]
    groups: dict[str, tuple[str, int]]


@dataclass(frozen=True, slots=True)
class _Places:
    """Where in a line the client stands, and its scores.

    Attributes:
        client: Index of the client.
        scores: (index of the occasion, or its name; index of the score) of each score.
        named: How many columns the first line names.
        group: Index of the group, where there is one.
    """

    client: int
    scores: tuple[tuple[int | str, int], ...]
    named: int
    group: int | None = None

    @property
    def least(self) -> int:
        """How many columns a line needs."""
        numbers = (one for pair in self.scores for one in pair if isinstance(one, int))
        return max(self.client, self.group or 0, *numbers) + 1


def _places(names: Sequence[str], columns: Columns) -> _Places:
    wanted = [("client", columns.client)]
    if columns.wide:
        wanted += [("wide", name) for name in columns.wide]
    else:
        wanted += [("occasion", columns.occasion), ("score", columns.score)]
    if columns.group is not None:
        wanted.append(("group", columns.group))
    found = [_called(name, names) for _, name in wanted]
    faults = [
        f"there is no column {name!r}; it has: {', '.join(names)}. Name yours with --{option}"
        for (option, name), called in zip(wanted, found, strict=True)
        if not called
    ]
    faults += [f"there are several columns {name!r}"
               for (_, name), called in zip(wanted, found, strict=True)
               if len(called) > 1]  # fmt: skip
    faults += [f"column {name!r} is named more than once: as --{' and as --'.join(options)}"
               for name, options in _options_of(wanted).items()
               if len(options) > 1]  # fmt: skip
    if faults and len(names) == 1:
        faults = [f"the first line names one column, {names[0]!r}: what separates them?"
                  " --delimiter"]  # fmt: skip
    if faults:
        raise TableFault(faults)
    client, *others = (called[0] for called in found)
    group = None if columns.group is None else others.pop()
    if columns.wide:
        return _Places(client, tuple(zip(columns.wide, others, strict=True)), len(names), group)
    return _Places(client, ((others[0], others[1]),), len(names), group)


def _options_of(wanted: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Return by which options each column is named."""
    options: dict[str, list[str]] = {}
    for option, name in wanted:
        options.setdefault(" ".join(name.split()), []).append(option)
    return options


def _called(name: str, names: Sequence[str]) -> list[int]:
    """Return which columns have a name; where none has, those that differ in case alone."""
    name = " ".join(name.split())
    exact = [at for at, one in enumerate(names) if one == name]
    return exact or [at for at, one in enumerate(names) if one.casefold() == name.casefold()]


def _lines(text: Iterator[str], delimiter: str, before: int) -> Iterator[tuple[int, list[str]]]:
    """Yield each line that holds something, with the number of the line where it begins."""
    reader, ended = csv.reader(text, delimiter=delimiter), before
    for row in reader:
        begins, ended = ended + 1, before + reader.line_num
        if any(cell.strip() for cell in row):
            yield begins, row


def _take(line: int, row: Sequence[str], places: _Places, reading: _Reading) -> list[str]:
    """Take one line; return what is wrong with it."""
    if len(row) < places.least:
        return [f"line {line}: it has {len(row)} columns, {places.least} are needed"]
    if any(cell.strip() for cell in row[places.named :]):
        return [
            f"line {line}: it has {len(row)} columns, and the first line names {places.named}."
            " Give each a name; a score with a decimal comma stands in quotes, or its columns"
            " are separated by ;"
        ]
    if row[places.client].strip().casefold() in TOTALS:
        return [f"line {line}: {row[places.client].strip()!r} seems to be no client: take it out"]
    faults: list[str] = []
    if places.group is not None:
        faults += _take_group(line, row[places.client].strip(), row[places.group].strip(), reading)
    for at, score in places.scores:
        occasion = row[at] if isinstance(at, int) else at
        told = (row[places.client].strip(), occasion.strip(), row[score].strip())
        place = f"line {line}" if isinstance(at, int) else f"line {line}, column {at}"
        faults += _take_score(line, place, *told, reading)
    return faults


def _take_group(line: int, client: str, group: str, reading: _Reading) -> list[str]:
    if not group:
        return [f"line {line}: the group is empty"]
    first, before = reading.groups.setdefault(client, (group, line))
    if first != group:
        return [
            f"line {line}: client {client} is in group {group}, and in {first} in line {before}"
        ]
    return []


def _take_score(
    line: int, place: str, client: str, occasion: str, written: str, reading: _Reading
) -> list[str]:
    if not client or not occasion:
        return [f"line {line}: the {'client' if not client else 'occasion'} is empty"]
    occasion = reading.notation.occasion(occasion)
    before = reading.lines.setdefault((client, occasion), line)
    if before != line:
        return [f"line {line}: client {client} has occasion {occasion} in line {before} as well"]
    score = reading.notation.score(written)
    if isinstance(score, str):
        return [f"{place}: the score {written!r} {score}"]
    if score is not None:
        reading.values.setdefault(score, place)
    reading.found.setdefault(client, {})[occasion] = score
    return []


def _in_order(reading: _Reading, wide: Sequence[str]) -> ScoreTable:
    """Order each client's scores; refuse two scores of one client at one occasion."""
    order = _order(reading, wide)
    labels: dict[float, str] = {}
    for occasion, time in order.times.items():
        labels.setdefault(time, occasion)
    faults: list[str] = []
    courses = []
    for client, scores in reading.found.items():
        own = sorted(scores, key=order.times.__getitem__)
        times = tuple(order.times[occasion] for occasion in own)
        faults += [
            f"line {reading.lines[client, own[at]]}: client {client} has occasion"
            f" {labels[times[at]]} in line {reading.lines[client, own[at - 1]]} as well"
            for at in range(1, len(own))
            if times[at] == times[at - 1]
        ]
        named = tuple(labels[time] for time in times)
        group, _ = reading.groups.get(client, (None, 0))
        courses.append(Course(client, named, times, tuple(scores[one] for one in own), group))
    if faults:
        raise TableFault(faults[:LISTED])
    every = tuple(labels[time] for time in sorted(labels))
    return ScoreTable(every, order.unit, tuple(courses), order.times, order.notes)


def _order(reading: _Reading, wide: Sequence[str]) -> Order:
    dates = reading.notation.dates
    if wide:
        return as_told([reading.notation.occasion(name) for name in wide], dates)
    try:
        return ordered((list(scores) for scores in reading.found.values()), dates)
    except Unread as error:
        line = next(
            line for (_, occasion), line in reading.lines.items() if occasion == error.occasion
        )
        raise Undecided(f"line {line}: {error}") from error

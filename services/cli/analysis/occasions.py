"""In which order occasions come: as numbers, as dates, else as the table has them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final, Literal

from services.cli.analysis.choices import Undecided
from services.cli.analysis.figures import LEAST, MOST

DateOrder = Literal["dmy", "mdy"]
"""In which order a date that does not begin with its year has day, month and year."""

Unit = Literal["days", "occasions", "moments"]
"""What times are counted in: ``days`` for dates, ``occasions`` for numbers and names, ``moments``
for numbers that count something else than the sessions of everybody."""

LARGEST: Final = 10_000
"""Larger numbers count no sessions: dates of spreadsheets do (45321), seconds do (own)."""

SPARSE: Final = 10
"""A table with more than so many times as many numbers as any client has counts none (own)."""

OWN_TIMES: Final = (
    "Occasions are numbers that cannot be everybody's sessions: each client's own are taken one"
    " after another, whatever lies between. Dates are read where they are written 2026-01-31."
)

_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NUMBERED: Final = re.compile(r"(\D*?)[ _.-]*(\d+)", re.ASCII)
"""A name that ends in a number, such as ``s10``, ``T2`` or ``week 4``."""

_DATED: Final = re.compile(r"\d+[./-]\d+[./-]\d+", re.ASCII)
"""What may be a date, perhaps as a part of a name."""

_LOCAL: Final = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4}|\d{2})([ T].*)?", re.ASCII)
"""A date whose year comes last; which of its numbers is the month, nobody knows."""

_YEAR_FIRST: Final = re.compile(r"(\d{4})[./-](\d{1,2})[./-](\d{1,2})([ T].*)?", re.ASCII)
"""A date whose year comes first; then its month comes next."""

_NAMED: Final = re.compile(
    r"(?:\d{1,2}[ ./-]*)?([^\W\d_]{3,})[ .,/-]*\d{1,4}(?:[ .,/-]+\d{2,4})?([ T].*)?"
)
_MONTHS: Final = re.compile(r"jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mär|mrz|mai|okt|dez")
"""How months begin, in English and German: such a date is not read, and never taken for a name."""

_CENTURY: Final = 2000
"""Of a year of two digits."""

FIRST: Final = frozenset({"pre", "pretest", "pretreatment", "before", "baseline", "intake"})
LAST: Final = frozenset({"fu", "followup", "follow"})
"""First words of names that say when they were (own list): in a table in the order of the
alphabet, post stands before pre."""

_WORD: Final = re.compile(r"[^\W\d_]+")

SHOWN: Final = 20
"""Names that are listed."""


class Unread(Undecided):
    """A date that nobody can read; its message says how it should be written."""

    def __init__(self, occasion: str, said: str) -> None:
        """Keep the occasion, by which its line is found."""
        super().__init__(said)
        self.occasion = occasion


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


def as_told(names: Sequence[str], dates: DateOrder | None = None) -> Order:
    """Return the order in which somebody named occasions; spaced as they say where that agrees."""
    for times in (_numbers(names), days := _days(names, dates), _numbered(names)):
        if times is not None and all(times[one] < times[after] for one, after in pairwise(names)):
            return Order(times, "days" if times is days else "occasions")
    return Order({name: float(at) for at, name in enumerate(names)}, "occasions")


def ordered(by_client: Iterable[Sequence[str]], dates: DateOrder | None = None) -> Order:
    """Return the order of all occasions of a table.

    Args:
        by_client: Each client's own occasions, in the order of the table's lines.
        dates: How to read dates whose year comes last.

    Raises:
        Unread: when all are dates, of which one cannot be read: an export with the newest line
            first would turn every change round.
    """
    rows = list(by_client)
    every = list(dict.fromkeys(occasion for row in rows for occasion in row))
    if (numbers := _numbers(every)) is not None:
        most = max((len(row) for row in rows), default=0)
        if len(every) > SPARSE * most or max(map(abs, numbers.values()), default=0) > LARGEST:
            return Order(numbers, "moments", (OWN_TIMES,))
        return Order(numbers, "occasions")
    if (days := _days(every, dates)) is not None:
        return Order(days, "days")
    if (numbered := _numbered(every)) is not None:
        return Order(numbered, "occasions")
    if all(_dated(occasion) for occasion in every):
        odd = next(one for one in every if _days([one], dates) is None)
        raise Unread(odd, _unread(odd, dates))
    named, agreed = _named(every, rows)
    names = _told(named)
    said = f"Occasions are names, taken in this order: {', '.join(names[:SHOWN])}"
    said += ", …" if len(names) > SHOWN else "."
    if any(_DATED.search(name) for name in names):
        said += " Dates are read where they are written 2026-01-31, all of them."
    if not agreed:
        said += " Not every client has them in that order: write numbers or dates to be sure."
    return Order({name: float(at) for at, name in enumerate(names)}, "occasions", (said,))


def _dated(occasion: str) -> bool:
    """Return whether all of an occasion looks like a date, whatever its numbers say."""
    if _LOCAL.fullmatch(occasion) or _YEAR_FIRST.fullmatch(occasion):
        return True
    named = _NAMED.fullmatch(occasion)
    return named is not None and _MONTHS.match(named[1].casefold()) is not None


def _unread(odd: str, dates: DateOrder | None) -> str:
    """Return what to say of a date that cannot be read."""
    if not _LOCAL.fullmatch(odd):
        return f"occasion {odd!r} is a date that cannot be read: write it like 2026-01-31"
    if dates is None:
        return (
            f"occasion {odd!r} is a date: which of its numbers is the month?"
            " --dates dmy or --dates mdy; dates written 2026-01-31 need neither"
        )
    return f"occasion {odd!r} is no date in the order of --dates {dates} (times are written 14:30)"


def number(written: str) -> float | None:
    """Return a number as it is written in plain digits, else None (``1_000`` is none)."""
    if not _NUMBER.fullmatch(written):
        return None
    value = float(written)
    return value if not value or LEAST <= abs(value) <= MOST else None


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


def _days(occasions: Sequence[str], dates: DateOrder | None) -> dict[str, float] | None:
    """Return days since the first date; ISO 8601 dates or times, UTC where no offset is given."""
    try:
        moments = {occasion: _moment(occasion, dates) for occasion in occasions}
    except ValueError:
        return None
    first = min(moments.values())
    return {
        occasion: (moment - first).total_seconds() / 86_400 for occasion, moment in moments.items()
    }


def _moment(written: str, dates: DateOrder | None) -> datetime:
    """Return a moment.

    Raises:
        ValueError: when it is none.
    """
    if found := _YEAR_FIRST.fullmatch(written):
        year, month, day, time = found.groups()
    elif dates is not None and (found := _LOCAL.fullmatch(written)):
        one, other, year, time = found.groups()
        day, month = (one, other) if dates == "dmy" else (other, one)
    else:
        moment = datetime.fromisoformat(written)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    full = int(year) + (_CENTURY if len(year) == len("26") else 0)
    moment = datetime.fromisoformat(f"{full:04}-{int(month):02}-{int(day):02}{time or ''}")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _told(names: Sequence[str]) -> list[str]:
    """Return names as they themselves say: first ones first, week 2 before week 10."""
    turns = [[name for name in names if _turn(name) == turn] for turn in range(3)]
    told: list[str] = []
    for turn in turns:
        numbers = _numbered(turn)
        told += turn if numbers is None else sorted(turn, key=numbers.__getitem__)
    return told


def _turn(name: str) -> int:
    """Return whether a name says that it comes first (0) or last (2)."""
    found = _WORD.search(name)
    word = found[0].casefold() if found else ""
    return 0 if word in FIRST else 2 if word in LAST else 1


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

"""Compare two generations client by client: what one table holds and the other does not.

The database compares; only what differs is read. While both generations are being written to,
what differs may be on its way: such clients wait, and are compared again when nothing moves.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Select, Table, select, tuple_

Row = Mapping[str, Any]

Who = tuple[str, str]
"""Organisation and client; an empty client stands for what concerns many."""

CLIENTS_AT_ONCE: Final = 500
SHOWN: Final = 60
"""Characters of a value that are shown."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The same table of two generations.

    Attributes:
        what: What it holds.
        old: Of the generation that serves.
        new: Of the one that was built.
        ignored: Columns that may differ.
        said: Says in words what is different: a row before and after, None where there is none.
    """

    what: str
    old: Table
    new: Table
    ignored: frozenset[str] = frozenset()
    said: "Callable[[Row | None, Row | None], str] | None" = None

    @property
    def columns(self) -> list[str]:
        """The columns that both have."""
        return [
            column.name
            for column in self.new.columns
            if column.name in self.old.columns and column.name not in self.ignored
        ]

    @property
    def by_client(self) -> bool:
        """Whether its rows say whose they are."""
        return {"organisation", "client"} <= set(self.columns)


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that is not the same.

    Attributes:
        client: Opaque id; empty where it concerns many.
        what: What the table holds.
        change: What is different, old → new.
    """

    organisation: str
    client: str
    what: str
    change: str


@dataclass(slots=True)
class Comparison:
    """Goes through all clients once, and remembers whom to look at again.

    Attributes:
        facts: Its new side names every client, in the order in which they are compared.
        waiting: Who differed when they were looked at.
        compared: How many clients were looked at.
    """

    facts: Pair
    pairs: Sequence[Pair]
    waiting: set[Who] = field(default_factory=set)
    compared: int = 0
    _after: Who | None = ("", "")

    def step(self, db: Connection) -> bool:
        """Look at some more clients; return whether there were any left."""
        if self._after is None:
            return False
        page = clients_after(db, self.facts.new, self._after, CLIENTS_AT_ONCE)
        # The last page is open to its end: what only the old side holds may stand there.
        until = page[-1] if len(page) == CLIENTS_AT_ONCE else None
        for pair in self._by_client():
            self.waiting |= _unequal(db, pair, self._after, until)
        self.compared += len(page)
        self._after = until
        return True

    def look_again(self, db: Connection, held: Collection[Who]) -> None:
        """Forget who has become the same meanwhile; of who is held back, facts alone count."""
        self.waiting = {who for who in self.waiting if any(self._of(db, who, held))}

    def differences(self, db: Connection, held: Collection[Who]) -> list[Difference]:
        """Return what is different, at a moment when nothing is on its way.

        Who is held back is folded anew when it is tried again: until then its facts alone count.
        """
        found = [one for who in sorted(self.waiting) for one in self._of(db, who, held)]
        for pair in self.pairs:
            if not pair.by_client:
                found += _rows_unequal(db, pair, select(pair.old), select(pair.new))
        return found

    def _by_client(self) -> list[Pair]:
        return [self.facts, *(pair for pair in self.pairs if pair.by_client)]

    def _of(self, db: Connection, who: Who, held: Collection[Who]) -> Iterator[Difference]:
        for pair in [self.facts] if who in held else self._by_client():
            yield from _rows_unequal(
                db,
                pair,
                *(
                    select(table).where(table.c.organisation == who[0], table.c.client == who[1])
                    for table in (pair.old, pair.new)
                ),
            )


def clients_after(db: Connection, facts: Table, after: Who, limit: int) -> list[Who]:
    """Return the next clients that have facts, in the database's own order."""
    name = tuple_(facts.c.organisation, facts.c.client)
    asked = select(facts.c.organisation, facts.c.client).where(name > tuple_(*after)).distinct()
    rows = db.execute(asked.order_by(facts.c.organisation, facts.c.client).limit(limit))
    return [(row.organisation, row.client) for row in rows]


def _unequal(db: Connection, pair: Pair, after: Who, until: Who | None) -> set[Who]:
    """Return the clients of a stretch whose rows are not the same."""
    old, new = (_stretch(table, pair.columns, after, until) for table in (pair.old, pair.new))
    found: set[Who] = set()
    for more in (old.except_(new).subquery(), new.except_(old).subquery()):
        rows = db.execute(select(more.c.organisation, more.c.client).distinct())
        found |= {(row.organisation, row.client) for row in rows}
    return found


def _stretch(table: Table, columns: Collection[str], after: Who, until: Who | None) -> Select[Any]:
    name = tuple_(table.c.organisation, table.c.client)
    asked = select(*(table.c[column] for column in columns)).where(name > tuple_(*after))
    return asked if until is None else asked.where(name <= tuple_(*until))


def _rows_unequal(
    db: Connection, pair: Pair, old: Select[Any], new: Select[Any]
) -> Iterator[Difference]:
    before, after = (_by_key(db, pair, asked) for asked in (old, new))
    for key in sorted(before.keys() | after.keys(), key=repr):
        was, now = before.get(key), after.get(key)
        if was != now:
            some = was or now or {}
            yield Difference(
                some.get("organisation", ""),
                some.get("client", ""),
                pair.what,
                pair.said(was, now) if pair.said else _change(pair, key, was, now),
            )


def _by_key(
    db: Connection, pair: Pair, asked: Select[Any]
) -> dict[tuple[Any, ...], dict[str, Any]]:
    key = [column.name for column in pair.new.primary_key.columns]
    rows = [dict(row) for row in db.execute(asked).mappings()]
    return {
        tuple(row.get(name) for name in key): {name: row[name] for name in pair.columns}
        for row in rows
    }


def _change(
    pair: Pair, key: tuple[Any, ...], was: dict[str, Any] | None, now: dict[str, Any] | None
) -> str:
    names = [column.name for column in pair.new.primary_key.columns]
    named = ", ".join(
        f"{name} {_short(value)}"
        for name, value in zip(names, key, strict=True)
        if name not in ("organisation", "client")
    )
    if was is None or now is None:
        return f"{named}: {'only in the new' if was is None else 'only in the old'}".lstrip(": ")
    changed = (
        f"{name} {_short(was[name])} → {_short(now[name])}"
        for name in pair.columns
        if was[name] != now[name]
    )
    return f"{named}: {'; '.join(changed)}".lstrip(": ")


def _short(value: Any) -> str:
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    text = "–" if value is None else str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"

"""Which clients any merger ever tied to each other: whose facts must be looked at together.

Whether a merger stands is decided where facts are read, by all of them (shared/alliance/mergers);
here stands every word that ever named two references, so that nothing is missed. A merger stands
in the stream under the keys of both: whichever record is read first ties them.
"""

import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    bindparam,
    func,
    or_,
    select,
)

from shared.alliance.mergers import merged_into
from shared.storage.engine import insert_or_nothing
from shared.storage.facts import Arrival

LOCK: Final = 0x5241_5004
"""Names the advisory locks of PostgreSQL that are taken here (``RAP`` in ASCII, then 4)."""

TYING: Final = 0x5241_5005
"""Names the lock that comes before these: shared, but by who ties somebody."""

CHUNK: Final = 500
"""Names in one question to the database."""


@dataclass(frozen=True, slots=True)
class Ties:
    """What ties some clients to others.

    Attributes:
        kin: Client → everybody whom they are tied to, themselves among them.
        places: Client → the partition of their key, where a merger's record has shown it.
    """

    kin: Mapping[str, frozenset[str]]
    places: Mapping[str, int]


def ties_table(metadata: MetaData, name: str) -> Table:
    """Declare the table of ties; ``place`` is the partition of the key of ``into``."""
    return Table(
        name,
        metadata,
        Column("organisation", String(40), primary_key=True),
        Column("client", String(40), primary_key=True),
        Column("into", String(40), primary_key=True),
        Column("place", Integer),
        Index(f"{name}_into", "organisation", "into"),
    )


def note(db: Connection, table: Table, arrivals: Iterable[Arrival]) -> None:
    """Tie whom mergers, or what corrects them, name; their copies say where the other stands."""
    tying = [(one, into) for one in arrivals if (into := merged_into(one.envelope.event))]
    if tying:
        _wait(db, "pg_advisory_xact_lock", TYING, table.name)
    for arrival, into in tying:
        whose = {
            "organisation": arrival.envelope.organisation,
            "client": arrival.envelope.client,
            "into": into,
        }
        place = arrival.partition if arrival.elsewhere else None
        db.execute(insert_or_nothing(db, table), {**whose, "place": place})
        if place is not None:
            same = (table.c[name] == value for name, value in whose.items())
            db.execute(table.update().where(*same).values(place=place))


def of(
    db: Connection, table: Table, organisation: str, clients: Collection[str], *, lock: bool
) -> Ties:
    """Return what ties some clients to others, directly or through others.

    Args:
        db: Any transaction.
        table: The ties.
        organisation: Whose clients.
        clients: Opaque ids.
        lock: Whether others who look at whom mergers tie there must wait for the end of this
            transaction, so that one of two sees what the other has stored.
    """
    rows = _all_rows(db, table, organisation, clients)
    if not rows:
        return Ties({}, {})
    if lock:
        _alone(db, table, organisation)
        rows = _all_rows(db, table, organisation, clients)
    parent = {name: name for pair in rows for name in pair}
    for one, other in rows:
        first, second = sorted((_root(parent, one), _root(parent, other)))
        parent[second] = first
    groups: dict[str, set[str]] = {}
    for name in parent:
        groups.setdefault(_root(parent, name), set()).add(name)
    return Ties(
        {name: frozenset(group) for group in groups.values() for name in group},
        {into: place for (_, into), place in sorted(rows.items()) if place is not None},
    )


def _alone(db: Connection, table: Table, organisation: str) -> None:
    """Let nobody else tie anybody, or look at who is tied in an organisation, until the end.

    One lock for an organisation, and not one for each row, so that nobody waits in a circle.
    Several of them are taken in the order of their names; who ties somebody knows no such order,
    has the one that comes before all to themselves, and needs no other. Mergers are rare.
    """
    _wait(db, "pg_advisory_xact_lock_shared", TYING, table.name)
    _wait(db, "pg_advisory_xact_lock", LOCK, f"{table.name} {organisation}")


def _wait(db: Connection, how: str, which: int, named: str) -> None:
    """Wait for an advisory lock; SQLite has one writer anyway."""
    if db.dialect.name == "postgresql":
        number = zlib.crc32(named.encode()) - 2**31
        db.execute(select(getattr(func, how)(which, number)))


def _all_rows(
    db: Connection, table: Table, organisation: str, clients: Collection[str]
) -> dict[tuple[str, str], int | None]:
    seen: set[str] = set(clients)
    ahead = set(clients)
    rows: dict[tuple[str, str], int | None] = {}
    while ahead:
        found = _rows(db, table, organisation, sorted(ahead))
        rows |= found
        ahead = {name for pair in found for name in pair} - seen
        seen |= ahead
    return rows


def _rows(
    db: Connection, table: Table, organisation: str, clients: list[str]
) -> dict[tuple[str, str], int | None]:
    asked = _asked(table)
    found: dict[tuple[str, str], int | None] = {}
    for start in range(0, len(clients), CHUNK):
        some = {"whose": organisation, "some": clients[start : start + CHUNK]}
        found |= {(row.client, row.into): row.place for row in db.execute(asked, some)}
    return found


@cache
def _asked(table: Table) -> Select[Any]:
    some: BindParameter[Any] = bindparam("some", expanding=True)
    return select(table.c.client, table.c.into, table.c.place).where(
        table.c.organisation == bindparam("whose"),
        or_(table.c.client.in_(some), table.c.into.in_(some)),
    )


def _root(parent: Mapping[str, str], name: str) -> str:
    while parent[name] != name:
        name = parent[name]
    return name

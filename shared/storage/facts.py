"""Facts: one row per event, as the stream holds it. Each consumer keeps its own table.

The first event under (client, source, id) stays; the same again is a duplicate, other content
under the same id is a conflict: both without effect (contract.md, rules of reading). A fact that
concerns many clients has one row per partition, because the stream fixes per partition where it
stands among the clients' facts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    String,
    Table,
    bindparam,
    select,
)

from shared.clock import from_micros, to_micros
from shared.envelope import Envelope, decode_value
from shared.storage.bulk import insert_new
from shared.values import frozen

MANY = ""
"""Stands in the column ``client`` for an event that concerns many clients."""

FOLDED_AT_ONCE: Final = 100
"""Own: so many clients are read and folded together. What concerns a clinic concerns thousands;
all their facts at once took 400 MB for 11,000 clients."""

_Row = tuple[Any, ...]
_KEY = 5
"""So many columns, the first ones, are *same event*; the event's own id follows them."""


@frozen
class Arrival:
    """An event as it came from the stream.

    Attributes:
        partition: Where it was read.
        envelope: What it says.
        value: Its very bytes.
        elsewhere: True for the copy of an event under another client's key: that partition is not
            its client's own.
    """

    partition: int
    envelope: Envelope
    value: bytes
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of the arrivals of a batch.

    Attributes:
        new: Those that took effect, in the order of the stream.
        duplicates: Same content under an id already taken.
        conflicts: Other content under an id already taken.
    """

    new: Sequence[Arrival]
    duplicates: Sequence[Arrival]
    conflicts: Sequence[Arrival]


def facts_table(metadata: MetaData, name: str) -> Table:
    """Declare a facts table; its primary key is *same event*."""
    return Table(
        name,
        metadata,
        Column("organisation", String(40), primary_key=True),
        Column("client", String(40), primary_key=True),
        Column("partition", Integer, primary_key=True, autoincrement=False),
        Column("source", String(256), primary_key=True),
        Column("id", String(128), primary_key=True),
        Column("event", String(36), nullable=False),
        Column("type", String(40), nullable=False),
        Column("version", Integer, nullable=False),
        Column("sender", String(40), nullable=False),
        Column("occurred_at", BigInteger, nullable=False),
        Column("recorded_at", BigInteger, nullable=False),
        Column("content", String(64), nullable=False),
        Column("value", LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )


def store(db: Connection, table: Table, arrivals: Sequence[Arrival]) -> Stored:
    """Insert what is new; the first of an id stays, whatever comes after it.

    A copy that came under another client's key is left out. A client's facts stand in one
    partition, whose present they are judged at; the original is there.
    """
    arrivals = [arrival for arrival in arrivals if not arrival.elsewhere]
    if not arrivals:
        return Stored((), (), ())
    first: dict[tuple[Any, ...], _Row] = {}
    rows = [_row(arrival) for arrival in arrivals]
    for row in rows:
        first.setdefault(row[:_KEY], row)
    taken = insert_new(db, table, list(first.values()), ("partition", "event"))
    if not taken and len(first) == len(rows):
        return Stored(arrivals, (), ())
    new: list[Arrival] = []
    repeated: list[tuple[Arrival, _Row]] = []
    for arrival, row in zip(arrivals, rows, strict=True):
        # Of several in one batch the first is it.
        if (arrival.partition, row[_KEY]) not in taken and first[row[:_KEY]] is row:
            new.append(arrival)
        else:
            repeated.append((arrival, row))
    duplicates, conflicts = _sorted_out(db, table, repeated)
    return Stored(new, duplicates, conflicts)


def of_client(db: Connection, table: Table, organisation: str, client: str) -> list[Arrival]:
    """Return every fact of one client, in no particular order."""
    return of_clients(db, table, organisation, [client])[client]


def of_clients(
    db: Connection, table: Table, organisation: str, clients: Iterable[str]
) -> dict[str, list[Arrival]]:
    """Return every fact of several clients, by client."""
    wanted = list(clients)
    found: dict[str, list[Arrival]] = {client: [] for client in wanted}
    for start in range(0, len(wanted), 500):
        some = {"whose": organisation, "clients": wanted[start : start + 500]}
        for row in _rows(db, _of_clients(table), some):
            arrival = _arrival(organisation, *row)
            found[arrival.envelope.event.subject or MANY].append(arrival)
    return found


def of_many(db: Connection, table: Table, organisation: str, partition: int) -> list[Arrival]:
    """Return every fact that concerns many clients, as that partition holds them."""
    asked = {"whose": organisation, "place": partition}
    return [_arrival(organisation, *row) for row in _rows(db, _of_many(table), asked)]


def _rows(db: Connection, asked: Select[Any], of: dict[str, Any]) -> Sequence[Any]:
    return db.execute(asked, of).all()


# Each question is made once: every judgement asks them, and making one costs more than asking.
@cache
def _of_clients(table: Table) -> Select[Any]:
    return _asked(table, table.c.client.in_(bindparam("clients", expanding=True)))


@cache
def _of_many(table: Table) -> Select[Any]:
    return _asked(table, table.c.client == MANY, table.c.partition == bindparam("place"))


def _asked(table: Table, *which: ColumnElement[bool]) -> Select[Any]:
    """Return what asks for facts: of a row no more than an arrival needs."""
    columns = table.c
    return select(
        columns.partition,
        columns.value,
        columns.sender,
        columns.type,
        columns.version,
        columns.occurred_at,
        columns.recorded_at,
        columns.client,
        columns.event,
    ).where(columns.organisation == bindparam("whose"), *which)


def _row(arrival: Arrival) -> _Row:
    """Return the columns of a fact, in the order of the table; the key comes first."""
    envelope, event = arrival.envelope, arrival.envelope.event
    return (
        envelope.organisation,
        event.subject or MANY,
        arrival.partition,
        event.source,
        event.id,
        envelope.id,
        event.type,
        event.version,
        envelope.sender,
        to_micros(event.time),
        to_micros(envelope.recorded_at),
        envelope.content,
        arrival.value,
    )


def _arrival(
    organisation: str,
    partition: int,
    value: bytes,
    sender: str,
    type: str,
    version: int,
    occurred_at: int,
    recorded_at: int,
    client: str,
    event: str,
) -> Arrival:
    envelope = decode_value(
        value,
        organisation=organisation,
        sender=sender,
        type=type,
        version=version,
        time=from_micros(occurred_at),
        recorded_at=from_micros(recorded_at),
        subject=client or None,
        kept_id=event,
    )
    return Arrival(partition, envelope, value)


def _sorted_out(
    db: Connection, table: Table, repeated: Sequence[tuple[Arrival, _Row]]
) -> tuple[list[Arrival], list[Arrival]]:
    duplicates: list[Arrival] = []
    conflicts: list[Arrival] = []
    key = list(table.primary_key.columns)
    for arrival, row in repeated:
        same = (column == value for column, value in zip(key, row[:_KEY], strict=True))
        first = db.execute(select(table.c.content).where(*same)).scalar_one()
        (duplicates if first == arrival.envelope.content else conflicts).append(arrival)
    return duplicates, conflicts

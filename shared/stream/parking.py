"""What could not be handled, kept beside the positions: parked records, and the queues behind.

A record that fails however often it is tried is kept here as it was found, in the transaction
that moves the position on. From then on its client is held back: every later record of it in
that partition queues behind, and nothing is judged or folded for it. Everybody else goes on.
The table is kept, never rebuilt: what a person decided about a record is nowhere else.
"""

import traceback
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Row,
    String,
    Table,
    bindparam,
    func,
    literal,
    or_,
    select,
    union_all,
)

from shared.clock import from_micros, to_micros
from shared.errors import ClientFault, TooManyParked
from shared.storage.engine import insert_or_nothing
from shared.storage.generations import GENERATIONS
from shared.storage.kept import ID, KEPT
from shared.stream.headers import pack_headers, unpack_headers
from shared.stream.ports import Partition, Record

MANY: Final = ""
"""Stands for the client in what concerns many clients of an organisation."""

PARKED, QUEUED, EVICTED = "parked", "queued", "evicted"
"""Tried and failed; waiting behind one that failed; to be left out, by somebody's decision."""

IN_A_ROW: Final = 20
"""Own: so many clients parked one after another, with nothing handled in between, stop all."""

WITHIN: Final = timedelta(hours=1)
AT_LEAST: Final = 10
OF_A_HUNDRED: Final = 1
"""Own: within an hour, ten clients or one in a hundred of those known may be parked."""

CHUNK: Final = 500
"""Names in one question to the database."""

Who = tuple[str, str]
"""Organisation and client; ``MANY`` for what concerns many of its clients."""

Fate = Literal["handle", "queue", "leave"]

TABLE = Table(
    "parked",
    KEPT,
    Column("organisation", ID, nullable=False),
    Column("client", ID, nullable=False),
    Column("consumer", ID, nullable=False),
    Column("topic", ID, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("held", Boolean, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("headers", LargeBinary, nullable=False),
    Column("appended_at", BigInteger, nullable=False),
    Column("parked_at", BigInteger, nullable=False),
    Column("tried_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", String(64), nullable=False),
    Column("code_place", String(200), nullable=False),
    Column("evicted_at", BigInteger),
    Column("evicted_by", String(64)),
    Column("evicted_because", String(500)),
    PrimaryKeyConstraint("organisation", "client", "consumer", "topic", "partition", "offset"),
    Index(None, "consumer", "held"),
    Index(None, "state"),
)
"""``held``: the row holds its client back. An evicted one does until the client is retried."""


PLACES = (TABLE.c.organisation, TABLE.c.client, TABLE.c.topic, TABLE.c.partition)

# What every transaction asks is made once, and is one question: making one costs more than
# asking it, and asking it costs more than its answer, which is nearly always empty.
_HELD_OR_EVICTED: Final = union_all(
    select(*PLACES, func.min(TABLE.c.offset).label("offset"), literal(PARKED).label("which"))
    .where(TABLE.c.consumer == bindparam("reader"), TABLE.c.held)
    .group_by(*PLACES),
    select(*PLACES, TABLE.c.offset, literal(EVICTED)).where(
        TABLE.c.state == EVICTED,
        # Of every version of the consumer: the next leaves out what this one leaves out.
        or_(
            TABLE.c.consumer == bindparam("family"),
            TABLE.c.consumer.like(bindparam("versions", type_=String)),
        ),
    ),
)
_OF_EACH: Final = (
    select(func.count().label("records"))
    .where(TABLE.c.consumer == bindparam("reader"), TABLE.c.held)
    .group_by(TABLE.c.organisation, TABLE.c.client)
    .subquery()
)
_COUNTS: Final = select(func.count(), func.sum(_OF_EACH.c.records)).select_from(_OF_EACH)


@dataclass(frozen=True, slots=True)
class Entry:
    """A record that failed, and for whom.

    Attributes:
        who: Whose it is, or, where it concerns others too, who alone it failed for.
        error: The class of the error; never its message, which may hold what somebody sent.
        code_place: Where in the code it happened.
    """

    record: Record
    who: Who
    error: str
    code_place: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits of one client: since when, how many records, in which consumers."""

    since: datetime
    records: int
    consumers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """Who is held back, and what is left out, as one transaction sees it.

    Attributes:
        heads: Who, in which topic and partition → the offset from which on.
        clients: Everybody who is held back anywhere.
        evicted: Who, topic, partition and offset of the records that are left out for ever.
    """

    heads: Mapping[tuple[Who, Partition], int]
    clients: frozenset[Who]
    evicted: frozenset[tuple[Who, Partition, int]]

    @property
    def nobody(self) -> bool:
        """Whether there is nobody held back and nothing left out."""
        return not self.heads and not self.evicted

    def fate(self, who: Who, record: Record) -> Fate:
        """Return what becomes of a record: what comes before the head is handled as ever."""
        if (who, record.place, record.offset) in self.evicted:
            return "leave"
        head = self.heads.get((who, record.place))
        return "handle" if head is None or record.offset < head else "queue"


def entry(record: Record, who: Who, error: Exception) -> Entry:
    """Return what is kept of a failure: its class and its place in the code."""
    cause = error.__cause__ if isinstance(error, ClientFault) and error.__cause__ else error
    return Entry(record, who, type(cause).__name__[:64], code_place(cause)[:200])


def code_place(error: BaseException) -> str:
    """Return file and line of the innermost frame of Rapport's own that an error came through."""
    root = Path(__file__).parents[2]
    found = ""
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if not found or path.is_relative_to(root):
            name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
            found = f"{name}:{frame.lineno}"
    return found


def held(db: Connection, consumer: str) -> Held:
    """Return who is held back; asked after the position was advanced, which takes its lock."""
    family = consumer.partition(".")[0]
    asked = {"reader": consumer, "family": family, "versions": f"{family}.%"}
    heads: dict[tuple[Who, Partition], int] = {}
    evicted: set[tuple[Who, Partition, int]] = set()
    for organisation, client, topic, partition, offset, which in db.execute(
        _HELD_OR_EVICTED, asked
    ):
        who, place = (organisation, client), Partition(topic, partition)
        if which == PARKED:
            heads[who, place] = offset
        else:
            evicted.add((who, place, offset))
    return Held(heads, frozenset(who for who, _ in heads), frozenset(evicted))


def park(db: Connection, consumer: str, entries: Sequence[Entry], now: datetime) -> None:
    """Keep records that failed; from now on their clients are held back."""
    _insert(db, [_row(consumer, one, PARKED, now) for one in entries])


def queue(
    db: Connection, consumer: str, records: Sequence[tuple[Who, Record]], now: datetime
) -> None:
    """Keep records of clients who are held back; one that is kept already stays as it is."""
    _insert(db, [_row(consumer, Entry(r, who, "", ""), QUEUED, now) for who, r in records])


def check_limits(
    db: Connection, consumer: str, in_a_row: int, clients_known: int, now: datetime
) -> None:
    """Refuse to park so much that the release must be at fault rather than the records.

    Args:
        db: The transaction in which something was parked; rolled back where this raises.
        consumer: Who parks.
        in_a_row: Clients parked one after another without anything handled in between.
        clients_known: How many clients the consumer knows.
        now: The present.

    Raises:
        TooManyParked: when a limit is reached.
    """
    if in_a_row >= IN_A_ROW:
        raise TooManyParked(
            f"{consumer} could handle nothing between {in_a_row} failures in a row"
        )
    lately = (
        select(TABLE.c.organisation, TABLE.c.client)
        .where(
            TABLE.c.consumer == consumer,
            TABLE.c.state.in_((PARKED, EVICTED)),
            TABLE.c.parked_at > to_micros(now - WITHIN),
        )
        .distinct()
        .subquery()
    )
    found: int = db.execute(select(func.count()).select_from(lately)).scalar_one()
    limit = max(AT_LEAST, clients_known * OF_A_HUNDRED // 100)
    if found > limit:
        raise TooManyParked(
            f"{consumer} would have parked {found} clients within an hour; {limit} may be"
        )


def counts(db: Connection, consumer: str) -> tuple[int, int]:
    """Return how many clients a consumer holds back, and how many records wait in all."""
    clients, records = db.execute(_COUNTS, {"reader": consumer}).one()
    return clients, int(records or 0)


def waiting(db: Connection, organisation: str, clients: Collection[str]) -> dict[str, Waiting]:
    """Return client → what waits for an operator, for those of some clients who are held back.

    What waits for a generation that does not serve is of no concern to who reads.
    """
    serving = select(GENERATIONS.c.consumer).where(GENERATIONS.c.state == "active")
    found: dict[str, Waiting] = {}
    names = sorted(clients)
    for start in range(0, len(names), CHUNK):
        rows = db.execute(
            select(
                TABLE.c.client,
                TABLE.c.consumer,
                func.min(TABLE.c.parked_at).label("since"),
                func.count().label("records"),
            )
            .where(
                TABLE.c.organisation == organisation,
                TABLE.c.client.in_(names[start : start + CHUNK]),
                TABLE.c.consumer.in_(serving),
                TABLE.c.held,
            )
            .group_by(TABLE.c.client, TABLE.c.consumer)
            .order_by(TABLE.c.consumer)
        )
        for row in rows:
            since, before = from_micros(row.since), found.get(row.client)
            found[row.client] = Waiting(
                since=min(since, before.since) if before else since,
                records=row.records + (before.records if before else 0),
                consumers=(*(before.consumers if before else ()), row.consumer),
            )
    return found


def record_of(row: Row[Any]) -> Record:
    """Return a parked record as it was found."""
    return Record(
        topic=row.topic,
        partition=row.partition,
        offset=row.offset,
        key=row.key,
        value=row.value,
        headers=unpack_headers(row.headers),
        appended_at=from_micros(row.appended_at),
    )


def _insert(db: Connection, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        db.execute(insert_or_nothing(db, TABLE), rows)


def _row(consumer: str, one: Entry, state: str, now: datetime) -> dict[str, Any]:
    record, tried = one.record, state == PARKED
    return {
        "organisation": one.who[0],
        "client": one.who[1],
        "consumer": consumer,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "state": state,
        "held": True,
        "key": record.key,
        "value": record.value,
        "headers": pack_headers(record.headers),
        "appended_at": to_micros(record.appended_at),
        "parked_at": to_micros(now),
        "tried_at": to_micros(now) if tried else 0,
        "attempts": int(tried),
        "error": one.error,
        "code_place": one.code_place,
    }

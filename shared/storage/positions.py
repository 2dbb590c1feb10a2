"""How far each consumer has come: kept beside its effect, advanced by compare-and-set.

``advance`` is the first statement of the transaction that saves the effect. It is at once the
bookmark and the fence: a second consumer that still believes it owns the partition finds another
value than it expects, and everything it did in that transaction is rolled back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    func,
    select,
)

from shared.errors import PositionConflict
from shared.storage.engine import Database, insert_or_nothing

LOCK_ID = 0x5241_5050_4F52_5402
"""Names the advisory lock of PostgreSQL (``RAPPORT`` in ASCII, then 2)."""

REBUILDABLE = MetaData()
"""What needs no backup and is never migrated: positions, leases. The tables that the stream fills
are declared generation by generation (``generations.py``); all are made when a consumer starts."""

positions = Table(
    "positions",
    REBUILDABLE,
    Column("consumer", String(64), primary_key=True),
    Column("topic", String(64), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
    Column("newest_recorded", BigInteger, nullable=False),
)


_ADVANCE: Final = positions.update().where(
    positions.c.consumer == bindparam("whose"),
    positions.c.topic == bindparam("of"),
    positions.c.partition == bindparam("place"),
    positions.c.next_offset == bindparam("expected"),
)
_LOAD: Final = select(positions.c.next_offset, positions.c.newest_recorded).where(
    positions.c.consumer == bindparam("whose"),
    positions.c.topic == bindparam("of"),
    positions.c.partition == bindparam("place"),
)

_Place = TypeVar("_Place", bound=tuple[str, int])


@dataclass(frozen=True, slots=True)
class Position:
    """How far a consumer has come in one partition.

    Attributes:
        next_offset: Offset of the first record not handled yet.
        newest_recorded: Newest recordedtime handled, microseconds since 1970; 0 before the first.
    """

    next_offset: int
    newest_recorded: int


def create_tables(database: Database, *catalogues: MetaData) -> None:
    """Create tables that can be filled again, where they are missing.

    Safe when several processes start together: they take their turn under a lock.

    Args:
        database: Where.
        catalogues: Which, besides the positions.
    """
    with database.write() as db:
        if db.dialect.name == "postgresql":
            # SQLite needs nothing: every write transaction is BEGIN IMMEDIATE.
            db.execute(select(func.pg_advisory_xact_lock(LOCK_ID)))
        for metadata in (REBUILDABLE, *catalogues):
            metadata.create_all(db)


def load(database: Database, consumer: str, topic: str, partition: int) -> Position:
    """Return the position; a first start writes the explicit beginning."""
    beginning = {
        "consumer": consumer,
        "topic": topic,
        "partition": partition,
        "next_offset": 0,
        "newest_recorded": 0,
    }
    with database.write() as db:
        db.execute(insert_or_nothing(db, positions), beginning)
        row = db.execute(_LOAD, {"whose": consumer, "of": topic, "place": partition}).one()
    return Position(row.next_offset, row.newest_recorded)


def advance(
    db: Connection,
    consumer: str,
    expected: Mapping[_Place, Position],
    to: Mapping[_Place, Position],
) -> None:
    """Move positions, if each still stands where this consumer left it.

    Always in one order, so that two who take several of these locks never wait for each other.

    Args:
        db: The transaction; nothing was asked in it before.
        consumer: Whose positions.
        expected: Topic and partition → where it left each of them, and perhaps others.
        to: Topic and partition → where it is now.

    Raises:
        PositionConflict: when somebody else moved one; roll back and read on from where it stands.
    """
    rows = [
        {
            "whose": consumer,
            "of": place[0],
            "place": place[1],
            "expected": expected[place].next_offset,
            "next_offset": at.next_offset,
            "newest_recorded": at.newest_recorded,
        }
        for place, at in sorted(to.items())
    ]
    if db.execute(_ADVANCE, rows if len(rows) > 1 else rows[0]).rowcount != len(rows):
        raise PositionConflict(f"{consumer} no longer owns all of {sorted(to)}")


def lock(db: Connection, consumer: str, partition: int) -> Mapping[str, int]:
    """Let no consumer move on in a partition until the end of this transaction; move nothing.

    SQLite needs nothing: every write transaction is BEGIN IMMEDIATE.

    Returns:
        Topic → offset of the first record not handled yet, of the topics that were ever read.
    """
    mine = select(positions.c.topic, positions.c.next_offset).where(
        positions.c.consumer == consumer, positions.c.partition == partition
    )
    rows = db.execute(mine.order_by(positions.c.topic).with_for_update()).all()
    return {row.topic: row.next_offset for row in rows}


def all_of(db: Connection, consumer: str) -> Mapping[tuple[str, int], Position]:
    """Return every position of a consumer, by topic and partition."""
    rows = db.execute(select(positions).where(positions.c.consumer == consumer))
    return {
        (row.topic, row.partition): Position(row.next_offset, row.newest_recorded) for row in rows
    }

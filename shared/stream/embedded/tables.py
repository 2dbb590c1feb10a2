"""The tables of the embedded engine, and what every part of it asks of them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from sqlite3 import SQLITE_CORRUPT, SQLITE_NOTADB
from sqlite3 import DatabaseError as SqliteError
from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    select,
)
from sqlalchemy.exc import DatabaseError

from shared.errors import DatabaseUnavailable, StreamDamaged, StreamUnavailable
from shared.storage.engine import Database
from shared.stream.ports import Partition

METADATA = MetaData()


class _Raw(LargeBinary):
    """Bytes as SQLite returns them: what comes as anything else is damage, not to be converted."""

    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> None:
        """Convert nothing."""


PARTITIONS = Table(
    "partitions",
    METADATA,
    Column("place", Integer, primary_key=True),
    Column("topic", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("begins", BigInteger, nullable=False),
    Column("ends", BigInteger, nullable=False),
    UniqueConstraint("topic", "number"),
)
"""One row per partition: the offset of its first record, and the offset after its last."""

RECORDS = Table(
    "records",
    METADATA,
    Column("place", Integer, ForeignKey("partitions.place"), primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("key", _Raw, nullable=False),
    Column("value", _Raw, nullable=False),
    Column("headers", _Raw, nullable=False),
    Column("appended_at", BigInteger, nullable=False),
    # Null in what was written before there was one.
    Column("checksum", BigInteger),
)

LEASES = Table(
    "leases",
    METADATA,
    Column("group", String, primary_key=True),
    Column("holder", String, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)
"""Who owns all partitions of a group, and until when (microseconds since 1970)."""


DAMAGED: Final = (
    "the file of the embedded stream is damaged; stop every process, restore the file from a"
    " backup, then start again (rapport doctor --verify names what is damaged)"
)

_CODES_OF_DAMAGE: Final = (SQLITE_CORRUPT, SQLITE_NOTADB)
_PRIMARY: Final = 0xFF
"""An extended code of SQLite says in its low byte what happened."""


@contextmanager
def answering() -> Iterator[None]:
    """Turn a database that does not answer, or is damaged, into a stream that does not or is.

    Raises:
        StreamUnavailable: try again later.
        StreamDamaged: never by itself will it be readable again.
    """
    try:
        yield
    except (DatabaseError, DatabaseUnavailable) as error:
        if _is_damage(error):
            raise StreamDamaged(DAMAGED) from error
        if isinstance(error, DatabaseError):
            raise
        raise StreamUnavailable("the embedded stream does not answer") from error


def _is_damage(error: Exception) -> bool:
    """Return whether SQLite found its file damaged, or Python what stands in it."""
    cause = error.__cause__ if isinstance(error, DatabaseUnavailable) else error
    origin = getattr(cause, "orig", None)
    if not isinstance(origin, SqliteError):
        return False
    # Text that is no UTF-8 is refused by Python's module, in whose errors no code of SQLite is.
    code = getattr(origin, "sqlite_errorcode", SQLITE_CORRUPT)
    return code & _PRIMARY in _CODES_OF_DAMAGE


class Places:
    """The numbers under which the file knows the partitions; they never change once made."""

    def __init__(self, database: Database) -> None:
        """Read nothing yet."""
        self._database = database
        self._known: Mapping[str, tuple[int, ...]] = {}

    def of(self, topic: str) -> tuple[int, ...]:
        """Return the places of a topic's partitions, in order.

        Raises:
            StreamUnavailable: when the topic does not exist, or the file does not answer.
        """
        if topic not in self._known:
            self._known = self._read()
        try:
            return self._known[topic]
        except KeyError:
            raise StreamUnavailable(
                f"topic {topic} does not exist; run: rapport doctor --fix"
            ) from None

    def partitions(self, topic: str) -> Mapping[int, Partition]:
        """Return the topic's partitions by place."""
        return {place: Partition(topic, n) for n, place in enumerate(self.of(topic))}

    def _read(self) -> Mapping[str, tuple[int, ...]]:
        ordered = select(PARTITIONS.c.topic, PARTITIONS.c.place).order_by(
            PARTITIONS.c.topic, PARTITIONS.c.number
        )
        found: dict[str, tuple[int, ...]] = {}
        with answering(), self._database.read() as db:
            for topic, place in db.execute(ordered):
                found[topic] = (*found.get(topic, ()), place)
        return found

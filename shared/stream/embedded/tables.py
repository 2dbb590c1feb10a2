"""The tables of the embedded engine, and what every part of it asks of them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import orjson
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    select,
)

from shared.errors import DatabaseUnavailable, StreamUnavailable
from shared.storage.engine import Database
from shared.stream.ports import Partition

METADATA = MetaData()

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
    Column("key", LargeBinary, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("headers", LargeBinary, nullable=False),
    Column("appended_at", BigInteger, nullable=False),
)

LEASES = Table(
    "leases",
    METADATA,
    Column("group", String, primary_key=True),
    Column("holder", String, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)
"""Who owns all partitions of a group, and until when (microseconds since 1970)."""


@contextmanager
def answering() -> Iterator[None]:
    """Turn a database that does not answer into a stream that does not."""
    try:
        yield
    except DatabaseUnavailable as error:
        raise StreamUnavailable("the embedded stream does not answer") from error


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


def pack_headers(headers: tuple[tuple[str, bytes], ...]) -> bytes:
    """Return headers as one JSON array; Latin-1 keeps every byte of their values."""
    return orjson.dumps([(name, value.decode("latin-1")) for name, value in headers])


def unpack_headers(packed: bytes) -> tuple[tuple[str, bytes], ...]:
    """Return the headers that ``pack_headers`` packed."""
    return tuple((name, value.encode("latin-1")) for name, value in orjson.loads(packed))

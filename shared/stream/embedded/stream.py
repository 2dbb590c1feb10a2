"""The embedded engine as a whole."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Final

from sqlalchemy import (
    Column,
    Connection,
    Select,
    bindparam,
    delete,
    func,
    inspect,
    select,
    text,
    update,
)

from shared.clock import Clock, SystemClock, to_micros
from shared.errors import StreamDamaged, StreamUnavailable
from shared.storage.engine import Database
from shared.stream.embedded.consumer import EmbeddedConsumer
from shared.stream.embedded.damage import all_damage
from shared.stream.embedded.lease import Lease
from shared.stream.embedded.publisher import EmbeddedPublisher
from shared.stream.embedded.tables import METADATA, PARTITIONS, RECORDS, Places, answering
from shared.stream.ports import Partition
from shared.stream.topics import TOPICS, Topic

LEASE_S: Final = 10.0
LEASE_LOCK_MS: Final = 1_000
"""A renewal gives up on a locked file after this long, or polls would wait for publishers."""


class EmbeddedStream:
    """One SQLite file that several processes of one host publish to and read from."""

    def __init__(
        self,
        path: Path,
        partitions: int,
        clock: Clock | None = None,
        *,
        lease_s: float = LEASE_S,
        own_thread: bool = True,
    ) -> None:
        """Open the file, or make it.

        Args:
            path: The file; no other table lives in it, and it lies on a local disk.
            partitions: How many partitions a topic gets when it is created.
            clock: Stamps records and decides when a lease expires.
            lease_s: After how many seconds without a poll another consumer takes over.
            own_thread: Whether publishers write on a thread of their own, so that all who wait
                share one fsync; False under a virtual clock, in a world of one thread.

        Raises:
            StreamUnavailable: when the file cannot be opened.
            StreamDamaged: when it is damaged.
        """
        self._partitions = partitions
        self._clock = clock or SystemClock()
        self._lease_s = lease_s
        self._own_thread = own_thread
        self._database = Database(f"sqlite:///{path}")
        self._leases = Database(f"sqlite:///{path}", busy_timeout_ms=LEASE_LOCK_MS)
        self._places = Places(self._database)
        with answering():
            _prepare(self._database)

    def publisher(self) -> EmbeddedPublisher:
        """Open a publisher."""
        return EmbeddedPublisher(
            self._database, self._places, self._clock, own_thread=self._own_thread
        )

    def consumer(
        self, group: str, topics: Sequence[str], start_at: Callable[[Partition], int]
    ) -> EmbeddedConsumer:
        """Open a consumer; it owns all partitions or none."""
        lease = Lease(self._leases, group, self._clock, self._lease_s)
        return EmbeddedConsumer(self._database, self._places, lease, topics, start_at)

    def partitions(self, topic: str) -> int:
        """Return how many partitions the topic has.

        Raises:
            StreamUnavailable: when the topic does not exist, or the file does not answer.
        """
        return len(self._places.of(topic))

    def ends(self, topic: str) -> Mapping[Partition, int]:
        """Return the offset after the last record of each partition."""
        return self._offsets(topic, PARTITIONS.c.ends)

    def begins(self, topic: str) -> Mapping[Partition, int]:
        """Return the offset of the first record of each partition that retention left."""
        return self._offsets(topic, PARTITIONS.c.begins)

    def healthy(self) -> bool:
        """Return whether the file can be read; readers never wait for a writer."""
        return self._database.healthy()

    def create_topics(self) -> Sequence[str]:
        """Create what is missing, and drop what is past its retention; safe to repeat."""
        with answering(), self._database.write() as db:
            there = set(db.scalars(select(PARTITIONS.c.topic)))
            missing = [topic.name for topic in TOPICS if topic.name not in there]
            for name in missing:
                db.execute(PARTITIONS.insert(), [_empty(name, n) for n in range(self._partitions)])
            for topic in TOPICS:
                self._expire(db, topic)
        return missing

    def check_topics(self) -> Sequence[str]:
        """Return what is wrong with the topics, as sentences that say what to do."""
        return [problem for topic in TOPICS for problem in self._check(topic)]

    def damage(self) -> Sequence[str]:
        """Read the whole file; return what is damaged in it, as sentences.

        Raises:
            StreamUnavailable: when the file does not answer.
        """
        try:
            with answering(), self._database.read() as db:
                return list(all_damage(db))
        except StreamDamaged as error:
            return [str(error)]

    def close(self) -> None:
        """Close every connection."""
        self._database.close()
        self._leases.close()

    def _offsets(self, topic: str, which: Column[int]) -> Mapping[Partition, int]:
        partitions = self._places.partitions(topic)
        with answering(), self._database.read() as db:
            found = db.execute(_of_topic(which), {"which": topic})
            return {partitions[place]: offset for place, offset in found}

    def _expire(self, db: Connection, topic: Topic) -> None:
        if topic.kept_days is None:
            return
        oldest = to_micros(self._clock.now() - timedelta(days=topic.kept_days))
        places = select(PARTITIONS.c.place).where(PARTITIONS.c.topic == topic.name)
        for place in db.scalars(places).all():
            here = RECORDS.c.place == place
            db.execute(delete(RECORDS).where(here, RECORDS.c.appended_at < oldest))
            first = select(func.min(RECORDS.c.offset)).where(here).scalar_subquery()
            begins = func.coalesce(first, PARTITIONS.c.ends)
            db.execute(update(PARTITIONS).where(PARTITIONS.c.place == place).values(begins=begins))

    def _check(self, topic: Topic) -> Sequence[str]:
        try:
            found = self.partitions(topic.name)
        except StreamUnavailable as error:
            return [str(error)]
        if found != self._partitions:
            return [
                f"topic {topic.name} has {found} partitions, not {self._partitions}, and"
                f" cannot change: set RAPPORT_PARTITIONS={found}"
            ]
        return []


@cache
def _of_topic(which: Column[int]) -> Select[int, int]:
    return select(PARTITIONS.c.place, which).where(PARTITIONS.c.topic == bindparam("which"))


def _prepare(database: Database) -> None:
    """Make the tables of a new file; one that has them is opened without waiting for writers."""
    with database.read() as db:
        ready = _is_ready(db)
    if not ready:
        with database.write() as db:
            METADATA.create_all(db)
            if not _is_ready(db):
                # A file from before there were checksums; its old records stay without.
                db.execute(text("ALTER TABLE records ADD COLUMN checksum BIGINT"))


def _is_ready(db: Connection) -> bool:
    found = inspect(db)
    if not METADATA.tables.keys() <= set(found.get_table_names()):
        return False
    return "checksum" in {column["name"] for column in found.get_columns(RECORDS.name)}


def _empty(topic: str, number: int) -> dict[str, object]:
    return {"topic": topic, "number": number, "begins": 0, "ends": 0}

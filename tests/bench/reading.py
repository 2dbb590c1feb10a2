"""Consume to the end of the stream: as the product's consumers do, and as plainly as can be."""

import sqlite3
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final

import psutil
import psycopg
from kafka import KafkaConsumer
from sqlalchemy import Connection, make_url

from services.projections.read_models import TIMELINES
from services.projections.rebuild import Candidate
from shared.clock import SystemClock
from shared.storage import generations
from shared.storage.engine import Borrowing, Database
from shared.stream.handling import Handler, Item
from shared.stream.parking import Who
from shared.stream.ports import EVENTS, Stream
from shared.stream.rebuilding import Rebuilding
from shared.stream.runner import BATCH_LIMIT, Runner
from tests.bench.measuring import cpu_s

PATIENCE_S: Final = 600.0
"""A consumer that has not come to the end after so long is broken."""

POLL_MS: Final = 200

TABLE: Final = (
    "CREATE TABLE raw (partition integer, number bigint, appended_at bigint, key {bytes},"
    " value {bytes}, PRIMARY KEY (partition, number))"
)


@dataclass(frozen=True, slots=True)
class Spent:
    """What it took to handle some records.

    Attributes:
        events: How many.
        seconds: How long.
        cpu_s: CPU seconds of the consumer's process.
        database_cpu_s: CPU seconds of the database server; 0 where it has none.
    """

    events: int
    seconds: float
    cpu_s: float
    database_cpu_s: float = 0.0

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.events / self.seconds


class Meter:
    """Takes time and CPU while something is done."""

    def __init__(self, database: psutil.Process | None) -> None:
        """Watch this process, and the database server where there is one."""
        self._database = database

    def spent(self, events: int, work: Callable[[], None]) -> Spent:
        """Do the work; return what it took."""
        before, cpu, began = self._server_s(), time.process_time(), time.perf_counter()
        work()
        seconds, used = time.perf_counter() - began, time.process_time() - cpu
        return Spent(events, seconds, used, self._server_s() - before)

    def _server_s(self) -> float:
        return 0.0 if self._database is None else cpu_s(self._database)


class Counting:
    """A handler that counts what it has handled."""

    def __init__(self, handler: Handler) -> None:
        """Handle as ``handler`` does."""
        self._handler = handler
        self.name = handler.name
        self.topics = handler.topics
        self.count = 0
        self.redo = handler.redo
        self.refresh = handler.refresh
        self.clients_known = handler.clients_known

    def handle(self, db: Connection, items: Sequence[Item], held: Collection[Who]) -> None:
        """Handle a batch, and count it."""
        self._handler.handle(db, items, held)
        self.count += len(items)


class Reader:
    """A consumer of the product, stepped until it has handled as much as is wanted."""

    def __init__(
        self, stream: Stream, db: Database, handler: Handler, batch_limit: int = BATCH_LIMIT
    ) -> None:
        """Join the group of the handler."""
        self._handler = Counting(handler)
        self._clock = SystemClock()
        self._runner = Runner(stream, db, self._handler, self._clock, batch_limit=batch_limit)

    def handle(self, count: int) -> None:
        """Step until ``count`` more records were handled."""
        wanted = self._handler.count + count
        deadline = time.monotonic() + PATIENCE_S
        while self._handler.count < wanted:
            self._runner.step(self._clock.now())
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self._handler.name} has not come to the end")

    def __enter__(self) -> "Reader":
        """Return the reader."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the group."""
        self._runner.close()


def rebuild(stream: Stream, url: str, *, compare: bool) -> None:
    """Build the next generation of the timelines, as ``rapport rebuild`` does up to the switch.

    Args:
        stream: What is read.
        url: Of a database whose serving generation has read all of it.
        compare: Whether the two are compared, client by client.
    """
    database, clock = Borrowing(url), SystemClock()
    with database.write() as db:
        new = generations.begin(db, TIMELINES)
        old = generations.in_state(db, TIMELINES.name, "active")
    if old is None:
        raise RuntimeError("no generation serves")
    candidate = Candidate(new.number)
    rebuilding = Rebuilding(database, stream, candidate, old, new, clock, compare=compare)
    try:
        while rebuilding.step(clock.now()):
            pass
        if rebuilding.finish(clock.now(), "nothing").differences:
            raise RuntimeError("what was rebuilt differs from what serves")
    finally:
        rebuilding.close()
        database.close()


def discard(db: Database) -> None:
    """Drop the generation of the timelines that was built."""
    with db.write() as connection:
        built = generations.in_state(connection, TIMELINES.name, "building")
        if built is not None:
            generations.drop(connection, built)


def read_plainly(broker: str, url: str, count: int) -> None:
    """Consume ``count`` records with kafka-python and insert them, 1 000 in a transaction.

    By COPY on PostgreSQL, by ``executemany`` on SQLite; key, value and place of each record, and
    nothing is read in them. As durable as the product's own: SQLite flushes at every commit.
    """
    consumer = KafkaConsumer(
        EVENTS,
        bootstrap_servers=broker,
        group_id=uuid.uuid4().hex,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_poll_records=BATCH_LIMIT,
    )
    try:
        if url.startswith("sqlite"):
            _into_sqlite(str(make_url(url).database), _batches(consumer, count))
        else:
            _into_postgres(url, _batches(consumer, count))
    finally:
        consumer.close()


_Rows = Sequence[tuple[int, int, int, bytes, bytes]]


def _batches(consumer: Any, count: int) -> Iterable[_Rows]:
    got = 0
    while got < count:
        found = consumer.poll(timeout_ms=POLL_MS)
        rows = [
            (one.partition, one.offset, one.timestamp, one.key, one.value)
            for batch in found.values()
            for one in batch
        ]
        got += len(rows)
        if rows:
            yield rows


def _into_postgres(url: str, batches: Iterable[_Rows]) -> None:
    address = url.replace("postgresql+psycopg://", "postgresql://", 1)
    with psycopg.connect(address) as db:
        db.execute("DROP TABLE IF EXISTS raw")
        db.execute(TABLE.format(bytes="bytea"))
        db.commit()
        for rows in batches:
            with db.cursor().copy("COPY raw FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            db.commit()


def _into_sqlite(path: str, batches: Iterable[_Rows]) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("DROP TABLE IF EXISTS raw")
        db.execute(TABLE.format(bytes="blob"))
        db.commit()
        for rows in batches:
            db.executemany("INSERT INTO raw VALUES (?, ?, ?, ?, ?)", rows)
            db.commit()

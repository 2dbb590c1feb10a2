"""Appending: one writer at a time, and everybody who waits shares one fsync.

Publishers hand their records to a writer thread. It opens a write transaction, and only then takes
whatever has gathered meanwhile, gives it offsets and commits once for all. Because SQLite lets one
process write at a time and the offsets are given inside the transaction, they become visible in
order, also with several processes publishing.
"""

import threading
import time
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, select, update

from shared.clock import Clock, to_micros
from shared.errors import StreamUnavailable
from shared.logs import logger
from shared.storage.engine import Database
from shared.stream.embedded.damage import checksum
from shared.stream.embedded.tables import PARTITIONS, RECORDS, Places
from shared.stream.headers import pack_headers
from shared.stream.partitioning import partition_of
from shared.stream.ports import Outgoing
from shared.stream.topics import refuse_too_large

MAX_RECORDS_PER_COMMIT: Final = 10_000
RETRY_AFTER_S: Final = 0.5
CLOSE_WITHIN_S: Final = 2.0


class EmbeddedPublisher:
    """Appends to the file. Safe to call from many threads; made after any fork."""

    def __init__(
        self, database: Database, places: Places, clock: Clock, *, own_thread: bool = True
    ) -> None:
        """Start nothing yet: the writer thread starts with the first publication.

        Args:
            database: The stream's file.
            places: Its partitions.
            clock: Stamps records.
            own_thread: False lets whoever publishes write, where the whole world has one thread.
        """
        self._own_thread = own_thread
        self._database = database
        self._places = places
        self._clock = clock
        self._changed = threading.Condition()
        self._queue: list[_Batch] = []
        self._writer: threading.Thread | None = None
        self._closed = False

    def publish(self, records: Sequence[Outgoing], deadline_s: float) -> None:
        """Return only when the file holds every record, flushed to the disk.

        Raises:
            StreamUnavailable: when that took longer than ``deadline_s``, or failed.
            Refused: when a record is larger than any engine takes.
        """
        refuse_too_large(records)
        if not records:
            return
        batch = _Batch([(self._place(record), record) for record in records])
        with self._changed:
            self._enqueue(batch)
        if not self._own_thread:
            self.step()
        if not batch.settled.wait(deadline_s):
            self._withdraw(batch)
            raise StreamUnavailable(f"not written within {deadline_s:g} s")
        if batch.error is not None:
            raise StreamUnavailable("the embedded stream did not take it") from batch.error

    def close(self) -> None:
        """Write what still waits, and end the writer thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
            writer = self._writer
        if writer is not None:
            writer.join(CLOSE_WITHIN_S)

    def step(self) -> bool:
        """Write what waits, in one transaction; return whether the file took it."""
        taken: list[_Batch] = []
        error: Exception | None = None
        try:
            with self._database.write() as db:
                # Taken only now: who came while we waited for the lock shares this fsync, and
                # who gave up meanwhile is known never to have been written.
                taken = self._take()
                self._append(db, taken)
        except Exception as cause:
            # Whoever waits raises it; the writer itself must live on for those who come after.
            error = cause
            logger("stream").error("embedded.write_failed", error=type(cause).__name__)
        for batch in taken:
            batch.error = error
            batch.settled.set()
        return error is None

    def _place(self, record: Outgoing) -> int:
        places = self._places.of(record.topic)
        if record.partition is None:
            return places[partition_of(record.key, len(places))]
        if not 0 <= record.partition < len(places):
            raise ValueError(f"{record.topic} has {len(places)} partitions")
        return places[record.partition]

    def _enqueue(self, batch: "_Batch") -> None:
        if self._closed:
            raise StreamUnavailable("the publisher is closed")
        self._queue.append(batch)
        if self._writer is None and self._own_thread:
            self._writer = threading.Thread(
                target=self._run, name="rapport-embedded-publisher", daemon=True
            )
            self._writer.start()
        self._changed.notify()

    def _withdraw(self, batch: "_Batch") -> None:
        with self._changed:
            if batch in self._queue:
                self._queue.remove(batch)

    def _run(self) -> None:
        while self._wait_for_work():
            if not self.step():
                # Those who wait give up at their own deadlines.
                time.sleep(RETRY_AFTER_S)

    def _wait_for_work(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            return bool(self._queue)

    def _take(self) -> list["_Batch"]:
        with self._changed:
            taken: list[_Batch] = []
            room = MAX_RECORDS_PER_COMMIT
            for batch in self._queue:
                room -= len(batch.records)
                if taken and room < 0:
                    break
                taken.append(batch)
            del self._queue[: len(taken)]
            return taken

    def _append(self, db: Connection, batches: list["_Batch"]) -> None:
        ends: dict[int, int] = {row.place: row.ends for row in db.execute(_ENDS)}
        appended_at = to_micros(self._clock.now())
        rows = []
        grown = set()
        for batch in batches:
            for place, record in batch.records:
                rows.append(_row(place, ends[place], record, appended_at))
                ends[place] += 1
                grown.add(place)
        if rows:
            db.execute(RECORDS.insert(), rows)
            db.execute(_SET_END, [{"at": place, "end": ends[place]} for place in grown])


class _Batch:
    """One publication on its way to the file."""

    def __init__(self, records: list[tuple[int, Outgoing]]) -> None:
        self.records = records
        self.settled = threading.Event()
        self.error: Exception | None = None


_ENDS = select(PARTITIONS.c.place, PARTITIONS.c.ends)
_SET_END = (
    update(PARTITIONS).where(PARTITIONS.c.place == bindparam("at")).values(ends=bindparam("end"))
)


def _row(place: int, offset: int, record: Outgoing, appended_at: int) -> dict[str, object]:
    headers = pack_headers(record.headers)
    return {
        "place": place,
        "offset": offset,
        "key": record.key,
        "value": record.value,
        "headers": headers,
        "appended_at": appended_at,
        "checksum": checksum(place, offset, record.key, record.value, headers, appended_at),
    }

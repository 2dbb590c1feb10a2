"""Reading: the holder of the group's lease owns all partitions, and nobody else gets a record."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from sqlalchemy import Connection, Row, bindparam, select

from shared.clock import from_micros
from shared.errors import DatabaseUnavailable, StreamDamaged
from shared.storage.engine import Database
from shared.stream.embedded.damage import good_beginning
from shared.stream.embedded.lease import Lease
from shared.stream.embedded.tables import (
    PARTITIONS,
    RECORDS,
    Places,
    answering,
)
from shared.stream.headers import unpack_headers
from shared.stream.ports import Partition, Record

FIRST_WAIT_S: Final = 0.005
LONGEST_WAIT_S: Final = 0.1
"""Own: how often an idle consumer looks: at first often, then ten times a second."""

# Every poll asks; making a question costs more than asking it.
_BOUNDS: Final = select(PARTITIONS).where(
    PARTITIONS.c.place.in_(bindparam("places", expanding=True))
)
_RECORDS: Final = (
    select(RECORDS)
    .where(RECORDS.c.place == bindparam("at"), RECORDS.c.offset >= bindparam("start"))
    .order_by(RECORDS.c.offset)
    .limit(bindparam("most"))
)


class EmbeddedConsumer:
    """Reads the file for one group. One thread uses it."""

    def __init__(
        self,
        database: Database,
        places: Places,
        lease: Lease,
        topics: Sequence[str],
        start_at: Callable[[Partition], int],
    ) -> None:
        """Own nothing yet; the first ``poll`` claims the lease."""
        self._database = database
        self._places = places
        self._lease = lease
        self._topics = topics
        self._start_at = start_at
        self._positions: dict[Partition, int] = {}
        self._numbers: dict[Partition, int] = {}

    def poll(self, limit: int, timeout_s: float) -> Sequence[Record]:
        """Return at most ``limit`` records; wait for one no longer than ``timeout_s``.

        Raises:
            StreamUnavailable: when the file does not answer.
            StreamDamaged: when the position is not in the file, before its begin or after its end,
                or what stands there is not what was appended.
        """
        deadline = time.monotonic() + timeout_s
        wait = FIRST_WAIT_S
        while True:
            records = self._owned_records(limit)
            left = deadline - time.monotonic()
            if records or left <= 0:
                return records
            time.sleep(min(wait, left))
            wait = min(2 * wait, LONGEST_WAIT_S)

    def owned(self) -> frozenset[Partition]:
        """Return all partitions while the lease is held, else none."""
        return frozenset(self._positions) if self._lease.held() else frozenset()

    def seek(self, place: Partition, offset: int) -> None:
        """Read on from ``offset``; without effect on a partition that is not owned."""
        if place in self._positions:
            self._positions[place] = offset

    def courtesy_commit(self, ends: Mapping[Partition, int]) -> None:
        """Do nothing: no lag tool looks into this file."""

    def close(self) -> None:
        """Give the lease up at once."""
        self._positions.clear()
        # If the file cannot be written now, the lease simply expires.
        with suppress(DatabaseUnavailable):
            self._lease.release()

    def _owned_records(self, limit: int) -> Sequence[Record]:
        with answering():
            taken_anew = self._lease.hold()
        if taken_anew or not self._lease.held():
            self._positions.clear()
        if not self._lease.held():
            return ()
        if not self._positions:
            self._load_positions()
        with answering(), self._database.read() as db:
            records, positions = self._read(db, limit)
        # The lease may have run out while we read; then these records are somebody else's.
        if not self._lease.held():
            return ()
        for place, position in positions.items():
            # What was just served goes to the end of the queue, so that none starves.
            del self._positions[place]
            self._positions[place] = position
        return records

    def _load_positions(self) -> None:
        numbers = {
            partition: number
            for topic in self._topics
            for number, partition in self._places.partitions(topic).items()
        }
        self._positions = {partition: self._start_at(partition) for partition in numbers}
        self._numbers = numbers

    def _read(self, db: Connection, limit: int) -> tuple[list[Record], dict[Partition, int]]:
        numbers = {"places": list(self._numbers.values())}
        bounds = {row.place: row for row in db.execute(_BOUNDS, numbers)}
        records: list[Record] = []
        moved: dict[Partition, int] = {}
        for partition, position in self._positions.items():
            row = bounds[self._numbers[partition]]
            if not row.begins <= position <= row.ends:
                raise StreamDamaged(
                    f"{partition.topic}/{partition.number} holds offsets {row.begins} to"
                    f" {row.ends}, not {position}: records were removed before they were read;"
                    " restore the stream's file from a backup that has them (nothing was skipped)"
                )
            if position < row.ends and len(records) < limit:
                found = _records(db, row, position, limit - len(records))
                records += found
                moved[partition] = found[-1].offset + 1
        return records, moved


def _records(db: Connection, place: Row[tuple[int]], start: int, limit: int) -> list[Record]:
    where = Partition(place.topic, place.number)
    wanted = {"at": place.place, "start": start, "most": limit}
    return [
        Record(
            topic=place.topic,
            partition=place.number,
            offset=row.offset,
            key=row.key,
            value=row.value,
            headers=unpack_headers(row.headers),
            appended_at=from_micros(row.appended_at),
        )
        for row in good_beginning(db.execute(_RECORDS, wanted).all(), where, start)
    ]

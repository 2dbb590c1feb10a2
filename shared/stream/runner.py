"""Drive one consumer: poll → decode → handle → commit, in bounded batches.

The runner knows nothing of what is handled. It gives the handler an open transaction whose first
statements were the positions, so that effect and position are saved together or not at all.

What is transient is raised, and read again. Of a batch that fails otherwise nothing was saved: it
is halved until a single record fails, which is parked (``parking.py``), and its client with it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby

from shared import metrics
from shared.clock import Clock, to_micros
from shared.errors import (
    TRANSIENT,
    ClientFault,
    PositionConflict,
    StreamUnavailable,
    TooManyParked,
    Unreadable,
)
from shared.events import upcast
from shared.logs import logger
from shared.storage import positions
from shared.storage.engine import Database
from shared.storage.positions import Position
from shared.stream import codec, parking, quarantine
from shared.stream.handling import Handler, Item
from shared.stream.parking import Entry, Who
from shared.stream.ports import Consumer, Outgoing, Partition, Publisher, Record, Stream
from shared.values import frozen

BATCH_LIMIT = 1_000
"""Records handled in one transaction at most."""

POLL_TIMEOUT_S = 0.1
PUBLISH_DEADLINE_S = 10.0
LAG_EVERY = timedelta(seconds=5)

log = logger("runner")


@frozen
class _Read:
    """A record, and what it holds; None where nobody can decode it."""

    record: Record
    item: Item | None


class Runner:
    """A worker: one consumer, its positions, its handler."""

    def __init__(
        self,
        stream: Stream,
        database: Database,
        handler: Handler,
        clock: Clock,
        *,
        batch_limit: int = BATCH_LIMIT,
        poll_timeout_s: float = POLL_TIMEOUT_S,
    ) -> None:
        """Join the handler's group; nothing is read before the first ``step``."""
        self._stream = stream
        self._database = database
        self._handler = handler
        self._clock = clock
        self._batch_limit = batch_limit
        self._poll_timeout_s = poll_timeout_s
        self._positions: dict[Partition, Position] = {}
        self._told_at: datetime | None = None
        self._told: frozenset[Partition] = frozenset()
        self._failed_in_a_row: frozenset[Who] = frozenset()
        self._undecoded_in_a_row = 0
        self._copied_until: dict[Partition, int] = {}
        self._publisher: Publisher | None = None
        self._consumer: Consumer = stream.consumer(handler.name, handler.topics, self._start_at)

    def step(self, now: datetime) -> bool:
        """Handle one batch; return whether there was anything to do.

        Raises:
            Unavailable: when the stream or the database does not answer; step again later.
            Unreadable: when the position is no longer in the stream, or the stream is damaged.
            TooManyParked: when the release must be at fault; the position has not moved.
        """
        records = self._consumer.poll(self._batch_limit, self._poll_timeout_s)
        if records:
            self._take(records)
        self._tell(now)
        return bool(records)

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()
        if self._publisher is not None:
            self._publisher.close()

    def retire(self) -> None:
        """Leave the group for good: its figures would be taken for those of what serves."""
        self.close()
        for gauge in (metrics.POSITION_LAG, metrics.NEWEST_RECORDED,
                      metrics.PARKED_CLIENTS, metrics.PARKED_RECORDS):  # fmt: skip
            gauge.remove_by_labels({"consumer": self._handler.name})

    def _take(self, records: Sequence[Record]) -> None:
        try:
            batch, undecoded = self._decoded(records)
            self._handle(batch)
            self._undecoded_in_a_row = undecoded
        except PositionConflict:
            log.warning("position_conflict", consumer=self._handler.name)
            for place in {record.place for record in records}:
                self._consumer.seek(place, self._start_at(place))
        except Exception:
            # Of what went wrong nothing was saved: read on next time where the last save ended.
            for place in {record.place for record in records}:
                self._consumer.seek(place, self._positions[place].next_offset)
            raise

    def _decoded(self, records: Sequence[Record]) -> tuple[list[_Read], int]:
        """Return what the records hold; copy what nobody can decode to the quarantine.

        Returns:
            Also how many in a row, at the end, hold nothing that can be decoded.
        """
        found: list[_Read] = []
        copied: list[Record] = []
        copies: list[Outgoing] = []
        in_a_row = self._undecoded_in_a_row
        for record in records:
            try:
                found.append(_Read(record, Item(record, codec.decode(record))))
                in_a_row = 0
            except Unreadable as error:
                found.append(_Read(record, None))
                in_a_row += 1
                quarantine.check_limit(self._handler.name, in_a_row)
                # What could not be saved is read again, for as long as a database may be away.
                if record.offset >= self._copied_until.get(record.place, 0):
                    copied.append(record)
                    copies.append(quarantine.copy_of(record, self._handler.name, error))
        if copies:
            self._publisher = self._publisher or self._stream.publisher()
            self._publisher.publish(copies, PUBLISH_DEADLINE_S)
            metrics.QUARANTINED.labels(self._handler.name).inc(len(copies))
            for record in copied:
                self._copied_until[record.place] = record.offset + 1
                _say("quarantined", self._handler.name, record)
        return found, in_a_row

    def _handle(self, batch: Sequence[_Read]) -> None:
        """Save the effect of a batch, or of as much of it as can be handled."""
        try:
            self._save(batch)
        except TRANSIENT:
            raise
        except Exception as error:
            cause = error
        else:
            return
        if len(batch) == 1:
            self._park(batch[0], cause)
            return
        middle = len(batch) // 2
        self._handle(batch[:middle])
        self._handle(batch[middle:])

    def _park(self, read: _Read, error: Exception) -> None:
        """Park one record that fails; for everybody for whom it does not fail it is handled.

        Raises:
            TooManyParked: when a limit is reached; nothing was saved of it.
        """
        entries: list[Entry] = []
        while True:
            entries.append(_blamed(read, error, entries))
            try:
                self._save([read], entries)
            except (*TRANSIENT, TooManyParked):
                raise
            except Exception as another:
                error = another
            else:
                break
        metrics.PARKED.labels(self._handler.name).inc()
        for entry in entries:
            _say("parked", self._handler.name, read.record, error=entry.error,
                 where=entry.code_place)  # fmt: skip

    def _save(self, batch: Sequence[_Read], failed: Sequence[Entry] = ()) -> None:
        """Save positions and effect of a batch in one transaction, and what failed of it."""
        ends = self._ends(batch)
        name, now = self._handler.name, self._clock.now()
        in_a_row = self._failed_in_a_row | {entry.who for entry in failed}
        with self._database.write() as db:
            positions.advance(db, name, self._positions, ends)
            if failed:
                parking.park(db, name, failed, now)
                known = self._handler.clients_known(db)
                parking.check_limits(db, name, len(in_a_row), known, now)
            held = parking.held(db, name)
            items = [read.item for read in batch if read.item is not None]
            if not held.nobody:
                fates = [(item, held.fate(item.who, item.record)) for item in items]
                waiting = [(item.who, item.record) for item, fate in fates if fate == "queue"]
                parking.queue(db, name, waiting, now)
                items = [item for item, fate in fates if fate == "handle"]
            for item in items:
                upcast(item.envelope.event)  # What a newer release wrote must wait for it.
            if items:
                self._handler.handle(db, items, held.clients)
        self._positions.update(ends)
        self._consumer.courtesy_commit({place: end.next_offset for place, end in ends.items()})
        metrics.HANDLED.labels(name).inc(len(batch))
        self._failed_in_a_row = frozenset() if items else in_a_row

    def _ends(self, batch: Sequence[_Read]) -> dict[Partition, Position]:
        ends: dict[Partition, Position] = {}
        for place, reads in groupby(batch, key=lambda read: read.record.place):
            some = list(reads)
            newest = [ends.get(place, self._positions[place]).newest_recorded]
            newest += [to_micros(read.item.envelope.recorded_at) for read in some if read.item]
            ends[place] = Position(some[-1].record.offset + 1, max(newest))
        return ends

    def _start_at(self, place: Partition) -> int:
        found = positions.load(self._database, self._handler.name, place.topic, place.number)
        self._positions[place] = found
        return found.next_offset

    def _tell(self, now: datetime) -> None:
        """Set the gauges, now and then."""
        if self._told_at is not None and now - self._told_at < LAG_EVERY:
            return
        self._told_at = now
        with self._database.read() as db:
            clients, records = parking.counts(db, self._handler.name)
        metrics.PARKED_CLIENTS.labels(self._handler.name).set(clients)
        metrics.PARKED_RECORDS.labels(self._handler.name).set(records)
        owned = self._consumer.owned()
        for place in self._told - owned:  # Somebody else tells of it now.
            for gauge in (metrics.POSITION_LAG, metrics.NEWEST_RECORDED):
                gauge.remove(*self._labels(place))
        self._told = owned
        try:
            for topic in self._handler.topics:
                for place, end in self._stream.ends(topic).items():
                    if place in owned and place in self._positions:
                        self._tell_lag(place, end)
        except StreamUnavailable:
            log.warning("lag_unknown", consumer=self._handler.name)

    def _tell_lag(self, place: Partition, end: int) -> None:
        at = self._positions[place]
        labels = self._labels(place)
        metrics.POSITION_LAG.labels(*labels).set(max(0, end - at.next_offset))
        metrics.NEWEST_RECORDED.labels(*labels).set(at.newest_recorded / 1_000_000)

    def _labels(self, place: Partition) -> tuple[str, str]:
        return (self._handler.name, f"{place.topic}/{place.number}")


def _blamed(read: _Read, error: Exception, already: Sequence[Entry]) -> Entry:
    """Return the entry of whoever a record fails for: one client alone, or whose it is.

    Raises:
        Exception: the error itself, where everybody whom it could be blamed on is held back
            already, and it comes nevertheless.
    """
    if read.item is None:
        raise error
    taken = {entry.who for entry in already}
    who = error.who if isinstance(error, ClientFault) else read.item.who
    if who in taken:
        who = read.item.who
    if who in taken:
        raise error
    return parking.entry(read.record, who, error)


def _say(action: str, consumer: str, record: Record, **more: str) -> None:
    log.error(
        action,
        consumer=consumer,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        **more,
    )

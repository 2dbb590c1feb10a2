"""Drive one consumer: poll → decode → handle → commit, in bounded batches.

The runner knows nothing of what is handled. It gives the handler an open transaction whose first
statements were the positions, so that effect and position are saved together or not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection

from shared import metrics
from shared.clock import Clock, to_micros
from shared.envelope import Envelope
from shared.errors import PositionConflict, StreamUnavailable
from shared.logs import logger
from shared.storage import positions
from shared.storage.engine import Database
from shared.storage.facts import Arrival
from shared.storage.positions import Position
from shared.stream import codec
from shared.stream.ports import Consumer, Partition, Record, Stream

BATCH_LIMIT = 1_000
"""Records handled in one transaction at most."""

MERGED = "client.merged"

POLL_TIMEOUT_S = 0.1
LAG_EVERY = timedelta(seconds=5)

log = logger("runner")


@dataclass(frozen=True, slots=True)
class Item:
    """A record and the envelope that it holds."""

    record: Record
    envelope: Envelope

    @property
    def arrival(self) -> Arrival:
        """The same, as a facts table takes it."""
        own = codec.key_of(self.envelope.organisation, self.envelope.client)
        # A merger stands under the keys of both clients, and is about the one that it names.
        copied = self.envelope.event.type == MERGED and self.record.key != own
        return Arrival(self.record.partition, self.envelope, self.record.value, copied)


class Handler(Protocol):
    """What one consumer does with records.

    Attributes:
        name: Names the consumer's positions and its group; has the version in it.
        topics: What it reads.
    """

    name: str
    topics: tuple[str, ...]

    def handle(self, db: Connection, items: Sequence[Item]) -> None:
        """Save the effect of ``items`` through ``db``; the runner commits.

        Must not touch anything outside ``db``: the transaction may be rolled back and the same
        records handed over again.
        """


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
        self._lag_told_at: datetime | None = None
        self._consumer: Consumer = stream.consumer(handler.name, handler.topics, self._start_at)

    def step(self, now: datetime) -> bool:
        """Handle one batch; return whether there was anything to do.

        Raises:
            Unreadable: when a record cannot be decoded; the position has not moved.
            Unavailable: when the stream or the database does not answer; step again later.
        """
        records = self._consumer.poll(self._batch_limit, self._poll_timeout_s)
        if records:
            self._handle(records)
        self._tell_lag(now)
        return bool(records)

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _handle(self, records: Sequence[Record]) -> None:
        ends: dict[Partition, Position] = {}
        try:
            items = [Item(record, codec.decode(record)) for record in records]
            for item in items:
                newest = max(
                    ends.get(
                        item.record.place, self._positions[item.record.place]
                    ).newest_recorded,
                    to_micros(item.envelope.recorded_at),
                )
                ends[item.record.place] = Position(item.record.offset + 1, newest)
            with self._database.write() as db:
                for place, end in ends.items():
                    positions.advance(db, self._handler.name, place, self._positions[place], end)
                self._handler.handle(db, items)
        except PositionConflict:
            log.warning("position_conflict", consumer=self._handler.name)
            self._read_on_from_stored(records)
            return
        except Exception:
            # Whatever went wrong, nothing was saved: read the same records again next time.
            for place in {record.place for record in records}:
                self._consumer.seek(place, self._positions[place].next_offset)
            raise
        self._positions.update(ends)
        self._consumer.courtesy_commit({place: end.next_offset for place, end in ends.items()})
        metrics.HANDLED.labels(self._handler.name).inc(len(records))

    def _start_at(self, place: Partition) -> int:
        found = positions.load(self._database, self._handler.name, place.topic, place.number)
        self._positions[place] = found
        return found.next_offset

    def _read_on_from_stored(self, records: Sequence[Record]) -> None:
        for place in {record.place for record in records}:
            self._consumer.seek(place, self._start_at(place))

    def _tell_lag(self, now: datetime) -> None:
        if self._lag_told_at is not None and now - self._lag_told_at < LAG_EVERY:
            return
        self._lag_told_at = now
        owned = self._consumer.owned()
        try:
            for topic in self._handler.topics:
                for place, end in self._stream.ends(topic).items():
                    if place in owned and place in self._positions:
                        self._tell(place, end)
        except StreamUnavailable:
            log.warning("lag_unknown", consumer=self._handler.name)

    def _tell(self, place: Partition, end: int) -> None:
        at = self._positions[place]
        labels = (self._handler.name, f"{place.topic}/{place.number}")
        metrics.POSITION_LAG.labels(*labels).set(max(0, end - at.next_offset))
        metrics.NEWEST_RECORDED.labels(*labels).set(at.newest_recorded / 1_000_000)

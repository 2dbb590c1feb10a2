"""Reading from Kafka: its group coordination shares the partitions, our database says where on.

The library fetches and sends heartbeats on threads of its own; whatever it tells us of partitions
gained and lost comes on the caller's thread, inside ``poll`` or ``close``.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from confluent_kafka import Consumer as LibraryConsumer
from confluent_kafka import KafkaException, Message, TopicPartition

from shared.clock import from_micros
from shared.errors import RapportError, StreamUnavailable
from shared.stream.kafka.connection import Cluster, answering, described, missing, ours
from shared.stream.ports import Partition, Record

MAX_POLL_INTERVAL_MS: Final = 300_000
HEARTBEATS_PER_LEASE: Final = 3

PARTITION_BYTES: Final = 1024 * 1024
FETCH_BYTES: Final = 4 * PARTITION_BYTES
QUEUED_KBYTES: Final = 8 * 1024
QUEUED_RECORDS: Final = 2_000
"""Own: what is fetched before it is asked for. By the library's defaults a consumer that reads
what others wrote long ago holds a hundred megabytes (measured)."""

FETCH_AGAIN_MS: Final = 10
"""Own: how soon it fetches again once there is room; by default a second is lost each time."""

ASK_EVERY_S: Final = 5.0
"""Own: a silent broker and an empty topic look the same; so often an idle consumer asks which."""

ASK_TIMEOUT_S: Final = 2.0

_MENDS_ITSELF: Final = frozenset({"_MAX_POLL_EXCEEDED", "_PARTITION_EOF"})
"""What the library only tells: it has left the group, and joins again by itself."""

_Place = tuple[str, int]
"""A partition by the library's name of the topic."""


class KafkaConsumer:
    """Reads for one group. One thread uses it; connects at the first poll."""

    def __init__(
        self,
        cluster: Cluster,
        group: str,
        topics: Sequence[str],
        start_at: Callable[[Partition], int],
    ) -> None:
        """Connect nothing yet."""
        self._cluster = cluster
        self._group = group
        self._topics = {cluster.prefix + topic: topic for topic in topics}
        self._start_at = start_at
        self._library: LibraryConsumer | None = None
        self._next: dict[_Place, int] = {}
        self._failure: Exception | None = None
        self._ask_at = 0.0

    def poll(self, limit: int, timeout_s: float) -> Sequence[Record]:
        """Return at most ``limit`` records; wait for one no longer than ``timeout_s``.

        Raises:
            StreamUnavailable: when no broker answers. Finding that out takes up to two seconds.
            StreamDamaged: when the position fell out of retention, or a record is damaged.
        """
        library = self._connected()
        records = list(self._records(_taken(library, limit, timeout_s)))
        if records:
            # What failed behind them is raised by the next poll.
            self._ask_at = time.monotonic() + ASK_EVERY_S
            return records
        if self._failure is not None:
            failure = self._failure
            # Start afresh, whatever state the library may have got into.
            self._drop()
            raise failure
        self._ask(library)
        return ()

    def owned(self) -> frozenset[Partition]:
        """Return the partitions assigned by the last poll."""
        return frozenset(Partition(self._topics[topic], number) for topic, number in self._next)

    def seek(self, place: Partition, offset: int) -> None:
        """Read on from ``offset``; without effect on a partition that is not owned."""
        theirs = self._theirs(place)
        if self._library is None or theirs not in self._next:
            return
        try:
            self._library.seek(TopicPartition(*theirs, offset))
        except KafkaException:
            # Not to be had now; whoever joins afresh begins at the saved position.
            self._drop()
        else:
            self._next[theirs] = offset

    def courtesy_commit(self, ends: Mapping[Partition, int]) -> None:
        """Tell Kafka how far we are, without waiting for its answer."""
        offsets = [
            TopicPartition(*theirs, offset)
            for place, offset in ends.items()
            if (theirs := self._theirs(place)) in self._next
        ]
        if offsets and self._library is not None:
            # Lag tools lag a little more; the next commit says the same and more.
            with suppress(KafkaException):
                self._library.commit(offsets=offsets, asynchronous=True)

    def close(self) -> None:
        """Leave the group, so that the others need not wait until it is missed."""
        self._drop()

    def _drop(self) -> None:
        library, self._library = self._library, None
        self._failure = None
        self._ask_at = 0.0
        if library is not None:
            library.close()
        self._next.clear()

    def _connected(self) -> LibraryConsumer:
        if self._library is None:
            library = LibraryConsumer(self._settings())
            try:
                self._join(library)
            except RapportError:
                library.close()
                raise
            self._library = library
            self._ask_at = time.monotonic() + ASK_EVERY_S
        return self._library

    def _settings(self) -> dict[str, Any]:
        lease_ms = int(self._cluster.lease_s * 1000)
        return self._cluster.settings(
            {
                "group.id": self._cluster.prefix + self._group,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "error",
                "isolation.level": "read_committed",
                # A broker serves what its disk holds; only the reader compares the checksum.
                "check.crcs": True,
                "fetch.max.bytes": FETCH_BYTES,
                "max.partition.fetch.bytes": PARTITION_BYTES,
                "queued.max.messages.kbytes": QUEUED_KBYTES,
                "queued.min.messages": QUEUED_RECORDS,
                "fetch.queue.backoff.ms": FETCH_AGAIN_MS,
                "max.poll.interval.ms": MAX_POLL_INTERVAL_MS,
                "session.timeout.ms": lease_ms,
                "heartbeat.interval.ms": lease_ms // HEARTBEATS_PER_LEASE,
                "partition.assignment.strategy": "range",
            }
        )

    def _join(self, library: LibraryConsumer) -> None:
        for name, topic in self._topics.items():
            if described(library, name, ASK_TIMEOUT_S) is None:
                raise StreamUnavailable(missing(topic))
        with answering():
            library.subscribe(list(self._topics), on_assign=self._gained, on_revoke=self._lost)

    def _ask(self, library: LibraryConsumer) -> None:
        if time.monotonic() < self._ask_at:
            return
        # Until it answers, every poll asks.
        self._ask_at = 0.0
        described(library, next(iter(self._topics)), ASK_TIMEOUT_S)
        self._ask_at = time.monotonic() + ASK_EVERY_S

    def _gained(self, library: LibraryConsumer, gained: Sequence[TopicPartition]) -> None:
        """Begin where our database says; called by the library while it is polled."""
        try:
            self._next = {
                (place.topic, place.partition): self._start_at(
                    Partition(self._topics[place.topic], place.partition)
                )
                for place in gained
            }
        except Exception as failure:
            # Through the library no error passes unharmed: the poll that called it raises it.
            self._failure = failure
            self._next = {}
        library.assign([TopicPartition(*place, at) for place, at in self._next.items()])

    def _lost(self, _: LibraryConsumer, __: Sequence[TopicPartition]) -> None:
        self._next = {}

    def _records(self, messages: Sequence["Message[bytes, bytes]"]) -> Iterator[Record]:
        """Yield the records up to the first failure: behind it the library would skip some."""
        for message in messages:
            if self._failure is not None:
                return
            if (error := message.error()) is not None:
                if error.name() not in _MENDS_ITSELF:
                    self._failure = ours(error)
                continue
            place: Any = (message.topic(), message.partition())
            offset: Any = message.offset()
            # What was fetched before a partition was lost, and gained again, is fetched anew.
            if offset < self._next.get(place, offset + 1):
                continue
            self._next[place] = offset + 1
            yield Record(
                topic=self._topics[place[0]],
                partition=place[1],
                offset=offset,
                key=message.key() or b"",
                value=message.value() or b"",
                headers=_headers(message.headers()),
                appended_at=from_micros(message.timestamp()[1] * 1000),
            )

    def _theirs(self, place: Partition) -> _Place:
        return (self._cluster.prefix + place.topic, place.number)


def _taken(
    library: LibraryConsumer, limit: int, timeout_s: float
) -> Sequence["Message[bytes, bytes]"]:
    """Return what is there; where nothing is, wait for the first and what comes with it.

    The library would wait until ``limit`` is reached.
    """
    with answering():
        if found := library.consume(limit, 0):
            return found
        first = library.poll(timeout_s)
        return [] if first is None else [first, *library.consume(limit - 1, 0)]


def _headers(found: Any) -> tuple[tuple[str, bytes], ...]:
    """Return headers without the null that Kafka allows for a value."""
    # There are ten of a record: a list that is copied is made in half the time of a generator.
    return tuple([(name, value or b"") for name, value in found or ()])

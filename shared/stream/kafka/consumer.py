"""Reading from Kafka: its group coordination shares the partitions, our database says where on.

Rebalance callbacks run on kafka-python's network thread, where nothing may be asked of anybody. So
a newly assigned partition is only paused there; its position is loaded on the caller's thread,
before any of its records can be returned.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from kafka import KafkaConsumer as LibraryConsumer
from kafka import TopicPartition
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.base import MemberState
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from shared.clock import from_micros
from shared.errors import StreamDamaged, StreamUnavailable
from shared.stream.kafka.connection import Cluster, answering
from shared.stream.ports import Partition, Record

MAX_POLL_RECORDS: Final = 500
MAX_POLL_INTERVAL_MS: Final = 300_000
HEARTBEATS_PER_LEASE: Final = 3
SLICE_S: Final = 0.2
"""Own: how long one call of the library may wait, so that a new assignment is seen soon."""

ASK_EVERY_S: Final = 5.0
"""Own: a silent broker and an empty topic look the same; so often an idle consumer asks which."""

ASK_TIMEOUT_MS: Final = 2_000
CLOSE_TIMEOUT_MS: Final = 2_000


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
        self._topics = [cluster.prefix + topic for topic in topics]
        self._start_at = start_at
        self._library: Any = None
        self._waiting: set[TopicPartition] = set()
        self._begun: set[TopicPartition] = set()
        self._ask_at = 0.0

    def poll(self, limit: int, timeout_s: float) -> Sequence[Record]:
        """Return at most ``limit`` records; wait for one no longer than ``timeout_s``.

        Raises:
            StreamUnavailable: when no broker answers. Finding that out takes up to two seconds.
            StreamDamaged: when the position fell out of retention, or a record is damaged.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            library = self._connected()
            self._begin(library)
            left = max(0.0, deadline - time.monotonic())
            with self._dropped_on_failure():
                _finish_joining(library)
                found = library.poll(timeout_ms=min(SLICE_S, left) * 1000, max_records=limit)
            records = [
                one for place, batch in found.items() for one in self._records(place, batch)
            ]
            if records:
                self._ask_at = time.monotonic() + ASK_EVERY_S
                return records
            if time.monotonic() >= deadline:
                self._ask(library)
                return ()

    def owned(self) -> frozenset[Partition]:
        """Return the partitions assigned by the last poll."""
        return frozenset(self._ours(place) for place in self._waiting | self._begun)

    def seek(self, place: Partition, offset: int) -> None:
        """Read on from ``offset``; without effect on a partition that is not owned."""
        theirs = self._theirs(place)
        if theirs in self._begun:
            self._library.seek(theirs, offset)

    def courtesy_commit(self, ends: Mapping[Partition, int]) -> None:
        """Tell Kafka how far we are, without waiting for its answer."""
        offsets = {
            self._theirs(place): OffsetAndMetadata(offset, "", -1)
            for place, offset in ends.items()
            if self._theirs(place) in self._begun
        }
        if offsets:
            # Lag tools lag a little more; the next commit says the same and more.
            with suppress(KafkaError):
                self._library.commit_async(offsets)

    def close(self) -> None:
        """Leave the group, so that the others need not wait until it is missed."""
        self._drop(CLOSE_TIMEOUT_MS)

    def _drop(self, timeout_ms: int) -> None:
        library, self._library = self._library, None
        self._waiting.clear()
        self._begun.clear()
        if library is not None:
            with suppress(KafkaError):
                library.close(autocommit=False, timeout_ms=timeout_ms)

    @contextmanager
    def _dropped_on_failure(self) -> Iterator[None]:
        """Start afresh after an outage, whatever state the library may have got into.

        After a damaged batch too: asked again, kafka-python 3.0 would look for the next record of
        that batch for ever, without returning.
        """
        try:
            with answering():
                yield
        except (StreamUnavailable, StreamDamaged):
            self._drop(timeout_ms=0)
            raise

    def _connected(self) -> Any:
        if self._library is None:
            lease_ms = int(self._cluster.lease_s * 1000)
            self._library = self._cluster.connect(
                LibraryConsumer,
                group_id=self._cluster.prefix + self._group,
                enable_auto_commit=False,
                auto_offset_reset="none",
                isolation_level="read_committed",
                # A broker serves what its disk holds; only the reader compares the checksum.
                check_crcs=True,
                max_poll_records=MAX_POLL_RECORDS,
                max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
                session_timeout_ms=lease_ms,
                heartbeat_interval_ms=lease_ms // HEARTBEATS_PER_LEASE,
                partition_assignment_strategy=[RangePartitionAssignor],
                metrics_enabled=False,
            )
            listener = _Listener(self._library, self._waiting, self._begun)
            self._library.subscribe(topics=self._topics, listener=listener)
        return self._library

    def _begin(self, library: Any) -> None:
        for place in sorted(self._waiting):
            library.seek(place, self._start_at(self._ours(place)))
            library.resume(place)
            self._waiting.remove(place)
            self._begun.add(place)

    def _ask(self, library: Any) -> None:
        if time.monotonic() < self._ask_at:
            return
        with self._dropped_on_failure():
            library.end_offsets([TopicPartition(self._topics[0], 0)], timeout_ms=ASK_TIMEOUT_MS)
        self._ask_at = time.monotonic() + ASK_EVERY_S

    def _records(self, place: TopicPartition, batch: Iterable[Any]) -> Iterator[Record]:
        topic, number = self._ours(place)
        for record in batch:
            yield Record(
                topic=topic,
                partition=number,
                offset=record.offset,
                key=record.key or b"",
                value=record.value or b"",
                headers=_headers(record.headers),
                appended_at=from_micros(record.timestamp * 1000),
            )

    def _ours(self, place: TopicPartition) -> Partition:
        return Partition(place.topic.removeprefix(self._cluster.prefix), place.partition)

    def _theirs(self, place: Partition) -> TopicPartition:
        return TopicPartition(self._cluster.prefix + place.topic, place.number)


def _headers(found: Sequence[tuple[str, bytes | None]]) -> tuple[tuple[str, bytes], ...]:
    """Return headers without the null that Kafka allows for a value."""
    # There are ten of a record: a list that is copied is made in half the time of a generator.
    return tuple([(name, value or b"") for name, value in found])


def _finish_joining(library: Any) -> None:
    """Remind the library of a rejoin that the end of a poll cut short.

    When new metadata led to it, kafka-python 3.0 forgets such a rejoin: it sends no heartbeats,
    owns nothing, and never tries again.
    """
    coordinator = library._coordinator  # noqa: SLF001 - nothing public reminds it.
    if coordinator.state is not MemberState.STABLE and not coordinator.need_rejoin():
        coordinator.request_rejoin()


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types.
    """Holds every newly assigned partition back until its position is loaded.

    It runs on the network thread, but only while the caller waits inside ``poll``.
    """

    def __init__(
        self, library: Any, waiting: set[TopicPartition], begun: set[TopicPartition]
    ) -> None:
        self._library = library
        self._waiting = waiting
        self._begun = begun

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._waiting.difference_update(revoked)
        self._begun.difference_update(revoked)

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        for place in assigned:
            # Without a position the library would look for one among the courtesy commits.
            self._library.seek(place, 0)
            self._library.pause(place)
            self._waiting.add(place)

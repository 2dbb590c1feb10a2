"""The port of the stream: what Rapport asks of Kafka, or of the engine that stands in for it.

Two engines implement it, ``kafka`` and ``embedded``, held to one contract suite
(tests/contracts/test_stream*.py). Nothing here knows what a record means.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from shared.values import frozen

EVENTS = "rapport.events"
ALERTS = "rapport.alerts"
QUARANTINE = "rapport.quarantine"


class Partition(NamedTuple):
    """One ordered part of a topic."""

    topic: str
    number: int


@frozen
class Outgoing:
    """A record on its way to the stream.

    Attributes:
        topic: Name of the topic.
        key: Decides the partition; records of one key stay in order.
        value: The body.
        headers: CloudEvents attributes in Kafka binary mode (``ce_…``, ``content-type``).
        partition: Set only for a record that must be in one given partition.
    """

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int | None = None


@frozen
class Record:
    """Bytes at topic, partition and offset. Offsets rise, but need not be contiguous."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    appended_at: datetime

    @property
    def place(self) -> Partition:
        """The partition that it stands in."""
        return Partition(self.topic, self.partition)


class Publisher(Protocol):
    """Appends records. Safe to call from many threads at once."""

    def publish(self, records: Sequence[Outgoing], deadline_s: float) -> None:
        """Return only when the stream has acknowledged every record.

        Raises:
            StreamUnavailable: when some were not acknowledged within ``deadline_s``. Any of them
                may nevertheless be, or later get, in the stream.
        """

    def close(self) -> None:
        """Stop; what is under way is finished or left unknown."""


class Consumer(Protocol):
    """Reads the partitions that its group's coordination gives it. One thread uses it."""

    def poll(self, limit: int, timeout_s: float) -> Sequence[Record]:
        """Return at most ``limit`` records, in order within each partition.

        A partition newly owned starts at the offset that ``start_at`` (given when the consumer
        was opened) says; no record of a partition that is not owned is ever returned.

        Raises:
            StreamUnavailable: when the stream does not answer.
            StreamDamaged: when the wanted offset is no longer in the stream (retention).
        """

    def owned(self) -> frozenset[Partition]:
        """Return the partitions owned now."""

    def seek(self, place: Partition, offset: int) -> None:
        """Read on from ``offset``; without effect on a partition that is not owned."""

    def courtesy_commit(self, ends: Mapping[Partition, int]) -> None:
        """Tell lag tools how far we are (``next offset``). Nothing of ours depends on it."""

    def close(self) -> None:
        """Leave the group at once."""


class Stream(Protocol):
    """One engine."""

    def publisher(self) -> Publisher:
        """Open a publisher."""

    def consumer(
        self, group: str, topics: Sequence[str], start_at: Callable[[Partition], int]
    ) -> Consumer:
        """Open a consumer. ``start_at`` is asked for each partition whenever it becomes owned."""

    def partitions(self, topic: str) -> int:
        """Return how many partitions the topic has.

        Raises:
            StreamUnavailable: when the stream does not answer or the topic does not exist.
        """

    def ends(self, topic: str) -> Mapping[Partition, int]:
        """Return the offset after the last record of each partition (for lag)."""

    def begins(self, topic: str) -> Mapping[Partition, int]:
        """Return the offset of the first record of each partition that retention left."""

    def healthy(self) -> bool:
        """Return whether the stream answers now; never raises, never takes longer than 2 s."""

    def create_topics(self) -> Sequence[str]:
        """Create what is missing; return the names created. Safe to repeat."""

    def check_topics(self) -> Sequence[str]:
        """Return what is wrong with the topics, as sentences that say what to do."""

    def close(self) -> None:
        """Release what the engine holds."""

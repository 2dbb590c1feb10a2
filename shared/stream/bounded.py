"""A stream that is read up to a limit which moves: what is built follows what serves."""

from collections.abc import Callable, Mapping, Sequence

from shared.stream.ports import Consumer, Partition, Publisher, Record, Stream

Limit = Callable[[], Mapping[Partition, int]]
"""Partition → the offset before which to stop. A partition that is not named is not read."""


class BoundedStream:
    """Another stream, whose consumers stop at a limit."""

    def __init__(self, stream: Stream, limit: Limit) -> None:
        """Wrap a stream; ``limit`` is asked at every poll."""
        self._stream = stream
        self._limit = limit

    def publisher(self) -> Publisher:
        """Open a publisher."""
        return self._stream.publisher()

    def consumer(
        self, group: str, topics: Sequence[str], start_at: Callable[[Partition], int]
    ) -> Consumer:
        """Open a consumer that returns no record at or after the limit."""
        return _BoundedConsumer(self._stream.consumer(group, topics, start_at), self._limit)

    def partitions(self, topic: str) -> int:
        """Return how many partitions the topic has."""
        return self._stream.partitions(topic)

    def ends(self, topic: str) -> Mapping[Partition, int]:
        """Return the offset after the last record of each partition."""
        return self._stream.ends(topic)

    def begins(self, topic: str) -> Mapping[Partition, int]:
        """Return the offset of the first record of each partition that retention left."""
        return self._stream.begins(topic)

    def healthy(self) -> bool:
        """Return whether the stream answers now."""
        return self._stream.healthy()

    def create_topics(self) -> Sequence[str]:
        """Create what is missing."""
        return self._stream.create_topics()

    def check_topics(self) -> Sequence[str]:
        """Return what is wrong with the topics."""
        return self._stream.check_topics()

    def close(self) -> None:
        """Leave the stream open: it is another's."""


class _BoundedConsumer:
    def __init__(self, consumer: Consumer, limit: Limit) -> None:
        self._consumer = consumer
        self._limit = limit

    def poll(self, limit: int, timeout_s: float) -> Sequence[Record]:
        """Return records before the limit; read those beyond it again next time."""
        stop_at = self._limit()
        found: list[Record] = []
        beyond: dict[Partition, int] = {}
        for record in self._consumer.poll(limit, timeout_s):
            if record.offset < stop_at.get(record.place, 0):
                found.append(record)
            else:
                beyond.setdefault(record.place, record.offset)
        for place, offset in beyond.items():
            self._consumer.seek(place, offset)
        return found

    def owned(self) -> frozenset[Partition]:
        return self._consumer.owned()

    def seek(self, place: Partition, offset: int) -> None:
        self._consumer.seek(place, offset)

    def courtesy_commit(self, ends: Mapping[Partition, int]) -> None:
        self._consumer.courtesy_commit(ends)

    def close(self) -> None:
        self._consumer.close()

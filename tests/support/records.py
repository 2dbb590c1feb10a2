"""Records for tests, and how tests read and handle them."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TypeAlias

from shared.stream.ports import EVENTS, Consumer, Outgoing, Partition, Record

Consume: TypeAlias = Callable[..., Consumer]
"""Opens a consumer: where it starts, its group, its topics; each may be left out."""

PATIENCE_S = 60.0
"""After so long without what it waits for, a test fails."""


def a_record(
    value: bytes = b"{}",
    key: bytes = b"org:cl_1",
    topic: str = EVENTS,
    headers: tuple[tuple[str, bytes], ...] = (("ce_specversion", b"1.0"),),
    partition: int | None = None,
) -> Outgoing:
    """Return a record on its way to the stream."""
    return Outgoing(topic, key, value, headers, partition)


def from_start(_: Partition) -> int:
    """Say where a consumer starts that has never read before."""
    return 0


def read_all(consumer: Consumer, count: int, limit: int = 500) -> Sequence[Record]:
    """Return ``count`` records or a few more; fail where they do not come in time."""
    records: list[Record] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(records) < count:
        assert time.monotonic() < deadline, f"{len(records)} of {count} records came"
        records += consumer.poll(limit, 1.0)
    return records


class Handled:
    """What the consumers of a group did, with positions advanced by compare-and-set.

    The way of every consumer in the product: a batch counts only where the position still stands
    at its first record, so that a second owner is fenced off.
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self._lock = threading.Lock()
        self._positions: defaultdict[Partition, int] = defaultdict(int)
        self.values: list[bytes] = []
        self.refused = 0

    def start_at(self, place: Partition) -> int:
        """Return the saved position."""
        with self._lock:
            return self._positions[place]

    def handle(self, records: Sequence[Record]) -> None:
        """Save the effect of each partition's records together with its position."""
        batches: defaultdict[Partition, list[Record]] = defaultdict(list)
        for record in records:
            batches[record.place].append(record)
        for place, batch in batches.items():
            with self._lock:
                if self._positions[place] == batch[0].offset:
                    self._positions[place] = batch[-1].offset + 1
                    self.values += [record.value for record in batch]
                else:
                    self.refused += 1

"""Records for tests, and how tests read them."""

import time
from collections.abc import Sequence

from shared.stream.ports import EVENTS, Consumer, Outgoing, Partition, Record

PATIENCE_S = 30.0


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

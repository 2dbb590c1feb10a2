"""Appending to Kafka: idempotent, acknowledged by all in-sync replicas, never waiting for ever.

kafka-python's idempotent producer can hang after an outage that outlasts its delivery timeout with
records in flight. So nothing waits on a future without a limit, and the first delivery that is not
acknowledged in time condemns the producer: it is taken out at once, closed on a thread of its own,
and the next publication gets a new one.
"""

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.partitioner import Partitioner

from shared.errors import StreamUnavailable
from shared.logs import logger
from shared.stream.kafka.connection import Cluster, unavailable
from shared.stream.partitioning import partition_of
from shared.stream.ports import Outgoing
from shared.stream.topics import MAX_RECORD_BYTES, refuse_too_large

MAX_BLOCK_MS: Final = 2_000
CLOSE_WITHIN_S: Final = 2.0

BATCH_BYTES: Final = 128 * 1024
"""Own: of one partition at most one batch is under way, so what does not fit waits for a whole
answer. By the library's default of 16 KiB, a hundred events at once cost a quarter more
(measured)."""


class _ByKey(Partitioner):  # type: ignore[misc]  # kafka-python is not typed.
    """The library's own choice for records with a key, made in a third of the time."""

    def partition(self, topic: str, _: Any, key: bytes, __: Any, ___: Any, cluster: Any) -> int:
        """Return the partition of a record."""
        return partition_of(key, len(cluster.partitions_for_topic(topic)))


class KafkaPublisher:
    """Appends to Kafka. Safe to call from many threads; connects at the first publication.

    So it may be opened before a fork and while no broker answers.
    """

    def __init__(self, cluster: Cluster) -> None:
        """Connect nothing yet."""
        self._cluster = cluster
        self._changed = threading.Condition()
        self._producer: Any = None
        self._connecting = False
        self._failure: StreamUnavailable | None = None
        self._closed = False

    def publish(self, records: Sequence[Outgoing], deadline_s: float) -> None:
        """Return only when every in-sync replica has acknowledged every record.

        Raises:
            StreamUnavailable: when that took longer than ``deadline_s``, or failed.
            Refused: when a record is larger than any engine takes.
        """
        refuse_too_large(records)
        deadline = time.monotonic() + deadline_s
        producer = self._current(deadline)
        try:
            for future in [self._send(producer, record) for record in records]:
                future.get(timeout=max(0.0, deadline - time.monotonic()))
        except KafkaError as error:
            self._condemn(producer, error)
            raise unavailable(error) from error

    def close(self) -> None:
        """Finish what is under way, as far as that goes within two seconds."""
        with self._changed:
            self._closed = True
            producer, self._producer = self._producer, None
            self._changed.notify_all()
        if producer is not None:
            _discard(producer, within_s=CLOSE_WITHIN_S)

    def _send(self, producer: Any, record: Outgoing) -> Any:
        return producer.send(
            self._cluster.prefix + record.topic,
            key=record.key,
            value=record.value,
            headers=list(record.headers),
            partition=record.partition,
        )

    def _current(self, deadline: float) -> Any:
        """Return the producer; connect a new one, off this thread, where there is none."""
        with self._changed:
            while self._producer is None:
                if self._closed:
                    raise StreamUnavailable("the publisher is closed")
                if not self._connecting:
                    self._connecting = True
                    self._start(self._connect)
                if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    raise self._failure or StreamUnavailable("Kafka did not answer in time")
            return self._producer

    def _connect(self) -> None:
        producer = None
        failure = None
        try:
            producer = self._cluster.connect(
                KafkaProducer,
                acks="all",
                enable_idempotence=True,
                delivery_timeout_ms=int(self._cluster.delivery_timeout_s * 1000),
                max_block_ms=MAX_BLOCK_MS,
                linger_ms=0,
                batch_size=BATCH_BYTES,
                max_request_size=MAX_RECORD_BYTES,
                partitioner=_ByKey(),
                metrics_enabled=False,
            )
        except StreamUnavailable as error:
            failure = error
        with self._changed:
            self._connecting = False
            self._failure = failure
            if not self._closed:
                self._producer, producer = producer, None
            self._changed.notify_all()
        if producer is not None:
            _discard(producer)

    def _condemn(self, producer: Any, error: KafkaError) -> None:
        with self._changed:
            if self._producer is not producer:
                return
            self._producer = None
        logger("stream").error("kafka.producer_replaced", error=type(error).__name__)
        self._start(_discard, producer)

    def _start(self, what: Any, *arguments: Any) -> None:
        threading.Thread(
            target=what, args=arguments, name="rapport-kafka-publisher", daemon=True
        ).start()


def _discard(producer: Any, within_s: float = 0.0) -> None:
    """Close a producer for good, whatever state it is in.

    ``close`` flushes first and raises when that takes too long, leaving its thread to run on and
    to send what nobody waits for any more; so the thread is told to end in any case.
    """
    with suppress(KafkaError):
        producer.close(timeout=within_s)
    sender = producer._sender  # noqa: SLF001 - kafka-python 3.0 has no public way to end it.
    sender.force_close()
    sender.join(CLOSE_WITHIN_S)
    with suppress(KafkaError):
        producer.close(timeout=0)

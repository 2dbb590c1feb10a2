"""Appending to Kafka: idempotent, acknowledged by all in-sync replicas, never waiting for ever.

The first publication that is not acknowledged in time condemns its producer: what was under way
is given up, so that nothing is sent that nobody waits for any more, and the next publication gets
a new producer. A producer that the library itself calls broken goes the same way.
"""

import threading
import time
from collections.abc import Sequence
from typing import Final

from shared.errors import StreamUnavailable
from shared.logs import logger
from shared.stream.kafka.connection import REQUEST_TIMEOUT_MS, Cluster
from shared.stream.kafka.delivering import Delivering
from shared.stream.ports import Outgoing
from shared.stream.topics import MAX_RECORD_BYTES, refuse_too_large

QUEUE_KBYTES: Final = 128 * 1024
"""Own: what may wait for a broker that is away; beyond it a publication fails at once."""


class KafkaPublisher:
    """Appends to Kafka. Safe to call from many threads; connects at the first publication.

    So it may be opened before a fork and while no broker answers.
    """

    def __init__(self, cluster: Cluster) -> None:
        """Connect nothing yet."""
        self._cluster = cluster
        self._lock = threading.Lock()
        self._delivering: Delivering | None = None
        self._closed = False

    def publish(self, records: Sequence[Outgoing], deadline_s: float) -> None:
        """Return only when every in-sync replica has acknowledged every record.

        Raises:
            StreamUnavailable: when that took longer than ``deadline_s``, or failed.
            Refused: when a record is larger than any engine takes.
        """
        refuse_too_large(records)
        deadline = time.monotonic() + deadline_s
        delivering = self._current()
        try:
            delivering.deliver(records, deadline)
        except StreamUnavailable as error:
            self._condemn(delivering, error)
            raise

    def close(self) -> None:
        """Take no more; a publication under way on another thread comes to its own end."""
        with self._lock:
            self._closed = True
            self._delivering = None

    def _current(self) -> Delivering:
        with self._lock:
            if self._closed:
                raise StreamUnavailable("the publisher is closed")
            if self._delivering is None:
                self._delivering = Delivering(self._cluster.prefix, self._settings())
            return self._delivering

    def _settings(self) -> dict[str, object]:
        return self._cluster.settings(
            {
                "acks": "all",
                "enable.idempotence": True,
                "delivery.timeout.ms": int(self._cluster.delivery_timeout_s * 1000),
                "linger.ms": 0,
                "request.timeout.ms": REQUEST_TIMEOUT_MS,
                "message.max.bytes": MAX_RECORD_BYTES,
                "queue.buffering.max.kbytes": QUEUE_KBYTES,
                # As every Kafka tool does it, and ``partitioning.py`` for the other engine.
                "partitioner": "murmur2_random",
            }
        )

    def _condemn(self, delivering: Delivering, error: StreamUnavailable) -> None:
        with self._lock:
            if self._delivering is not delivering:
                return
            self._delivering = None
        logger("stream").error("kafka.producer_replaced", reason=str(error))
        delivering.give_up()

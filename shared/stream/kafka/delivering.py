"""Waiting for acknowledgements without a thread of its own.

The library calls back on the thread that polls it. So one of those who wait polls for all, until
its own records are acknowledged, and then hands over to another. Beside a thread that only polls
it saves a switch between threads for each publication: a quarter of what one costs (measured).
"""

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from shared.errors import StreamUnavailable
from shared.stream.kafka.connection import unavailable
from shared.stream.ports import Outgoing


class _Publication:
    """Some records under way together; the library calls it once for each of them."""

    __slots__ = ("failure", "left", "woken")

    def __init__(self, count: int) -> None:
        self.left = count
        self.failure: KafkaError | None = None
        self.woken: SimpleQueue[None] = SimpleQueue()

    def __call__(self, error: KafkaError | None, _: object) -> None:
        if error is not None:
            self.failure = error
        self.left -= 1
        if not self.left:
            self.woken.put(None)


class Delivering:
    """One producer of the library, and those who wait for it. Safe to use from many threads."""

    def __init__(self, prefix: str, settings: Mapping[str, Any]) -> None:
        """Begin to connect, without waiting for it."""
        self._prefix = prefix
        self._producer = Producer(dict(settings))
        self._leading = Lock()
        self._waiting: OrderedDict[_Publication, None] = OrderedDict()

    def deliver(self, records: Sequence[Outgoing], deadline: float) -> None:
        """Send records and return when all are acknowledged.

        Raises:
            StreamUnavailable: when some were not, until ``deadline`` on the monotonic clock.
            ValueError: when a record is for a partition that its topic does not have.
        """
        publication = _Publication(len(records))
        self._send(records, publication)
        try:
            self._wait(publication, deadline)
        finally:
            self._waiting.pop(publication, None)
            self._hand_over()
        if publication.left:
            raise StreamUnavailable("Kafka did not acknowledge in time")
        if publication.failure is not None:
            raise _failed(publication.failure)

    def give_up(self) -> None:
        """Drop all that is under way; whoever waits for it is told so."""
        self._producer.purge()
        if self._leading.acquire(blocking=False):
            self._producer.poll(0)
            self._leading.release()
            self._hand_over()

    def _send(self, records: Sequence[Outgoing], publication: _Publication) -> None:
        try:
            for record in records:
                self._producer.produce(
                    self._prefix + record.topic,
                    record.value,
                    record.key,
                    partition=-1 if record.partition is None else record.partition,
                    on_delivery=publication,
                    headers=list(record.headers),
                )
        except KafkaException as error:
            raise _failed(error.args[0]) from error
        except BufferError as error:
            raise StreamUnavailable("too much waits for Kafka already") from error

    def _wait(self, publication: _Publication, deadline: float) -> None:
        while publication.left and (left_s := deadline - time.monotonic()) > 0:
            # Being known as waiting comes first: whoever leads and leaves then finds somebody.
            self._waiting[publication] = None
            if self._leading.acquire(blocking=False):
                try:
                    self._lead(publication, deadline)
                finally:
                    self._leading.release()
                return
            try:
                publication.woken.get(timeout=left_s)
            except Empty:
                return

    def _lead(self, publication: _Publication, deadline: float) -> None:
        while publication.left and (left_s := deadline - time.monotonic()) > 0:
            self._producer.poll(left_s)

    def _hand_over(self) -> None:
        """Wake one who waits, where nobody leads: whoever leaves may have been woken to lead."""
        if self._waiting and not self._leading.locked():
            with suppress(KeyError):
                self._waiting.popitem(last=False)[0].woken.put(None)


def _failed(error: KafkaError) -> Exception:
    if error.name() == "_UNKNOWN_PARTITION":
        return ValueError("the topic has no such partition")
    return unavailable(error)

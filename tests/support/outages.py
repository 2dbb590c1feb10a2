"""An engine that can be taken away and brought back."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

from tests.support.engines import EmbeddedEngine, Engine, KafkaEngine
from tests.support.kafka_broker import KafkaBroker

KAFKA_DELIVERY_TIMEOUT_S = 6.0
"""Not under the time-out of one request."""


class Breakable(Protocol):
    """An engine, and the means to take it away."""

    engine: Engine
    outlasts_s: float
    """Longer than anything that waits inside the engine."""

    @contextmanager
    def away(self) -> Iterator[None]:
        """Take the engine away; on leaving it is back and answers."""


class BreakableEmbedded:
    """The file cannot be written while another connection holds its write lock."""

    outlasts_s = 11.0

    def __init__(self, path: Path) -> None:
        """Open the file."""
        self._path = path
        self.engine: Engine = EmbeddedEngine(path)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Hold the write lock."""
        with closing(sqlite3.connect(self._path, isolation_level=None, timeout=10)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")


class BreakableKafka:
    """The broker is killed, and started again on its old data."""

    outlasts_s = KAFKA_DELIVERY_TIMEOUT_S + 4

    def __init__(self, broker: KafkaBroker) -> None:
        """Take a broker that nobody else uses."""
        self._broker = broker
        self.engine: Engine = KafkaEngine(
            broker.address, delivery_timeout_s=KAFKA_DELIVERY_TIMEOUT_S
        )

    @contextmanager
    def away(self) -> Iterator[None]:
        """Kill the broker."""
        self._broker.kill()
        try:
            yield
        finally:
            self._broker.restart()

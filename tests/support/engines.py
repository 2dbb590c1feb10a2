"""Both engines of the stream, as tests use them."""

import uuid
from pathlib import Path
from typing import Protocol

from shared.stream.embedded import EmbeddedStream
from shared.stream.kafka import KafkaStream
from shared.stream.ports import Stream

PARTITIONS = 4


class Engine(Protocol):
    """One engine with topics of its own."""

    stream: Stream

    def reopened(self) -> Stream:
        """Return the same stream once more, as another process would open it."""


class EmbeddedEngine:
    """The embedded engine on a file."""

    def __init__(self, path: Path) -> None:
        """Open the file."""
        self.path = path
        self.stream: Stream = self.reopened()

    def reopened(self) -> Stream:
        """Open the file once more."""
        return EmbeddedStream(self.path, PARTITIONS)


class KafkaEngine:
    """Kafka, with topics under a prefix that no other test has."""

    def __init__(self, address: str) -> None:
        """Choose the prefix."""
        self.address = address
        self.prefix = f"{uuid.uuid4().hex[:12]}."
        self.stream: Stream = self.reopened()

    def reopened(self) -> Stream:
        """Connect once more."""
        return KafkaStream([self.address], PARTITIONS, 1, prefix=self.prefix, lease_s=6)

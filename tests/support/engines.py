"""Both engines of the stream, as tests use them."""

import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from kafka import TopicPartition
from sqlalchemy import create_engine, text

from shared.stream.embedded import EmbeddedStream
from shared.stream.kafka import KafkaStream
from shared.stream.ports import Partition, Stream
from tests.support.kafka_admin import asking

PARTITIONS = 4
LEASE_S = 2.0
"""Short, so that a test of a takeover need not wait long."""


class Engine(Protocol):
    """One engine with topics of its own."""

    stream: Stream

    def reopened(self) -> Stream:
        """Return the same stream once more, as another process would open it."""

    def command(self, program: str, *arguments: str) -> Sequence[str]:
        """Return the command that runs a program of ``tests.support`` on this stream."""

    def forget(self, place: Partition, before: int) -> None:
        """Drop the records before an offset, as retention would."""


class EmbeddedEngine:
    """The embedded engine on a file."""

    def __init__(self, path: Path) -> None:
        """Open the file."""
        self.path = path
        self.stream: Stream = self.reopened()

    def reopened(self) -> Stream:
        """Open the file once more."""
        return EmbeddedStream(self.path, PARTITIONS, lease_s=LEASE_S)

    def command(self, program: str, *arguments: str) -> Sequence[str]:
        """Name the file."""
        return _python(program, "embedded", str(self.path), *arguments)

    def forget(self, place: Partition, before: int) -> None:
        """Delete them, and say so in the partition's row."""
        engine = create_engine(f"sqlite:///{self.path}")
        where = {"topic": place.topic, "number": place.number, "before": before}
        with engine.begin() as db:
            db.execute(
                text(
                    'DELETE FROM records WHERE "offset" < :before AND place ='
                    " (SELECT place FROM partitions WHERE topic = :topic AND number = :number)"
                ),
                where,
            )
            db.execute(
                text(
                    "UPDATE partitions SET begins = :before"
                    " WHERE topic = :topic AND number = :number"
                ),
                where,
            )
        engine.dispose()


class KafkaEngine:
    """Kafka, with topics under a prefix that no other test has."""

    def __init__(self, address: str, prefix: str = "", delivery_timeout_s: float = 120) -> None:
        """Choose the prefix where none is given."""
        self.address = address
        self.prefix = prefix or f"{uuid.uuid4().hex[:12]}."
        self.delivery_timeout_s = delivery_timeout_s
        self.stream: Stream = self.reopened()

    def reopened(self) -> Stream:
        """Connect once more."""
        return KafkaStream(
            [self.address],
            PARTITIONS,
            1,
            prefix=self.prefix,
            delivery_timeout_s=self.delivery_timeout_s,
            lease_s=LEASE_S,
        )

    def command(self, program: str, *arguments: str) -> Sequence[str]:
        """Name the broker and the prefix."""
        return _python(program, "kafka", f"{self.address}/{self.prefix}", *arguments)

    def forget(self, place: Partition, before: int) -> None:
        """Have the broker delete them."""
        with asking(self.address) as admin:
            admin.delete_records({TopicPartition(self.prefix + place.topic, place.number): before})


def opened(kind: str, where: str) -> Stream:
    """Open the stream that ``Engine.command`` named."""
    if kind == "embedded":
        return EmbeddedEngine(Path(where)).stream
    address, _, prefix = where.partition("/")
    return KafkaEngine(address, prefix).stream


def _python(program: str, *arguments: str) -> Sequence[str]:
    return (sys.executable, "-W", "ignore", "-m", f"tests.support.{program}", *arguments)

"""How every connection to Kafka is made, and what its errors mean to us.

Each setting that matters is explicit, because a library's default has been wrong for us before.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, TopicMetadata

from shared.errors import RapportError, StreamDamaged, StreamUnavailable

RECONNECT_MAX_MS: Final = 1_000
"""The library's default of 10 s would be added to every outage."""

REQUEST_TIMEOUT_MS: Final = 5_000

_DAMAGED: Final = frozenset(
    {
        "_BAD_MSG",
        "_BAD_COMPRESSION",
        "_NOT_IMPLEMENTED",
        "_UNSUPPORTED_FEATURE",
        "INVALID_MSG",
    }
)
"""What a batch is called that cannot be taken apart: its checksum, compression, or format."""

_GONE: Final = frozenset(
    {
        "_AUTO_OFFSET_RESET",
        "_LOG_TRUNCATION",
        "_NO_OFFSET",
        "OFFSET_OUT_OF_RANGE",
    }
)


Client: TypeAlias = AdminClient | Consumer


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where Kafka is, and how long to wait for it.

    Attributes:
        servers: ``host:port`` of some of its brokers.
        prefix: Stands before the name of every topic and group; empty outside of tests.
        delivery_timeout_s: When the library itself gives a record up.
        lease_s: After how many seconds of silence a consumer's partitions go to another.
    """

    servers: tuple[str, ...]
    prefix: str
    delivery_timeout_s: float
    lease_s: float

    def settings(self, more: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings of a connection: what all have in common, and ``more``."""
        common = {
            "bootstrap.servers": ",".join(self.servers),
            "client.id": "rapport",
            "reconnect.backoff.max.ms": RECONNECT_MAX_MS,
            "socket.timeout.ms": REQUEST_TIMEOUT_MS,
            "socket.connection.setup.timeout.ms": REQUEST_TIMEOUT_MS,
            "socket.nagle.disable": True,
            # Asking about a missing topic would create it, with the broker's defaults, not ours.
            "allow.auto.create.topics": False,
            # The broker may ask its callers for figures about themselves; ours are elsewhere.
            "enable.metrics.push": False,
            # It would write to stderr, several lines a second while no broker answers. What
            # matters reaches us as an error, and we say it once.
            "log_level": 0,
        }
        return common | dict(more)


@contextmanager
def answering() -> Iterator[None]:
    """Turn the errors of the library into ours, grouped by what the caller does next."""
    try:
        yield
    except KafkaException as error:
        raise ours(error.args[0]) from error
    except TimeoutError as error:
        raise StreamUnavailable("Kafka did not answer in time") from error


def described(client: Client, name: str, timeout_s: float) -> TopicMetadata | None:
    """Return what a broker knows of a topic, or None where it does not exist.

    Raises:
        StreamUnavailable: when no broker answers within ``timeout_s``.
    """
    with answering():
        found = client.list_topics(name, timeout=timeout_s).topics[name]
        if found.error is None:
            return found
        if found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return None
        raise KafkaException(found.error)


def missing(topic: str) -> str:
    """Say that a topic does not exist, and what to do."""
    return f"topic {topic} does not exist; run: rapport doctor --fix"


def ours(error: KafkaError) -> RapportError:
    """Return our error for one of the library's, met while reading: stop, or try again."""
    if error.name() in _DAMAGED:
        return StreamDamaged(
            f"a record is damaged on the broker's disk ({error.name()}): let that broker copy the"
            " partition again from another, or restore the topic from its backup; nothing was"
            " skipped"
        )
    if error.name() in _GONE:
        return StreamDamaged(
            f"Kafka no longer has what is to be read ({error.name()}): records were deleted before"
            " they were read; restore the topic from its backup, and see rapport doctor for its"
            " retention; nothing was skipped"
        )
    return unavailable(error)


def unavailable(error: KafkaError) -> StreamUnavailable:
    """Return our error for one of the library's that means "not now"."""
    return StreamUnavailable(f"Kafka does not answer: {error.name()}")

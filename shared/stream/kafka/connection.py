"""How every connection to Kafka is made, and what its errors mean to us.

Each setting is explicit, because a default of kafka-python has been wrong for us before.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from socket import socket
from typing import Any, Final

from kafka.errors import (
    CorruptRecordError,
    KafkaError,
    LogTruncationError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    UnsupportedCodecError,
)
from kafka.net.compat import KafkaNetClient
from kafka.net.inet import KafkaNetSocket

from shared.errors import StreamDamaged, StreamUnavailable
from shared.logs import logger

RECONNECT_MAX_MS: Final = 1_000
"""The library's default of 30 s cost 8 s after the broker's return."""

REQUEST_TIMEOUT_MS: Final = 5_000
BOOTSTRAP_TIMEOUT_MS: Final = 2_000

LEAVING_NO_SOCKET: Final = "direct://"
"""The library's ``proxy_url`` that chooses our way of connecting; there is no proxy."""

_DAMAGED: Final = (CorruptRecordError, UnsupportedCodecError)
_GONE: Final = (LogTruncationError, NoOffsetForPartitionError, OffsetOutOfRangeError)


class _ClosedWhenGivenUp(KafkaNetSocket):  # type: ignore[misc]  # kafka-python has no types.
    """Close a socket whose connection failed, or whose owner was closed while it was being made.

    kafka-python 3.0 leaves such a one open until the garbage collector finds it.
    """

    SCHEMES = ("direct",)

    async def sock_connect(self, net: Any, sock: socket, sockaddr: Any, **limits: Any) -> socket:
        """Return the connected socket, or close it."""
        try:
            connected: socket = await super().sock_connect(net, sock, sockaddr, **limits)
        except BaseException:
            sock.close()
            raise
        return connected


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

    def connect(self, make: Callable[..., Any], **settings: Any) -> Any:
        """Return what ``make`` (a class of kafka-python) makes, connected.

        Raises:
            StreamUnavailable: when no broker answers within ``bootstrap_timeout_ms``.
        """
        made: list[KafkaNetClient] = []

        def client(**configs: Any) -> KafkaNetClient:
            made.append(KafkaNetClient(**configs))
            # kafka-python 3.0 takes this setting and forgets it: asking about a missing topic
            # would create it, with the broker's defaults instead of ours.
            made[-1].cluster.config["allow_auto_create_topics"] = False
            return made[-1]

        wanted = {
            "bootstrap_servers": list(self.servers),
            "bootstrap_timeout_ms": BOOTSTRAP_TIMEOUT_MS,
            "reconnect_backoff_max_ms": RECONNECT_MAX_MS,
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
            "kafka_client": client,
            "proxy_url": LEAVING_NO_SOCKET,
        }
        try:
            return make(**(wanted | settings))
        except KafkaError as error:
            # A constructor that fails leaves its network thread and sockets behind.
            for left in made:
                left.close()
            logger("stream").error("kafka.no_connection", error=type(error).__name__)
            raise unavailable(error) from error


@contextmanager
def answering() -> Iterator[None]:
    """Turn the errors of kafka-python into ours, grouped by what the caller does next."""
    try:
        yield
    except _DAMAGED as error:
        raise StreamDamaged(
            f"a record is damaged on the broker's disk ({error}): let that broker copy the"
            " partition again from another, or restore the topic from its backup; nothing was"
            " skipped"
        ) from error
    except _GONE as error:
        raise StreamDamaged(
            f"Kafka no longer has what is to be read ({error}): records were deleted before they"
            " were read; restore the topic from its backup, and see rapport doctor for its"
            " retention; nothing was skipped"
        ) from error
    except KafkaError as error:
        raise unavailable(error) from error


def unavailable(error: KafkaError) -> StreamUnavailable:
    """Return our error for one of kafka-python's that means "not now"."""
    return StreamUnavailable(f"Kafka does not answer: {type(error).__name__}")

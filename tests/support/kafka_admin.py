"""Asking a broker directly, past Rapport's own engine."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient

from shared.stream.kafka.connection import LEAVING_NO_SOCKET


@contextmanager
def asking(address: str | Sequence[str], **settings: Any) -> Iterator[Any]:
    """Yield kafka-python's admin, connected to the brokers at ``address``, and close it."""
    admin = KafkaAdminClient(bootstrap_servers=address, proxy_url=LEAVING_NO_SOCKET, **settings)
    try:
        yield admin
    finally:
        admin.close()

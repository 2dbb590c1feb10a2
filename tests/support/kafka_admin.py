"""Asking a broker past Rapport's own engine, by another library than it uses."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from socket import socket
from typing import Any

from kafka import KafkaAdminClient
from kafka.net.inet import KafkaNetSocket

_LEAVING_NO_SOCKET = "direct://"
"""The library's ``proxy_url`` that chooses our way of connecting; there is no proxy."""


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


@contextmanager
def asking(address: str | Sequence[str], **settings: Any) -> Iterator[Any]:
    """Yield kafka-python's admin, connected to the brokers at ``address``, and close it."""
    admin = KafkaAdminClient(bootstrap_servers=address, proxy_url=_LEAVING_NO_SOCKET, **settings)
    try:
        yield admin
    finally:
        admin.close()

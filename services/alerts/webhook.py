"""Send one signed message (Standard Webhooks), once, within limits.

The name is resolved once, every address is checked, and the connection goes to the address that
was checked: a name that changes between check and use gains nothing. Redirects are not followed,
the answer's body is not read, and a total time limit closes the socket on whoever drips.
"""

import base64
import hashlib
import hmac
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPConnection, HTTPException
from typing import Final, Literal, Protocol
from urllib.parse import SplitResult, urlsplit

from services.alerts.ssrf import allowed

CONNECT_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 10.0
TOTAL_TIMEOUT_S: Final = 15.0
"""Own: 15 s is what Standard Webhooks asks senders to wait at least."""

ADDRESSES_TRIED: Final = 2
"""Own: where a name has IPv6 and IPv4 addresses, the one that this machine cannot reach is first
at most once; with the total time an attempt stays well within its lease."""

Outcome = Literal["delivered", "failed", "blocked"]
Resolve = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent.

    Attributes:
        id: The step's id; the same over retries, so that recipients can tell a repeat.
        body: The bytes that are signed; the same over retries.
    """

    id: str
    body: bytes


class MessageSender(Protocol):
    """Sends one message, once: the port of the deliverer."""

    def send(self, url: str, secret: bytes, message: Message, now: datetime) -> Outcome:
        """Try once; never raises for anything that a recipient can do."""


class Sender:
    """Sends messages to recipients' addresses."""

    def __init__(
        self,
        *,
        allow_private: bool = False,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
        total_timeout_s: float = TOTAL_TIMEOUT_S,
    ) -> None:
        """Send nothing yet.

        Args:
            allow_private: Lets http:// and addresses of private networks through: for laptops
                and tests alone.
            resolve: (host, port) → addresses; the system's own by default.
            tls: Whom to trust; the system's authorities by default.
            total_timeout_s: After how many seconds an attempt is broken off.
        """
        self._allow_private = allow_private
        self._resolve = resolve or resolved
        self._total_timeout_s = total_timeout_s
        self._tls = tls or ssl.create_default_context()

    def send(self, url: str, secret: bytes, message: Message, now: datetime) -> Outcome:
        """Try once; never raises for anything that a recipient can do."""
        target = _target(url, allow_http=self._allow_private)
        if target is None:
            return "blocked"
        try:
            addresses = self._resolve(target.host, target.port)
        except OSError:
            return "failed"
        if not addresses:
            return "failed"
        if not self._allow_private and not all(allowed(address) for address in addresses):
            return "blocked"
        try:
            headers = signed(message, secret, now)
            status = self._post(target, addresses, headers, message.body)
        except (HTTPException, OSError, ValueError):
            return "failed"
        return "delivered" if 200 <= status < 300 else "failed"

    def _post(
        self,
        target: "_Target",
        addresses: Sequence[str],
        headers: Mapping[str, str],
        body: bytes,
    ) -> int:
        raw = _connected(addresses[:ADDRESSES_TRIED], target.port)
        raw.settimeout(READ_TIMEOUT_S)
        open_now: list[socket.socket] = [raw]
        watch = threading.Timer(self._total_timeout_s, _break_off, [open_now])
        watch.daemon = True
        watch.start()
        try:
            if target.secure:
                # The handshake comes after the socket is on the list: it may drip as well.
                secured = self._tls.wrap_socket(
                    raw, server_hostname=target.host, do_handshake_on_connect=False
                )
                open_now.append(secured)
                secured.do_handshake()
            connection = HTTPConnection(target.host, target.port)
            connection.sock = open_now[-1]
            connection.request("POST", target.path, body, {**headers, "Host": target.authority})
            return connection.getresponse().status
        finally:
            watch.cancel()
            for one in open_now:
                one.close()


def signed(message: Message, secret: bytes, now: datetime) -> dict[str, str]:
    """Return the headers of a message, by Standard Webhooks (HMAC-SHA256, ``v1``).

    Args:
        message: What is sent.
        secret: The recipient's raw secret.
        now: The time of this attempt.
    """
    timestamp = str(int(now.timestamp()))
    content = f"{message.id}.{timestamp}.".encode() + message.body
    signature = base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()
    return {
        "Content-Type": "application/json",
        "User-Agent": "rapport",
        "webhook-id": message.id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{signature}",
    }


def resolved(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host, each once, as the system resolves it now."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _connected(addresses: Sequence[str], port: int) -> socket.socket:
    """Return a connection to the first address that answers; all of them were checked."""
    for address in addresses[:-1]:
        with suppress(OSError):
            return socket.create_connection((address, port), CONNECT_TIMEOUT_S)
    return socket.create_connection((addresses[-1], port), CONNECT_TIMEOUT_S)


@dataclass(frozen=True, slots=True)
class _Target:
    secure: bool
    host: str
    port: int
    authority: str
    path: str


def _target(url: str, *, allow_http: bool) -> _Target | None:
    """Return where a URL leads, or None for one that no message goes to."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    secure = parts.scheme == "https"
    if not host or not (secure or (allow_http and parts.scheme == "http")) or _has_user(parts):
        return None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _Target(secure, host, port or (443 if secure else 80), parts.netloc, path)


def _has_user(parts: SplitResult) -> bool:
    return parts.username is not None or parts.password is not None


def _break_off(connections: Sequence[socket.socket]) -> None:
    for connection in connections:
        with suppress(OSError):  # It may be closed already, which is what is wanted.
            connection.shutdown(socket.SHUT_RDWR)

"""A recipient of webhooks that does to its sender whatever a recipient can do.

It speaks TCP by hand, because no HTTP server would break the protocol on purpose. Limits: no TLS
(a handshake that drips is tested elsewhere); it reads each request whole before it turns hostile.
"""

import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final

from tests.support.receiver import Received

PATIENCE_S: Final = 60.0
"""However hostile, it lets go of a connection after so long."""

DRIP_S: Final = 1.0
CHUNK: Final = b"x" * 65_536
HEADERS_LIMIT: Final = 65_536

OK: Final = b"HTTP/1.1 200 OK\r\n"
_FAIR: Final = b"HTTP/1.1 204 No Content\r\n\r\n"


class Hostile:
    """Listens; ``manner`` says how it answers: one of ``MANNERS``, or ``fine``."""

    def __init__(self, manner: str) -> None:
        """Listen already."""
        self.manner = manner
        self._path = manner.replace(" ", "-")
        self.attempts: list[Received] = []
        self.taken: list[Received] = []
        """Those that it answered with 2xx, however oddly it went on."""
        self.closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._listener.settimeout(0.1)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/{self._path}"

    def close(self) -> None:
        """Stop, whatever is under way."""
        self.closing.set()
        self._thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self.closing.is_set():
            with suppress(TimeoutError):
                caller, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        with caller, suppress(OSError):
            caller.settimeout(PATIENCE_S)
            manner = self.manner
            if manner == "accepting and resetting":
                _reset(caller)
                return
            message = _read(caller)
            self.attempts.append(message)
            if manner == "fine":
                self.taken.append(message)
                caller.sendall(_FAIR)
                return
            answer, takes = MANNERS[manner]
            if takes:
                self.taken.append(message)
            answer(caller, self.closing)


Answer = Callable[[socket.socket, threading.Event], None]


def _saying(*lines: bytes) -> Answer:
    return lambda caller, _: caller.sendall(b"".join(lines))


def _hanging(*first: bytes) -> Answer:
    def answer(caller: socket.socket, closing: threading.Event) -> None:
        caller.sendall(b"".join(first))
        closing.wait(PATIENCE_S)

    return answer


def _dripping(caller: socket.socket, closing: threading.Event) -> None:
    for byte in OK + b"x-slow: " + b"y" * 10_000:
        caller.sendall(bytes([byte]))
        if closing.wait(DRIP_S):
            return


def _pouring(*first: bytes) -> Answer:
    def answer(caller: socket.socket, closing: threading.Event) -> None:
        caller.sendall(b"".join(first))
        while not closing.is_set():
            caller.sendall(CHUNK)

    return answer


def _reset(caller: socket.socket) -> None:
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _resetting(caller: socket.socket, _: threading.Event) -> None:
    _reset(caller)


MANNERS: Final[Mapping[str, tuple[Answer, bool]]] = {
    "failing": (_saying(b"HTTP/1.1 500 Oops\r\n\r\n"), False),
    "busy": (_saying(b"HTTP/1.1 429 Slow down\r\nRetry-After: 9\r\n\r\n"), False),
    "gone": (_saying(b"HTTP/1.1 410 Gone\r\n\r\n"), False),
    "silent": (_hanging(), False),
    "stopping in the headers": (_hanging(b"HTTP/1.1 200 OK\r\nContent-Le"), False),
    "redirecting": (
        _saying(b"HTTP/1.1 302 Found\r\nLocation: http://[::1]:1/\r\n\r\n"),
        False,
    ),
    "redirecting with its body": (
        _saying(b"HTTP/1.1 307 There\r\nLocation: http://127.0.0.1:1/\r\n\r\n"),
        False,
    ),
    "dripping": (_dripping, False),
    "closing without an answer": (_saying(), False),
    "resetting after the request": (_resetting, False),
    "accepting and resetting": (_resetting, False),
    "answering no HTTP": (_saying(b"\x00\xff no HTTP at all\r\n\r\n"), False),
    "answering half a status": (_saying(b"HTTP/1.1 2"), False),
    "pouring headers": (_pouring(OK, b"x-long: "), False),
    "pouring a body": (_pouring(OK, b"\r\n"), True),
    "announcing more than it sends": (_saying(OK, b"Content-Length: 999999\r\n\r\nx"), True),
    "announcing less than it sends": (_saying(OK, b"Content-Length: 1\r\n\r\n", CHUNK), True),
}
"""Manner → how it answers, and whether that is a 2xx, which is all that counts."""


@contextmanager
def a_hostile(manner: str) -> Iterator[Hostile]:
    """Run one."""
    made = Hostile(manner)
    try:
        yield made
    finally:
        made.close()


def _read(caller: socket.socket) -> Received:
    """Read one request whole."""
    data = b""
    while b"\r\n\r\n" not in data and len(data) < HEADERS_LIMIT:
        if not (more := caller.recv(65_536)):
            raise ConnectionError("it closed before its request was whole")
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    request, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): text.strip() for name, _, text in
               (line.partition(":") for line in lines)}  # fmt: skip
    while len(body) < int(headers["content-length"]):
        if not (more := caller.recv(65_536)):
            raise ConnectionError("it closed before its request was whole")
        body += more
    return Received(request.split(" ")[1], headers, body)

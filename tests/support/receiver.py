"""A real HTTP server that receives webhooks, in any of the moods that recipients have."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Mood = Literal["fine", "slow", "failing", "redirecting", "dripping", "hanging", "lying", "huge"]

SLOW_S = 0.4


@dataclass(frozen=True)
class Received:
    """One request, as it came."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        """Its JSON."""
        return json.loads(self.raw)

    @property
    def id(self) -> str:
        """What recipients tell repeats by."""
        return self.headers["webhook-id"]


class Receiver:
    """Keeps what came; ``mood`` decides how it answers."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        """Listen already."""
        self.mood: Mood = "fine"
        self.messages: list[Received] = []
        self.stopped = threading.Event()
        self._server = server

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/hook"


@contextmanager
def a_receiver() -> Iterator[Receiver]:
    """Run a receiver."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            raw = self.rfile.read(length)
            if len(raw) < length:  # Whoever sent it died on the way: nothing was received.
                self.close_connection = True
                return
            headers = {name.lower(): text for name, text in self.headers.items()}
            receiver.messages.append(Received(self.path, headers, raw))
            _answer(self, receiver)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = Receiver(server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.stopped.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(request: BaseHTTPRequestHandler, receiver: Receiver) -> None:
    match receiver.mood:
        case "fine" | "slow":
            receiver.stopped.wait(SLOW_S if receiver.mood == "slow" else 0)
            request.send_response(204)
            request.end_headers()
        case "failing":
            request.send_response(500)
            request.end_headers()
        case "redirecting":
            request.send_response(307)
            request.send_header("Location", "/elsewhere")
            request.end_headers()
        case "huge":
            request.send_response(200)
            request.end_headers()
            _pour(request, b"x" * 65_536, receiver)
        case "dripping":
            _pour(request, b"H", receiver, pause_s=0.05)
        case "hanging":
            receiver.stopped.wait(30)
        case "lying":
            request.wfile.write(b"\x00 no HTTP at all \xff\r\n\r\n")
            request.close_connection = True


def _pour(
    request: BaseHTTPRequestHandler, drop: bytes, receiver: Receiver, pause_s: float = 0
) -> None:
    """Write until the other side has had enough."""
    began = time.monotonic()
    try:
        while not receiver.stopped.is_set() and time.monotonic() - began < 30:
            request.wfile.write(drop)
            receiver.stopped.wait(pause_s)
    except (OSError, ValueError):
        request.close_connection = True

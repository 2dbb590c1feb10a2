"""A recipient's own webhook receiver, small and local: shows that what Rapport sends verifies."""

import base64
import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from services.ingest.signatures import (
    BadSignature,
    SignatureHeaders,
    SkewedClock,
    verify,
)
from shared.clock import SystemClock

MAX_BODY_BYTES = 65_536


class Receiver:
    """Listens on a free local port, checks each signature, and counts the steps it was told.

    Attributes:
        told: Type of step → how many different messages (by webhook-id) told it.
        rejected: How many requests had no good signature.
    """

    def __init__(self) -> None:
        """Bind a port; nothing is answered before ``start``."""
        self.told: Counter[str] = Counter()
        self.rejected = 0
        self._seen: set[str | None] = set()
        self._secret = b""
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/rapport"

    def start(self, secret: str) -> None:
        """Answer from now on, verifying with the recipient's ``whsec_…`` secret."""
        self._secret = base64.b64decode(secret.removeprefix("whsec_"))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def take(self, headers: SignatureHeaders, body: bytes) -> bool:
        """Count a message if its signature is good; a repetition counts once."""
        try:
            verify(headers, body, [self._secret], SystemClock().now())
        except (BadSignature, SkewedClock):
            with self._lock:
                self.rejected += 1
            return False
        with self._lock:
            if headers.id not in self._seen:
                self._seen.add(headers.id)
                self.told[json.loads(body)["type"]] += 1
        return True

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = min(int(self.headers.get("content-length", "0")), MAX_BODY_BYTES)
                body = self.rfile.read(length)
                good = receiver.take(
                    SignatureHeaders(
                        self.headers["webhook-id"],
                        self.headers["webhook-timestamp"],
                        self.headers["webhook-signature"],
                    ),
                    body,
                )
                self.send_response(204 if good else 401)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Stay silent: the demonstration tells what was received."""

        return Handler

"""A recipient's own webhook receiver, small and local: shows that what Rapport sends verifies."""

import base64
import hashlib
import hmac
import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

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
        self._seen: set[str] = set()
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

    def take(self, message_id: str, timestamp: str, signatures: str, body: bytes) -> bool:
        """Count a message if its signature is good; a repetition counts once."""
        signed = f"{message_id}.{timestamp}.".encode() + body
        expected = base64.b64encode(hmac.digest(self._secret, signed, hashlib.sha256)).decode()
        good = any(hmac.compare_digest(f"v1,{expected}", given) for given in signatures.split(" "))
        with self._lock:
            if not good:
                self.rejected += 1
            elif message_id not in self._seen:
                self._seen.add(message_id)
                self.told[json.loads(body)["type"]] += 1
        return good

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = min(int(self.headers.get("content-length", "0")), MAX_BODY_BYTES)
                body = self.rfile.read(length)
                good = receiver.take(
                    self.headers.get("webhook-id", ""),
                    self.headers.get("webhook-timestamp", ""),
                    self.headers.get("webhook-signature", ""),
                    body,
                )
                self.send_response(204 if good else 401)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Stay silent: the demonstration tells what was received."""

        return Handler

"""Signed webhooks, made ready before a load begins: what is sent costs the sender nothing more."""

import base64
import hashlib
import hmac
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

CLIENTS: Final = 500
"""Clients that a load speaks of: known after the first moments, as a clinic's clients are."""

BATCH: Final = 100
"""Events in one batch."""

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Source:
    """Where webhooks go, and what signs them."""

    id: str
    secret: str

    @property
    def path(self) -> str:
        """The path of its webhook."""
        return f"/v1/sources/{self.id}/webhook"


def a_rating(name: str, number: int, when: datetime, clients: int) -> dict[str, Any]:
    """Return one session rating by one of the clients, as a CloudEvent."""
    client = number % clients
    return {
        "specversion": "1.0",
        "id": f"{name}-{number}",
        "source": "urn:simulated:load",
        "type": "rapport.rating.given",
        "time": when.isoformat(),
        "subject": f"client-{client}",
        "data": {
            "clinic": f"clinic-{client % 5}",
            "therapist": f"therapist-{client % 25}",
            "rating": f"{name}-{number}",
            "instrument": "srs-3",
            "rater": "client",
            "items": {"1": 9.1, "2": 8.4, "3": 8.8, "4": 9.3},
        },
    }


def bodies(name: str, count: int, batch: int, clients: int = CLIENTS) -> list[bytes]:
    """Return ``count`` bodies of ``batch`` events each; a body of one event is no list."""
    when = datetime.now(UTC) - timedelta(hours=1)
    made: list[bytes] = []
    for number in range(count):
        events = [a_rating(name, number * batch + one, when, clients) for one in range(batch)]
        made.append(orjson.dumps(events if batch > 1 else events[0]))
    return made


def requests(source: Source, path: str, bodies: Sequence[bytes]) -> list[bytes]:
    """Return whole HTTP requests, signed now: good for five minutes."""
    secret = base64.b64decode(source.secret.removeprefix("whsec_"))
    stamp = str(int(time.time()))  # noqa: TID251 - a sender has a clock of its own.
    return [
        _request(path, body, f"msg_{number}", stamp, secret) for number, body in enumerate(bodies)
    ]


def _request(path: str, body: bytes, name: str, stamp: str, secret: bytes) -> bytes:
    signed = f"{name}.{stamp}.".encode() + body
    signature = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {JSON}\r\n"
        f"content-length: {len(body)}\r\nwebhook-id: {name}\r\nwebhook-timestamp: {stamp}\r\n"
        f"webhook-signature: v1,{signature}\r\n\r\n"
    )
    return head.encode() + body

"""A steady sender: so many single webhooks a second, and a line for every one that is watched.

``python -m tests.bench.paced`` takes one JSON object on stdin (``Order``). For each watched event
it writes a line as soon as the 202 has come (``Accepted``); at the end one line of JSON
(``Sent``). It begins each request when it is due, not when the one before was answered, as long
as a connection is free.
"""

import select
import socket
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from tests.bench.load import ANSWER_WITHIN_S, TAKEN, Connection
from tests.bench.webhooks import Source, requests

FACT: Final = "fact"
ALERT: Final = "alert"


@dataclass(frozen=True, slots=True)
class Order:
    """What to send.

    Attributes:
        port: Where ingest listens on this machine.
        source: Id of the source that signs.
        secret: Its webhook secret.
        name: Goes into the ids of the events.
        rate: Events a second.
        seconds: For how long.
        connections: How many requests may be under way.
        clients: References of clients, who take their turns.
        places: Clinic and therapist of each of ``clients``.
        facts_every: Every so many-th event is watched until it can be read.
        alerts_every: Every so many-th is a rating that raises an alert, of one of ``risky``.
        risky: References of clients who have no such alert yet; each is used once.
    """

    port: int
    source: str
    secret: str
    name: str
    rate: float
    seconds: float
    connections: int
    clients: Sequence[str]
    places: Mapping[str, Sequence[str]]
    facts_every: int
    alerts_every: int
    risky: Sequence[str]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A watched event that was acknowledged.

    Attributes:
        kind: ``fact``, or ``alert`` for one that raises an alert.
        client: Opaque id.
        event: Its id everywhere in Rapport.
        at: When the answer was there, on the clock that all processes of a machine share.
    """

    kind: str
    client: str
    event: str
    at: float


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent in all."""

    events: int
    seconds: float
    wrong: int


def ready(order: Order) -> list[tuple[str, bytes]]:
    """Return every request, with what is watched of it; empty for most."""
    source = Source(order.source, order.secret)
    kinds, bodies = [], []
    risky = deque(order.risky)
    for number in range(int(order.rate * order.seconds)):
        kind = FACT if number % order.facts_every == 0 else ""
        client = order.clients[number % len(order.clients)]
        if number % order.alerts_every == order.alerts_every - 1 and risky:
            kind, client = ALERT, risky.popleft()
        kinds.append(kind)
        event = _rating(f"{order.name}-{number}", client, order.places[client], kind == ALERT)
        bodies.append(orjson.dumps(event))
    return list(zip(kinds, requests(source, source.path, bodies), strict=True))


def _rating(name: str, client: str, place: Sequence[str], at_risk: bool) -> dict[str, Any]:
    clinic, therapist = place
    what: dict[str, Any] = {"instrument": "srs-3", "items": {"1": 9, "2": 8, "3": 9, "4": 9}}
    if at_risk:
        what = {"instrument": "phq-9", "items": {str(item): 1 for item in range(1, 9)} | {"9": 3}}
    return {
        "specversion": "1.0",
        "id": name,
        "source": "urn:simulated:load",
        "type": "rapport.rating.given",
        "time": datetime.now(UTC).isoformat(),
        "subject": client,
        "data": {"clinic": clinic, "therapist": therapist, "rating": name, "rater": "client",
                 **what},
    }  # fmt: skip


class Sender:
    """Connections, and the requests that are due."""

    def __init__(self, order: Order) -> None:
        """Connect."""
        self._order = order
        self._free = [
            Connection(socket.create_connection(("127.0.0.1", order.port), ANSWER_WITHIN_S))
            for _ in range(order.connections)
        ]
        self._waiting = select.epoll()
        self._busy: dict[int, tuple[Connection, str]] = {}
        self._wrong = 0
        for one in self._free:
            one.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._waiting.register(one.socket.fileno(), select.EPOLLIN)

    def send(self, requests: Sequence[tuple[str, bytes]]) -> Sent:
        """Send everything at its time, and wait for the last answer."""
        began = time.monotonic()
        for number, (kind, request) in enumerate(requests):
            due = began + number / self._order.rate
            while not self._free or time.monotonic() < due:
                self._answers(max(0.0, due - time.monotonic()) if self._free else ANSWER_WITHIN_S)
            one = self._free.pop()
            one.send(request)
            self._busy[one.socket.fileno()] = (one, kind)
        while self._busy:
            self._answers(ANSWER_WITHIN_S)
        return Sent(len(requests), time.monotonic() - began, self._wrong)

    def _answers(self, timeout_s: float) -> None:
        for number, _ in self._waiting.poll(timeout_s):
            one, kind = self._busy[number]
            if not one.finished():
                continue
            del self._busy[number]
            self._free.append(one)
            if not one.answer.startswith(TAKEN):
                self._wrong += 1
            elif kind:
                _say(_accepted(kind, one))


def _accepted(kind: str, one: Connection) -> Accepted:
    at = time.monotonic()
    body = orjson.loads(bytes(one.answer).partition(b"\r\n\r\n")[2])
    accepted = body["accepted"][0]
    return Accepted(kind, accepted["client"], accepted["id"], at)


def _say(what: Accepted | Sent) -> None:
    sys.stdout.buffer.write(orjson.dumps(asdict(what)) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """Carry out the order on stdin."""
    order = Order(**orjson.loads(sys.stdin.buffer.read()))
    made = ready(order)
    _say(Sender(order).send(made))


if __name__ == "__main__":
    main()

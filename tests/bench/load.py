"""A lean load: a program that keeps a number of connections busy and says what came back.

``python -m tests.bench.load`` takes one JSON object on stdin (``Order``) and gives one on stdout
(``Answered``). Requests are made and signed before the first is sent, each connection has one
request under way, and answers are only counted; so the load takes little of the two cores that it
shares with the server.
"""

import select
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import cycle
from typing import Final

import orjson

from tests.bench.measuring import percentile
from tests.bench.webhooks import CLIENTS, Source, bodies, requests

TAKEN: Final = b"HTTP/1.1 202"
ANSWER_WITHIN_S: Final = 30.0
CHUNK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Order:
    """What to send.

    Attributes:
        port: Where the server listens on this machine.
        path: What is posted to.
        source: Id of the source that signs.
        secret: Its webhook secret.
        name: Goes into the ids of the events, so that each load's are its own.
        connections: How many have a request under way.
        batch: Events in a request.
        ready: Requests made beforehand; they are sent again from the first when all were sent.
        warm_up_s: For how long answers are not counted.
        seconds: For how long they are.
        clients: How many clients the events are about.
    """

    port: int
    path: str
    source: str
    secret: str
    name: str
    connections: int
    batch: int
    ready: int
    warm_up_s: float
    seconds: float
    clients: int = CLIENTS


@dataclass(slots=True)
class Answered:
    """What came back.

    Attributes:
        events: In requests that were answered with 202.
        seconds: How long that took.
        cpu_s: CPU seconds that this program took meanwhile.
        wrong: Answers that were not 202.
        p50_ms, p99_ms: Time until the answer.
    """

    events: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0
    wrong: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.events / self.seconds


@dataclass(slots=True)
class Connection:
    """One connection with one request under way."""

    socket: socket.socket
    begun: float = 0.0
    answer: bytearray = field(default_factory=bytearray)

    def send(self, request: bytes) -> None:
        """Begin a request."""
        self.answer.clear()
        self.begun = time.perf_counter()
        self.socket.sendall(request)

    def finished(self) -> bool:
        """Take what has come; return whether the answer is whole."""
        came = self.socket.recv(CHUNK)
        if not came:
            raise ConnectionError("the server closed the connection")
        self.answer += came
        end = self.answer.find(b"\r\n\r\n")
        return end >= 0 and len(self.answer) >= end + 4 + _length(self.answer[:end])


def _length(head: bytearray) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    raise ValueError("an answer without content-length")


def drive(order: Order) -> Answered:
    """Send as fast as answers come, and count them."""
    source = Source(order.source, order.secret)
    what = bodies(order.name, order.ready, order.batch, order.clients)
    made = cycle(requests(source, order.path, what))
    connections = [
        Connection(socket.create_connection(("127.0.0.1", order.port), ANSWER_WITHIN_S))
        for _ in range(order.connections)
    ]
    for one in connections:
        one.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one.send(next(made))
    _run(connections, made, order.warm_up_s, order.batch)
    answered = _run(connections, made, order.seconds, order.batch)
    for one in connections:
        one.socket.close()
    return answered


def _run(
    connections: list[Connection], made: Iterator[bytes], seconds: float, batch: int
) -> Answered:
    answered = Answered()
    took: list[float] = []
    waiting = select.epoll()
    by_number = {one.socket.fileno(): one for one in connections}
    for number in by_number:
        waiting.register(number, select.EPOLLIN)
    began, cpu = time.perf_counter(), time.process_time()
    now = began
    while now - began < seconds or not took:
        if not (ready := waiting.poll(ANSWER_WITHIN_S)):
            raise TimeoutError(f"no answer within {ANSWER_WITHIN_S:.0f} s")
        for number, _ in ready:
            one = by_number[number]
            if one.finished():
                now = time.perf_counter()
                took.append(now - one.begun)
                answered.wrong += not one.answer.startswith(TAKEN)
                one.send(next(made))
        now = time.perf_counter()
    answered.seconds = now - began
    answered.cpu_s = time.process_time() - cpu
    answered.events = (len(took) - answered.wrong) * batch
    answered.p50_ms, answered.p99_ms = (percentile(took, at) * 1e3 for at in (0.5, 0.99))
    waiting.close()
    return answered


def main() -> None:
    """Carry out the order on stdin."""
    order = Order(**orjson.loads(sys.stdin.buffer.read()))
    sys.stdout.buffer.write(orjson.dumps(asdict(drive(order))))


if __name__ == "__main__":
    main()

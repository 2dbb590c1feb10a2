"""What ingest is also compared with: kafka-python publishing from the process of the load.

``python -m tests.bench.raw`` takes one JSON object on stdin (``Order``) and gives what
``tests.bench.load`` gives. As many threads as connections each publish one request's events and
wait until all are acknowledged.
"""

import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from tests.bench.bare import TOPIC, WITHIN_S, producer
from tests.bench.load import Answered
from tests.bench.measuring import percentile
from tests.bench.webhooks import bodies


@dataclass(frozen=True, slots=True)
class Order:
    """What to publish: the same as a load sends, without HTTP."""

    address: str
    name: str
    connections: int
    batch: int
    ready: int
    warm_up_s: float
    seconds: float


class Threads:
    """Threads that publish until a moment, and what they counted."""

    def __init__(self, out: Any, ready: Sequence[bytes], batch: int) -> None:
        """Publish nothing yet."""
        self._out = out
        self._ready = ready
        self._batch = batch
        self.took: list[float] = []

    def run(self, count: int, seconds: float) -> float:
        """Publish from ``count`` threads for so long; return how long it took."""
        began = time.perf_counter()
        threads = [
            threading.Thread(target=self._publish, args=(self._ready[one::count], began + seconds))
            for one in range(count)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - began

    def _publish(self, ready: Sequence[bytes], until: float) -> None:
        at = 0
        while (begun := time.perf_counter()) < until:
            number, at = at, at + self._batch
            events = [ready[(number + one) % len(ready)] for one in range(self._batch)]
            sent = [
                self._out.send(TOPIC, key=str(number + one).encode(), value=event)
                for one, event in enumerate(events)
            ]
            for one in sent:
                one.get(timeout=WITHIN_S)
            self.took.append(time.perf_counter() - begun)


def drive(order: Order) -> Answered:
    """Publish as fast as acknowledgements come, and count them."""
    out = producer(order.address)
    threads = Threads(out, bodies(order.name, max(order.ready, order.connections), 1), order.batch)
    threads.run(order.connections, order.warm_up_s)
    threads.took.clear()
    cpu = time.process_time()
    seconds = threads.run(order.connections, order.seconds)
    answered = Answered(len(threads.took) * order.batch, seconds, time.process_time() - cpu)
    answered.p50_ms, answered.p99_ms = (percentile(threads.took, at) * 1e3 for at in (0.5, 0.99))
    out.close()
    return answered


def main() -> None:
    """Carry out the order on stdin."""
    order = Order(**orjson.loads(sys.stdin.buffer.read()))
    sys.stdout.buffer.write(orjson.dumps(asdict(drive(order))))


if __name__ == "__main__":
    main()

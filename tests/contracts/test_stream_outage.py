"""What every engine must do when it is away, and when it comes back."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from shared.errors import StreamUnavailable
from shared.stream.ports import EVENTS, Consumer, Publisher
from tests.support.kafka_broker import KafkaBroker
from tests.support.outages import BreakableEmbedded, BreakableKafka
from tests.support.records import PATIENCE_S, Handled, a_record, from_start, read_all

BACK_WITHIN_S = 5.0
CALLERS = 8


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def breakable(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BreakableEmbedded | BreakableKafka]:
    """Yield each engine in turn, alone on what it stands on."""
    if request.param == "kafka":
        broker: KafkaBroker = request.getfixturevalue("breakable_broker")
        made: BreakableEmbedded | BreakableKafka = BreakableKafka(broker)
    else:
        made = BreakableEmbedded(tmp_path_factory.mktemp("embedded") / "stream.db")
    made.engine.stream.create_topics()
    yield made
    made.engine.stream.close()


@pytest.mark.slow
def test_publishing_works_soon_after_a_long_outage(
    breakable: BreakableEmbedded | BreakableKafka,
) -> None:
    """Away longer than any time-out, with records in flight: back within 5 s, nothing lost."""
    stream = breakable.engine.stream
    with closing(stream.publisher()) as publisher, _Callers(publisher) as callers:
        callers.wait_for(CALLERS * 3)
        with breakable.away():
            time.sleep(breakable.outlasts_s)
        back = time.monotonic()
        # The publisher that lived through the outage serves every caller again.
        callers.wait_for_each(BACK_WITHIN_S)
        assert time.monotonic() - back < BACK_WITHIN_S
    count = sum(stream.ends(EVENTS).values())
    with closing(stream.consumer("readers", [EVENTS], from_start)) as consumer:
        stored = [record.value for record in read_all(consumer, count)]
    assert callers.unknown
    assert callers.acknowledged <= set(stored) <= callers.acknowledged | callers.unknown
    assert len(stored) == len(set(stored))


def test_a_deadline_holds_while_the_engine_is_away(
    breakable: BreakableEmbedded | BreakableKafka,
) -> None:
    """While the engine is away, a publication fails at its own deadline, and says so."""
    stream = breakable.engine.stream
    with closing(stream.publisher()) as publisher:
        publisher.publish([a_record(b"before")], deadline_s=10)
        with breakable.away():
            for deadline_s in (0.5, 1.5):
                began = time.monotonic()
                with pytest.raises(StreamUnavailable):
                    publisher.publish([a_record(b"unknown")], deadline_s=deadline_s)
                assert time.monotonic() - began < deadline_s + 0.5


def test_what_is_opened_while_the_engine_is_away_works_later(
    breakable: BreakableEmbedded | BreakableKafka,
) -> None:
    """A process may start before its stream does; it works once the stream is there."""
    stream = breakable.engine.reopened()
    with (
        closing(stream.publisher()) as publisher,
        closing(stream.consumer("readers", [EVENTS], from_start)) as consumer,
    ):
        with breakable.away():
            with pytest.raises(StreamUnavailable):
                publisher.publish([a_record(b"lost")], deadline_s=0.5)
            with pytest.raises(StreamUnavailable):
                consumer.poll(10, 0.5)
        publisher.publish([a_record(b"there")], deadline_s=BACK_WITHIN_S)
        assert read_all(consumer, 1)[-1].value == b"there"
    stream.close()


def test_consuming_goes_on_after_an_outage(
    breakable: BreakableEmbedded | BreakableKafka,
) -> None:
    """A consumer says that the engine is away, and afterwards goes on: nothing lost or doubled."""
    stream = breakable.engine.stream
    handled = Handled()
    values = [str(n).encode() for n in range(60)]
    with (
        closing(stream.publisher()) as publisher,
        closing(stream.consumer("readers", [EVENTS], handled.start_at)) as consumer,
    ):
        publisher.publish([a_record(value, key=value) for value in values[:30]], deadline_s=10)
        while len(handled.values) < 10:
            handled.handle(consumer.poll(5, 1.0))
        with breakable.away():
            _until_unavailable(consumer, handled)
        publisher.publish([a_record(value, key=value) for value in values[30:]], deadline_s=10)
        deadline = time.monotonic() + PATIENCE_S
        while len(handled.values) < len(values):
            assert time.monotonic() < deadline
            handled.handle(consumer.poll(5, 1.0))
    assert sorted(handled.values) == sorted(values)
    assert handled.refused == 0


def _until_unavailable(consumer: Consumer, handled: Handled) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            handled.handle(consumer.poll(5, 0.5))
        except StreamUnavailable:
            return
    raise AssertionError("the consumer never said that the engine is away")


class _Callers:
    """Threads that publish without pause, each record once, and remember how it ended."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._succeeded_at = [0.0] * CALLERS
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(CALLERS)]
        self.acknowledged: set[bytes] = set()
        self.unknown: set[bytes] = set()

    def __enter__(self) -> "_Callers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.acknowledged) >= count, 30)

    def wait_for_each(self, within_s: float) -> None:
        since = time.monotonic()
        with self._changed:
            assert self._changed.wait_for(lambda: min(self._succeeded_at) > since, within_s)

    def _run(self, caller: int) -> None:
        number = 0
        while not self._stopping.is_set():
            value = f"{caller}-{number}".encode()
            number += 1
            try:
                self._publisher.publish([a_record(value, key=value)], deadline_s=4)
                ended = self.acknowledged
            except StreamUnavailable:
                ended = self.unknown
            with self._changed:
                ended.add(value)
                if ended is self.acknowledged:
                    self._succeeded_at[caller] = time.monotonic()
                self._changed.notify_all()

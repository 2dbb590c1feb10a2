"""Fixtures of the stream's contract tests: what is opened is closed, also where a test fails."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing

import pytest

from shared.stream.ports import EVENTS, Consumer, Partition, Publisher, Stream
from tests.support.engines import KafkaEngine
from tests.support.kafka_broker import KafkaBroker
from tests.support.records import Consume, from_start


@pytest.fixture
def kafka_engine(kafka_broker: KafkaBroker) -> KafkaEngine:
    """Return a Kafka engine with topics of this test's own."""
    engine = KafkaEngine(kafka_broker.address)
    engine.stream.create_topics()
    return engine


@pytest.fixture
def publisher(stream: Stream) -> Iterator[Publisher]:
    """Yield a publisher of ``stream``."""
    with closing(stream.publisher()) as opened:
        yield opened


@pytest.fixture
def consume(stream: Stream) -> Iterator[Consume]:
    """Yield a function that opens consumers of ``stream``, by default of ``rapport.events``."""
    with ExitStack() as opened:

        def open_one(
            start_at: Callable[[Partition], int] = from_start,
            group: str = "readers",
            topics: Sequence[str] = (EVENTS,),
        ) -> Consumer:
            return opened.enter_context(closing(stream.consumer(group, topics, start_at)))

        yield open_one

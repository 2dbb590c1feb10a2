"""What every engine must do about its topics."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.clock import ManualClock
from shared.errors import Unreadable
from shared.stream.embedded import EmbeddedStream
from shared.stream.kafka import KafkaStream
from shared.stream.ports import ALERTS, EVENTS, QUARANTINE, Partition, Stream
from shared.stream.topics import TOPICS, kafka_settings
from tests.support.engines import PARTITIONS, KafkaEngine
from tests.support.kafka_broker import KafkaBroker
from tests.support.records import a_record, from_start, read_all


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[int], Stream]:
    """Return a function that opens an engine which has no topics yet."""
    if request.param == "kafka":
        broker: KafkaBroker = request.getfixturevalue("kafka_broker")
        prefix = KafkaEngine(broker.address).prefix
        return lambda partitions: KafkaStream([broker.address], partitions, 1, prefix=prefix)
    return lambda partitions: EmbeddedStream(tmp_path / "stream.db", partitions)


def test_topics_are_created_once(empty: Callable[[int], Stream]) -> None:
    """What is missing is said, then created, and creating again changes nothing."""
    with closing(empty(3)) as stream:
        missing = stream.check_topics()
        assert len(missing) == len(TOPICS)
        assert all("does not exist; run: rapport doctor --fix" in problem for problem in missing)
        assert set(stream.create_topics()) == {EVENTS, ALERTS, QUARANTINE}
        assert stream.check_topics() == []
        assert stream.create_topics() == []
        assert stream.partitions(QUARANTINE) == 3


def test_another_number_of_partitions_is_a_problem(empty: Callable[[int], Stream]) -> None:
    """Partitions are never increased in place: the sentence says to correct the setting."""
    with closing(empty(3)) as stream:
        stream.create_topics()
    with closing(empty(5)) as stream:
        assert stream.create_topics() == []
        problems = stream.check_topics()
        assert len(problems) == len(TOPICS)
        assert all("RAPPORT_PARTITIONS=3" in problem for problem in problems)
        assert stream.partitions(EVENTS) == 3


def test_history_is_never_compacted_nor_dropped() -> None:
    """The settings keep facts for ever, and no election takes back what was acknowledged."""
    kept = {topic.name: kafka_settings(topic, replication=3) for topic in TOPICS}
    assert all(settings["cleanup.policy"] == "delete" for settings in kept.values())
    assert {name for name, settings in kept.items() if settings["retention.ms"] == "-1"} == {
        EVENTS,
        ALERTS,
    }
    assert kept[QUARANTINE]["retention.ms"] == str(timedelta(days=90) // timedelta(milliseconds=1))
    assert all(settings["min.insync.replicas"] == "2" for settings in kept.values())
    alone = kafka_settings(TOPICS[0], replication=1)
    assert alone["min.insync.replicas"] == "1"


def test_the_embedded_quarantine_forgets_after_ninety_days(tmp_path: Path) -> None:
    """What is past its retention goes, facts stay; offsets go on from where they were."""
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    records = [a_record(topic=topic, partition=0) for topic in (EVENTS, QUARANTINE)]
    stream = EmbeddedStream(tmp_path / "stream.db", PARTITIONS, clock)
    stream.create_topics()
    with closing(stream), closing(stream.publisher()) as publisher:
        publisher.publish(records, deadline_s=10)
        clock.advance(timedelta(days=60))
        publisher.publish(records, deadline_s=10)
        clock.advance(timedelta(days=31))
        stream.create_topics()
        publisher.publish(records, deadline_s=10)
        with closing(stream.consumer("facts", [EVENTS], from_start)) as consumer:
            assert [record.offset for record in read_all(consumer, 3)] == [0, 1, 2]
        with closing(stream.consumer("late", [QUARANTINE], from_start)) as consumer:
            with pytest.raises(Unreadable):
                consumer.poll(10, 1.0)
            consumer.seek(Partition(QUARANTINE, 0), 1)
            assert [record.offset for record in read_all(consumer, 2)] == [1, 2]

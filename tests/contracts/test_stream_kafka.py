"""What only the Kafka engine can do, or must be kept from doing."""

import logging
import string
import time
from collections.abc import Callable
from contextlib import closing

import psutil
import pytest
from kafka import TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from shared.errors import StreamUnavailable
from shared.stream.kafka import KafkaStream
from shared.stream.ports import EVENTS, Consumer, Partition, Stream
from tests.support.engines import PARTITIONS, KafkaEngine
from tests.support.kafka_admin import asking
from tests.support.kafka_broker import KafkaBroker, cluster_of, free_port
from tests.support.records import PATIENCE_S, Handled, a_record, from_start, read_all

pytestmark = pytest.mark.kafka


def test_two_consumers_share_the_partitions(kafka_engine: KafkaEngine) -> None:
    """Each consumer of a group reads its share, and when one leaves the other reads all."""
    stream = kafka_engine.stream
    handled = Handled()
    once = [str(n).encode() for n in range(PARTITIONS)]
    records = [a_record(value, partition=n) for n, value in enumerate(once)]
    with (
        closing(stream.publisher()) as publisher,
        closing(stream.consumer("sharers", [EVENTS], handled.start_at)) as first,
    ):
        _poll_until(lambda: len(first.owned()) == PARTITIONS, first)
        with closing(stream.consumer("sharers", [EVENTS], handled.start_at)) as second:
            _poll_until(
                lambda: len(first.owned()) == len(second.owned()) == PARTITIONS // 2,
                first,
                second,
            )
            assert not first.owned() & second.owned()
            publisher.publish(records, deadline_s=10)
            _poll_until(lambda: len(handled.values) == PARTITIONS, first, second, handled=handled)
        _poll_until(lambda: len(first.owned()) == PARTITIONS, first)
        publisher.publish(records, deadline_s=10)
        _poll_until(lambda: len(handled.values) == 2 * PARTITIONS, first, handled=handled)
    assert sorted(handled.values) == sorted(once * 2)
    assert handled.refused == 0


def test_short_polls_finish_a_rebalance(kafka_engine: KafkaEngine) -> None:
    """A rebalance for new metadata comes to its end, however short the polls are."""
    stream = kafka_engine.stream
    with (
        closing(stream.consumer("hasty", [EVENTS], from_start)) as first,
        closing(stream.consumer("hasty", [EVENTS], from_start)) as second,
    ):
        _poll_until(lambda: len(first.owned()) == PARTITIONS, first)
        with asking(kafka_engine.address) as admin:
            admin.create_partitions({kafka_engine.prefix + EVENTS: PARTITIONS + 2})
        _poll_until(
            lambda: len(first.owned()) == len(second.owned()) == PARTITIONS // 2 + 1,
            first,
            second,
            timeout_s=0,
        )


def test_nothing_creates_a_topic_by_accident(kafka_broker: KafkaBroker) -> None:
    """Publishing to, reading and asking for a missing topic leave the broker without it."""
    engine = KafkaEngine(kafka_broker.address)
    stream = engine.stream
    with closing(stream.publisher()) as publisher, pytest.raises(StreamUnavailable):
        publisher.publish([a_record()], deadline_s=3)
    with closing(stream.consumer("early", [EVENTS], from_start)) as consumer:
        with pytest.raises(StreamUnavailable):
            consumer.poll(10, 0.5)
        with pytest.raises(StreamUnavailable):
            stream.partitions(EVENTS)
        with asking(engine.address) as admin:
            assert not [name for name in admin.list_topics() if name.startswith(engine.prefix)]
        stream.create_topics()
        _poll_until(lambda: len(consumer.owned()) == PARTITIONS, consumer)


def test_a_courtesy_commit_reaches_lag_tools(kafka_engine: KafkaEngine) -> None:
    """What we tell Kafka is what its own tools show, for the partitions that we own."""
    stream = kafka_engine.stream
    place = Partition(EVENTS, 1)
    with closing(stream.publisher()) as publisher:
        publisher.publish([a_record(partition=1) for _ in range(3)], deadline_s=10)
    with closing(stream.consumer("shown", [EVENTS], from_start)) as consumer:
        read_all(consumer, 3)
        consumer.courtesy_commit({place: 3, Partition("rapport.alerts", 0): 9})
        group = f"{kafka_engine.prefix}shown"
        theirs = TopicPartition(kafka_engine.prefix + EVENTS, 1)
        deadline = time.monotonic() + PATIENCE_S
        shown = {}
        with asking(kafka_engine.address) as admin:
            while theirs not in shown:
                assert time.monotonic() < deadline
                shown = admin.list_group_offsets(group)[group]
    assert shown[theirs].offset == 3
    assert len(shown) == 1


def test_a_changed_setting_is_noticed(kafka_engine: KafkaEngine) -> None:
    """A topic that somebody set to compaction is named, with the command that mends it."""
    wrong = {"cleanup.policy": "compact"}
    name = kafka_engine.prefix + EVENTS
    with asking(kafka_engine.address) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, wrong)])
    deadline = time.monotonic() + PATIENCE_S
    while not (problems := kafka_engine.stream.check_topics()):
        assert time.monotonic() < deadline
    (problem,) = problems
    assert problem.startswith(f"topic {EVENTS} has cleanup.policy=compact, not delete: run")
    assert problem.endswith("--add-config cleanup.policy=delete")


def test_too_few_copies_are_noticed(kafka_engine: KafkaEngine) -> None:
    """Topics on one broker are not what a setting of three asks for."""
    stream = KafkaStream([kafka_engine.address], PARTITIONS, 3, prefix=kafka_engine.prefix)
    problems = stream.check_topics()
    assert f"topic {EVENTS} is kept on 1 brokers, not 3" in problems[0]
    assert any("min.insync.replicas=1, not 2" in problem for problem in problems)


def test_more_copies_than_brokers_cannot_be_created(kafka_engine: KafkaEngine) -> None:
    """Creating topics that the cluster cannot keep fails, and says why."""
    stream = KafkaStream([kafka_engine.address], PARTITIONS, 3, prefix="three.")
    with pytest.raises(StreamUnavailable, match="INVALID_REPLICATION_FACTOR"):
        stream.create_topics()


def test_health_is_known_within_two_seconds(breakable_broker: KafkaBroker) -> None:
    """Whether it answers, refuses, or accepts and says nothing: the answer comes in time.

    Back again, a broker is found soon, if not by the first question: the connection is made anew.
    """
    answers = KafkaEngine(breakable_broker.address).stream
    refuses = KafkaEngine(f"127.0.0.1:{free_port()}").stream
    _until_healthy(answers)
    for stream in (refuses, answers):
        with breakable_broker.frozen():
            began = time.monotonic()
            assert not stream.healthy()
            assert time.monotonic() - began < 2.5
    _until_healthy(answers)


def test_a_deadline_holds_while_the_broker_is_frozen(breakable_broker: KafkaBroker) -> None:
    """A broker that accepts connections and says nothing holds nobody beyond the deadline."""
    engine = KafkaEngine(breakable_broker.address)
    engine.stream.create_topics()
    with closing(engine.stream.publisher()) as publisher:
        publisher.publish([a_record()], deadline_s=10)
        with breakable_broker.frozen():
            for _ in range(3):
                began = time.monotonic()
                with pytest.raises(StreamUnavailable):
                    publisher.publish([a_record()], deadline_s=1.0)
                assert time.monotonic() - began < 1.5
        publisher.publish([a_record()], deadline_s=5)


def test_failed_connections_leave_nothing_behind(capfd: pytest.CaptureFixture[str]) -> None:
    """Where no broker is there, no thread or socket is left over, and no line of the library."""
    stream = KafkaEngine(f"127.0.0.1:{free_port()}").stream
    before = _held()
    assert not stream.healthy()
    with (
        closing(stream.consumer("nobody", [EVENTS], from_start)) as consumer,
        pytest.raises(StreamUnavailable),
    ):
        consumer.poll(1, 0.1)
    with closing(stream.publisher()) as publisher, pytest.raises(StreamUnavailable):
        publisher.publish([a_record()], deadline_s=1.0)
    stream.close()
    assert _held() <= before
    said = capfd.readouterr()
    assert [line for line in (said.out + said.err).splitlines() if "replaced" not in line] == []


def test_what_is_closed_leaves_nothing_behind(kafka_engine: KafkaEngine) -> None:
    """The library's threads and sockets end with what they were opened for."""
    before = _held()
    stream = kafka_engine.reopened()
    with closing(stream.publisher()) as publisher:
        publisher.publish([a_record()], deadline_s=10)
    with closing(stream.consumer("closed", [EVENTS], from_start)) as consumer:
        read_all(consumer, 1)
    _until_healthy(stream)
    assert _held() > before
    stream.close()
    assert _held() <= before


def test_what_was_given_up_is_not_sent_after_all(breakable_broker: KafkaBroker) -> None:
    """Once a publication failed, its records do not wait for the broker's return."""
    engine = KafkaEngine(breakable_broker.address)
    engine.stream.create_topics()
    with closing(engine.stream.publisher()) as publisher:
        publisher.publish([a_record(b"before")], deadline_s=10)
        breakable_broker.kill()
        with pytest.raises(StreamUnavailable):
            publisher.publish([a_record(b"given up")], deadline_s=1.0)
        breakable_broker.restart()
        publisher.publish([a_record(b"after")], deadline_s=10)
    with closing(engine.stream.consumer("readers", [EVENTS], from_start)) as consumer:
        assert [record.value for record in read_all(consumer, 2)] == [b"before", b"after"]
    engine.stream.close()


def test_questions_are_answered_after_a_restart(breakable_broker: KafkaBroker) -> None:
    """Who leads a partition is found out again: the offsets are told as soon as it is back."""
    stream = KafkaEngine(breakable_broker.address).stream
    stream.create_topics()
    ends = stream.ends(EVENTS)
    breakable_broker.stop()
    breakable_broker.restart()
    assert stream.ends(EVENTS) == ends
    stream.close()


def test_no_value_reaches_the_log(
    kafka_engine: KafkaEngine,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Even where everything is logged, no key, header or value is written anywhere."""
    secret = "narrative-that-must-not-be-logged"
    with caplog.at_level(logging.DEBUG):
        stream = kafka_engine.reopened()
        with closing(stream.publisher()) as publisher:
            record = a_record(secret.encode(), secret.encode(), headers=((secret, b""),))
            publisher.publish([record], deadline_s=10)
        with closing(stream.consumer("quiet", [EVENTS], from_start)) as consumer:
            read_all(consumer, 1)
    assert secret not in caplog.text + "".join(capfd.readouterr())


@pytest.mark.slow
def test_three_brokers_keep_what_two_acknowledged(
    tmp_path_factory: pytest.TempPathFactory, kafka_broker: KafkaBroker
) -> None:
    """In a cluster, what was acknowledged outlives the loss of any one broker."""
    assert kafka_broker.address
    brokers = cluster_of(tmp_path_factory.mktemp("three"), count=3)
    try:
        servers = [broker.address for broker in brokers]
        for prefix in (*string.ascii_lowercase[:12], ""):
            stream = KafkaStream(servers, PARTITIONS, 3, prefix=prefix)
            stream.create_topics()
            # Whichever broker is asked knows what was created.
            assert stream.check_topics() == []
        values = [str(n).encode() for n in range(300)]
        with closing(stream.publisher()) as publisher:
            for n, value in enumerate(values):
                publisher.publish([a_record(value, key=value)], deadline_s=30)
                if n == 100:
                    brokers[0].kill()
        with closing(stream.consumer("readers", [EVENTS], from_start)) as consumer:
            stored = [record.value for record in read_all(consumer, len(values))]
        assert sorted(stored) == sorted(values)
    finally:
        for broker in brokers:
            broker.kill()


def _held() -> tuple[int, int]:
    """Return how many threads this process has, the library's own too, and how many open files."""
    process = psutil.Process()
    return process.num_threads(), process.num_fds()


def _until_healthy(stream: Stream) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not stream.healthy():
        assert time.monotonic() < deadline


def _poll_until(
    reached: Callable[[], bool],
    *consumers: Consumer,
    handled: Handled | None = None,
    timeout_s: float = 0.05,
) -> None:
    """Poll the consumers in turn until it is reached."""
    deadline = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < deadline
        for consumer in consumers:
            records = consumer.poll(10, timeout_s)
            if handled is not None:
                handled.handle(records)

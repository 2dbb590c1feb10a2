"""What every engine of the stream must do: records go in, come out, and come out in order."""

import time

import pytest

from shared.errors import Refused, StreamUnavailable, Unreadable
from shared.stream.partitioning import partition_of
from shared.stream.ports import ALERTS, EVENTS, Partition, Publisher, Stream
from shared.stream.topics import MAX_HEADER_BYTES, MAX_RECORD_BYTES
from tests.support.engines import PARTITIONS, Engine
from tests.support.records import Consume, a_record, read_all


def test_records_survive_byte_for_byte(publisher: Publisher, consume: Consume) -> None:
    """Key, value and headers come back exactly, whatever bytes they are."""
    sent = a_record(
        key=bytes(range(256)),
        value=bytes(reversed(range(256))) + b"\x00",
        headers=(("ce_id", b""), ("ce_subject", b"\xff\x00\xfe"), ("ce_id", "é".encode())),
    )
    publisher.publish([sent], deadline_s=10)
    consumer = consume()
    (read,) = read_all(consumer, 1)
    assert (read.topic, read.key, read.value) == (EVENTS, sent.key, sent.value)
    assert read.headers == sent.headers


def test_order_per_key(publisher: Publisher, consume: Consume) -> None:
    """Records of one key come out in the order in which they went in, in one partition."""
    keys = [f"org:cl_{n}".encode() for n in range(20)]
    for number in range(10):
        value = str(number).encode()
        publisher.publish([a_record(value, key) for key in keys], deadline_s=10)
    consumer = consume()
    records = read_all(consumer, 200, limit=13)
    assert len(records) == 200
    for key in keys:
        of_key = [record for record in records if record.key == key]
        assert [record.value for record in of_key] == [str(n).encode() for n in range(10)]
        assert len({record.partition for record in of_key}) == 1


def test_keys_find_the_partition_that_every_kafka_tool_finds(
    publisher: Publisher, consume: Consume
) -> None:
    """The partition is murmur2 of the key, so that the engines and kcat agree."""
    keys = [b"x" * length + str(length).encode() for length in range(60)]
    publisher.publish([a_record(key=key) for key in keys], deadline_s=10)
    consumer = consume()
    for record in read_all(consumer, len(keys)):
        assert record.partition == partition_of(record.key, PARTITIONS)


def test_a_wanted_partition_is_honoured(publisher: Publisher, consume: Consume) -> None:
    """A record for one given partition goes there, whatever its key says."""
    wanted = [a_record(str(n).encode(), partition=n) for n in range(PARTITIONS)]
    publisher.publish(wanted, deadline_s=10)
    consumer = consume()
    records = read_all(consumer, PARTITIONS)
    assert all(record.value == str(record.partition).encode() for record in records)
    assert {record.partition for record in records} == set(range(PARTITIONS))


def test_a_partition_that_does_not_exist_is_a_mistake(publisher: Publisher) -> None:
    """A record for a partition beyond the last is a programming error, not an outage."""
    with pytest.raises(ValueError, match="partition"):
        publisher.publish([a_record(partition=PARTITIONS)], deadline_s=10)


def test_the_result_is_known_before_publish_returns(engine: Engine, publisher: Publisher) -> None:
    """What publish returned from is there for everybody, at once."""
    other = engine.reopened()
    for count in range(1, 6):
        publisher.publish([a_record(partition=1)], deadline_s=10)
        assert other.ends(EVENTS)[Partition(EVENTS, 1)] == count
    other.close()


def test_ends_are_those_of_one_topic(stream: Stream, publisher: Publisher) -> None:
    """The ends of a topic name each of its partitions, and count no other topic's records."""
    publisher.publish([a_record(partition=2), a_record(partition=2)], deadline_s=10)
    publisher.publish([a_record(topic=ALERTS, partition=0)], deadline_s=10)
    assert stream.partitions(EVENTS) == PARTITIONS
    ends = stream.ends(EVENTS)
    assert ends == {Partition(EVENTS, n): 2 * (n == 2) for n in range(PARTITIONS)}


def test_a_consumer_starts_where_it_is_told(publisher: Publisher, consume: Consume) -> None:
    """``start_at`` decides for each partition where reading begins."""
    for n in range(PARTITIONS):
        publisher.publish([a_record(partition=n) for _ in range(5)], deadline_s=10)
    consumer = consume(lambda place: place.number)
    records = read_all(consumer, 5 + 4 + 3 + 2)
    for n in range(PARTITIONS):
        offsets = [record.offset for record in records if record.partition == n]
        assert offsets == list(range(n, 5))


def test_a_consumer_reads_several_topics(publisher: Publisher, consume: Consume) -> None:
    """A consumer owns the partitions of all its topics, and of no other."""
    publisher.publish([a_record(b"e"), a_record(b"a", topic=ALERTS)], deadline_s=10)
    consumer = consume(topics=[EVENTS, ALERTS])
    records = read_all(consumer, 2)
    assert {(record.topic, record.value) for record in records} == {(EVENTS, b"e"), (ALERTS, b"a")}
    every = {Partition(topic, n) for topic in (EVENTS, ALERTS) for n in range(PARTITIONS)}
    assert consumer.owned() == every


def test_seek_moves_both_ways(publisher: Publisher, consume: Consume) -> None:
    """After a seek the very next record is the one at that offset, back or forth."""
    place = Partition(EVENTS, 3)
    publisher.publish([a_record(partition=3) for _ in range(10)], deadline_s=10)
    consumer = consume()
    assert [record.offset for record in read_all(consumer, 4, limit=4)] == [0, 1, 2, 3]
    consumer.seek(place, 8)
    assert [record.offset for record in read_all(consumer, 2)] == [8, 9]
    consumer.seek(place, 1)
    assert [record.offset for record in read_all(consumer, 9)] == list(range(1, 10))


def test_seek_leaves_foreign_partitions_alone(publisher: Publisher, consume: Consume) -> None:
    """A seek before anything is owned has no effect: ``start_at`` decides."""
    publisher.publish([a_record(partition=0) for _ in range(3)], deadline_s=10)
    consumer = consume()
    consumer.seek(Partition(EVENTS, 0), 2)
    assert [record.offset for record in read_all(consumer, 3)] == [0, 1, 2]


def test_poll_keeps_its_limits(publisher: Publisher, consume: Consume) -> None:
    """A poll returns no more than asked for, and waits no longer than told."""
    publisher.publish([a_record() for _ in range(25)], deadline_s=10)
    consumer = consume()
    sizes = [len(consumer.poll(10, 5.0)) for _ in range(3)]
    assert max(sizes) <= 10
    read_all(consumer, 25 - sum(sizes))
    began = time.monotonic()
    assert not consumer.poll(10, 0.5)
    assert 0.4 < time.monotonic() - began < 2.5


def test_no_partition_starves(publisher: Publisher, consume: Consume) -> None:
    """A partition with much to read does not hold up the one with little."""
    for _ in range(10):
        publisher.publish([a_record(b"x" * 5_000, partition=0) for _ in range(100)], deadline_s=10)
    publisher.publish([a_record(b"small", partition=1)], deadline_s=10)
    consumer = consume()
    first = read_all(consumer, 600, limit=100)
    assert b"small" in [record.value for record in first]


@pytest.mark.parametrize("wanted", [2, 11])
def test_a_position_outside_the_stream_is_unreadable(
    engine: Engine, publisher: Publisher, consume: Consume, wanted: int
) -> None:
    """Neither what retention has taken nor what was never there is skipped in silence."""
    place = Partition(EVENTS, 1)
    publisher.publish([a_record(partition=1) for _ in range(10)], deadline_s=10)
    engine.forget(place, 5)
    consumer = consume(lambda at: wanted if at == place else 0)
    with pytest.raises(Unreadable):
        read_all(consumer, 1)


def test_a_topic_that_does_not_exist_is_unavailable(stream: Stream, publisher: Publisher) -> None:
    """Nothing is created by accident: an unknown topic is an error, soon."""
    with pytest.raises(StreamUnavailable):
        publisher.publish([a_record(topic="rapport.unknown")], deadline_s=5)
    with pytest.raises(StreamUnavailable, match="does not exist"):
        stream.partitions("rapport.unknown")


def test_the_largest_record_is_taken_and_a_larger_one_refused(
    stream: Stream, publisher: Publisher
) -> None:
    """What is accepted at the limit is stored; what is over it is refused before it is sent."""
    limit = MAX_RECORD_BYTES - MAX_HEADER_BYTES
    publisher.publish([a_record(b"x" * limit)], deadline_s=20)
    with pytest.raises(Refused):
        publisher.publish([a_record(b"small"), a_record(b"x" * (limit + 1))], deadline_s=20)
    assert sum(stream.ends(EVENTS).values()) == 1

"""What every engine must do for those who consume: who owns what, and what is handed over."""

import subprocess
import threading
import time
from collections.abc import Callable, Mapping

from shared.stream.ports import EVENTS, Consumer, Partition, Publisher
from tests.support.engines import LEASE_S, PARTITIONS, Engine
from tests.support.records import PATIENCE_S, Consume, Handled, a_record, read_all

ALL = frozenset(Partition(EVENTS, n) for n in range(PARTITIONS))


def _publish(publisher: Publisher, first: int, count: int) -> list[bytes]:
    values = [str(n).encode() for n in range(first, first + count)]
    publisher.publish([a_record(value, key=value) for value in values], deadline_s=20)
    return values


def test_a_consumer_resumes_where_it_was(publisher: Publisher, consume: Consume) -> None:
    """After a restart it goes on at the saved position: nothing lost, nothing doubled."""
    values = _publish(publisher, 0, 100)
    handled = Handled()
    for count in (30, 60, 100):
        consumer = consume(handled.start_at)
        while len(handled.values) < count:
            handled.handle(consumer.poll(7, 1.0))
        consumer.close()
    assert sorted(handled.values) == sorted(values)
    assert handled.refused == 0


def test_a_closed_consumer_makes_room_at_once(publisher: Publisher, consume: Consume) -> None:
    """Who leaves in good order is replaced without waiting for any lease to expire."""
    _publish(publisher, 0, 10)
    first, second = consume(), consume()
    read_all(first, 10)
    assert first.owned() == ALL
    first.close()
    began = time.monotonic()
    read_all(second, 10)
    assert time.monotonic() - began < LEASE_S
    assert second.owned() == ALL


def test_ownership_moves_away_from_a_killed_consumer(
    engine: Engine, publisher: Publisher, consume: Consume
) -> None:
    """After kill -9 another takes over, and starts where the killed one had saved its work."""
    values = _publish(publisher, 0, 200)
    command = engine.command("consuming", "movers")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(50)]
        process.kill()
        lines += [line for line in process.stdout.readlines() if line.endswith("\n")]
    handled = [line.split() for line in lines]
    saved = {Partition(EVENTS, int(number)): int(offset) + 1 for number, offset, _ in handled}
    before = [value.encode() for _, _, value in handled]
    consumer = consume(lambda place: saved.get(place, 0), group="movers")
    after = [record.value for record in read_all(consumer, 200 - len(before))]
    assert sorted(before + after) == sorted(values)


def test_two_consumers_do_everything_once(publisher: Publisher, consume: Consume) -> None:
    """While one joins, one leaves and records flow, every record has its effect exactly once."""
    handled = Handled()
    values = _publish(publisher, 0, 150)
    with _Running(consume, handled) as first:
        _until(lambda: len(handled.values) > 20)
        with _Running(consume, handled):
            values += _publish(publisher, 150, 150)
            _until(lambda: len(handled.values) > 200)
            first.stop()
            values += _publish(publisher, 300, 150)
            _until(lambda: len(handled.values) == len(values))
    assert sorted(handled.values) == sorted(values)


def test_no_partition_has_two_owners(consume: Consume) -> None:
    """Two consumers of a group never own the same partition, and together they own all."""
    consumers = [consume(), consume()]
    deadline = time.monotonic() + PATIENCE_S
    settled = 0
    while settled < 5:
        assert time.monotonic() < deadline
        owned = _polled(consumers)
        complete = owned[0] | owned[1] == ALL and not owned[0] & owned[1]
        settled = settled + 1 if complete else 0


def test_groups_know_nothing_of_each_other(publisher: Publisher, consume: Consume) -> None:
    """Each group reads everything."""
    values = _publish(publisher, 0, 20)
    for group in ("one", "other"):
        records = read_all(consume(group=group), 20)
        assert sorted(record.value for record in records) == sorted(values)


def test_start_at_is_asked_whenever_ownership_begins(
    publisher: Publisher, consume: Consume
) -> None:
    """The position of a partition is loaded each time that it becomes owned, not once."""
    _publish(publisher, 0, 10)
    asked: list[Partition] = []

    def start_at(place: Partition) -> int:
        asked.append(place)
        return 0

    for times in (1, 2):
        consumer = consume(start_at)
        read_all(consumer, 10)
        consumer.close()
        assert {place: asked.count(place) for place in ALL} == dict.fromkeys(ALL, times)


def test_a_position_that_cannot_be_loaded_holds_its_records_back(
    publisher: Publisher, consume: Consume
) -> None:
    """When ``start_at`` fails, the poll fails with it; no record comes before it succeeded."""
    _publish(publisher, 0, 10)
    failures = iter([True] * 3)

    def start_at(_: Partition) -> int:
        if next(failures, False):
            raise ConnectionError("the database is away")
        return 0

    consumer = consume(start_at)
    failed = 0
    while failed < 3:
        try:
            assert not consumer.poll(100, 1.0)
        except ConnectionError:
            failed += 1
    assert len(read_all(consumer, 10)) == 10


def test_a_courtesy_commit_moves_nothing(publisher: Publisher, consume: Consume) -> None:
    """What was told to lag tools never decides where reading begins."""
    _publish(publisher, 0, 10)
    consumer = consume()
    read_all(consumer, 10)
    consumer.courtesy_commit(dict.fromkeys(ALL, 2))
    consumer.close()
    assert len(read_all(consume(), 10)) == 10


class _Running:
    """A consumer on a thread of its own, which handles what it reads until it is stopped."""

    def __init__(self, consume: Consume, handled: Handled) -> None:
        self._consumer: Consumer = consume(handled.start_at)
        self._handled = handled
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "_Running":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._handled.handle(self._consumer.poll(5, 0.2))
        self._consumer.close()


def _until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _polled(consumers: list[Consumer]) -> Mapping[int, frozenset[Partition]]:
    """Return what each owns after both have polled at the same time."""
    threads = [threading.Thread(target=each.poll, args=(10, 0.3)) for each in consumers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {n: each.owned() for n, each in enumerate(consumers)}

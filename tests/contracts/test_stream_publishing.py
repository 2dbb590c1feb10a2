"""What every engine must do for those who publish: what is acknowledged stays, in order."""

import itertools
import subprocess
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from shared.errors import StreamUnavailable
from shared.stream.ports import EVENTS, Publisher, Stream
from tests.support.engines import Engine
from tests.support.publishing import THREADS
from tests.support.records import Consume, a_record, read_all

CALLERS = 32
EACH = 25
KILL_AFTER = 200
FOLLOWED = 150


def test_many_publish_at_once(publisher: Publisher, consume: Consume) -> None:
    """With many callers at once nothing is lost, doubled, or out of order within its key."""

    def publish(caller: int) -> None:
        for number in range(EACH):
            record = a_record(str(number).encode(), key=str(caller).encode())
            publisher.publish([record], deadline_s=30)

    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(publish, range(CALLERS)))
    records = read_all(consume(), CALLERS * EACH)
    for caller in range(CALLERS):
        values = [record.value for record in records if record.key == str(caller).encode()]
        assert values == [str(number).encode() for number in range(EACH)]


def test_one_publication_stays_in_order(publisher: Publisher, consume: Consume) -> None:
    """The records of one publication that share a key keep their order among them."""
    publisher.publish([a_record(str(n).encode()) for n in range(700)], deadline_s=10)
    values = [record.value for record in read_all(consume(), 700)]
    assert values == [str(n).encode() for n in range(700)]


def test_what_was_acknowledged_outlives_a_killed_publisher(
    engine: Engine, consume: Consume
) -> None:
    """After kill -9 in the middle of publishing, every acknowledged record is there, in order."""
    with _started(engine, "killed", 1_000_000) as process:
        _begin(process)
        assert process.stdout is not None
        acknowledged = [process.stdout.readline() for _ in range(KILL_AFTER)]
        process.kill()
        acknowledged += process.stdout.readlines()
    # The last line may have been cut off by the kill.
    known = {line.rstrip("\n") for line in acknowledged if line.endswith("\n")}
    count = sum(engine.stream.ends(EVENTS).values())
    stored = [record.value.decode() for record in read_all(consume(), count)]
    assert known <= set(stored)
    # Each of its threads had at most one record on the way that it does not know of.
    assert len(stored) <= len(known) + THREADS + 1
    found = _numbers(stored).values()
    assert all(numbers == list(range(len(numbers))) for numbers in found)


def test_offsets_become_visible_in_order(engine: Engine, consume: Consume) -> None:
    """A reader that follows several publishing processes at their heels misses no record."""
    names = ("first", "second")
    with ExitStack() as running:
        processes = [running.enter_context(_started(engine, name, FOLLOWED)) for name in names]
        for process in processes:
            _begin(process)
        readers = [threading.Thread(target=_read, args=(process,)) for process in processes]
        for reader in readers:
            reader.start()
        records = read_all(consume(), len(names) * THREADS * FOLLOWED)
        for reader in readers:
            reader.join()
    assert [process.returncode for process in processes] == [0, 0]
    assert len(records) == sum(engine.stream.ends(EVENTS).values())
    numbers = _numbers([record.value.decode() for record in records])
    assert len(numbers) == len(names) * THREADS
    assert all(found == list(range(FOLLOWED)) for found in numbers.values())


def test_publishing_goes_on_in_a_new_publisher(stream: Stream, consume: Consume) -> None:
    """A publisher that was closed leaves everything to the next one."""
    for n in range(3):
        publisher = stream.publisher()
        publisher.publish([a_record(str(n).encode())], deadline_s=10)
        publisher.close()
    assert [record.value for record in read_all(consume(), 3)] == [b"0", b"1", b"2"]


def test_closing_amid_publications_loses_nothing(stream: Stream) -> None:
    """What was acknowledged before or while the publisher closed is there; the rest failed."""
    publisher = stream.publisher()
    acknowledged = threading.Semaphore(0)

    def publish() -> int:
        for count in itertools.count():
            try:
                publisher.publish([a_record()], deadline_s=10)
            except StreamUnavailable:
                return count
            acknowledged.release()
        raise AssertionError("never")

    with ThreadPoolExecutor(4) as pool:
        publishing = [pool.submit(publish) for _ in range(4)]
        for _ in range(20):
            acknowledged.acquire()
        publisher.close()
        known = sum(future.result() for future in publishing)
    stored = sum(stream.ends(EVENTS).values())
    assert known <= stored <= known + len(publishing)


def test_close_leaves_no_thread_behind(stream: Stream) -> None:
    """A closed publisher has ended its threads."""
    before = set(threading.enumerate())
    publisher = stream.publisher()
    publisher.publish([a_record()], deadline_s=10)
    publisher.close()
    assert set(threading.enumerate()) <= before


def _started(engine: Engine, name: str, count: int) -> "subprocess.Popen[str]":
    """Start a publishing process, and wait until it is ready to begin."""
    process = subprocess.Popen(
        engine.command("publishing", name, str(count)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def _begin(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def _read(process: "subprocess.Popen[str]") -> None:
    assert process.stdout is not None
    process.stdout.read()


def _numbers(values: Sequence[str]) -> dict[str, list[int]]:
    """Return per publishing thread the numbers that it published, in the order of the stream."""
    found: dict[str, list[int]] = {}
    for value in values:
        name, _, number = value.rpartition("-")
        found.setdefault(name, []).append(int(number))
    return found

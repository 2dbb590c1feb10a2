"""What only the embedded engine has to prove: leases, shared fsyncs, one file."""

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.clock import ManualClock
from shared.errors import StreamUnavailable
from shared.stream.embedded import EmbeddedStream
from shared.stream.ports import EVENTS, Partition
from tests.support.records import Handled, a_record, from_start, read_all

LEASE_S = 10.0
PARTITIONS = 4
CALLERS = 32


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that the test turns."""
    return ManualClock(datetime(2026, 5, 3, tzinfo=UTC))


@pytest.fixture
def stream(tmp_path: Path, clock: ManualClock) -> Iterator[EmbeddedStream]:
    """Yield a stream whose leases expire by the test's clock."""
    with closing(EmbeddedStream(tmp_path / "s.db", PARTITIONS, clock, lease_s=LEASE_S)) as made:
        made.create_topics()
        with closing(made.publisher()) as publisher:
            publisher.publish([a_record(str(n).encode()) for n in range(100)], deadline_s=10)
        yield made


def test_a_lease_is_renewed_while_its_holder_polls(
    stream: EmbeddedStream, clock: ManualClock
) -> None:
    """Who polls keeps everything, however long, and another gets nothing."""
    first = stream.consumer("group", [EVENTS], from_start)
    second = stream.consumer("group", [EVENTS], from_start)
    read_all(first, 5, limit=5)
    for _ in range(10):
        clock.advance(timedelta(seconds=LEASE_S * 0.6))
        assert first.poll(1, 0)
        assert not second.poll(1, 0)
        assert len(first.owned()) == PARTITIONS
        assert not second.owned()


def test_a_holder_that_fell_silent_gets_nothing_more(
    stream: EmbeddedStream, clock: ManualClock
) -> None:
    """After expiry another owns everything; the old holder gets no record and owns nothing."""
    handled = Handled()
    first = stream.consumer("group", [EVENTS], handled.start_at)
    second = stream.consumer("group", [EVENTS], handled.start_at)
    handled.handle(first.poll(10, 1.0))
    clock.advance(timedelta(seconds=LEASE_S))
    assert not first.owned()
    handled.handle(second.poll(10, 1.0))
    assert len(second.owned()) == PARTITIONS
    assert not first.poll(10, 0)
    first.seek(Partition(EVENTS, 0), 0)
    assert not first.poll(10, 0)
    assert not first.owned()
    assert len(handled.values) == 20
    assert handled.refused == 0


def test_a_holder_that_comes_back_begins_anew(stream: EmbeddedStream, clock: ManualClock) -> None:
    """Whoever owned in between may have moved the positions: they are loaded again."""
    handled = Handled()
    first = stream.consumer("group", [EVENTS], handled.start_at)
    second = stream.consumer("group", [EVENTS], handled.start_at)
    for consumer in (first, second, first):
        handled.handle(consumer.poll(10, 1.0))
        clock.advance(timedelta(seconds=LEASE_S))
    assert len(handled.values) == 30
    assert handled.refused == 0


def test_records_read_after_the_lease_ran_out_are_not_handed_on(
    stream: EmbeddedStream, clock: ManualClock
) -> None:
    """A reader that is slower than its lease returns nothing: another may have them already."""

    def slow(_: Partition) -> int:
        clock.advance(timedelta(seconds=LEASE_S))
        return 0

    consumer = stream.consumer("group", [EVENTS], slow)
    assert not consumer.poll(10, 0)


def test_a_clock_set_back_makes_nobody_wait(stream: EmbeddedStream, clock: ManualClock) -> None:
    """A lease that ends further off than any lasts is free: its holder may be dead for hours."""
    handled = Handled()
    first = stream.consumer("group", [EVENTS], handled.start_at)
    second = stream.consumer("group", [EVENTS], handled.start_at)
    handled.handle(first.poll(10, 1.0))
    clock.advance(timedelta(hours=-3))
    assert not first.owned()
    handled.handle(second.poll(10, 1.0))
    assert len(second.owned()) == PARTITIONS
    assert not first.poll(10, 0)
    assert len(handled.values) == 20
    assert handled.refused == 0


def test_who_looked_at_the_clock_before_the_holder_takes_nothing(
    stream: EmbeddedStream, clock: ManualClock, tmp_path: Path
) -> None:
    """A lease renewed after another had looked at its clock, and before it asked, holds."""
    behind = ManualClock(clock.now() - timedelta(seconds=LEASE_S / 2))
    first = stream.consumer("group", [EVENTS], from_start)
    read_all(first, 5, limit=5)
    with closing(EmbeddedStream(tmp_path / "s.db", PARTITIONS, behind, lease_s=LEASE_S)) as late:
        second = late.consumer("group", [EVENTS], from_start)
        assert not second.poll(10, 0)
    assert len(first.owned()) == PARTITIONS
    assert first.poll(10, 0)


def test_a_holder_whose_clock_is_set_back_goes_on(
    stream: EmbeddedStream, clock: ManualClock
) -> None:
    """Without a rival the holder takes a lease of the new time and loses nothing."""
    consumer = stream.consumer("group", [EVENTS], from_start)
    first = consumer.poll(10, 1.0)
    clock.advance(timedelta(hours=-3))
    second = consumer.poll(10, 1.0)
    assert [record.offset for record in [*first, *second]] == list(range(20))
    assert len(consumer.owned()) == PARTITIONS


def test_an_own_lease_that_nobody_took_is_simply_renewed(
    stream: EmbeddedStream, clock: ManualClock
) -> None:
    """After a pause without a rival the reader goes on where it was."""
    consumer = stream.consumer("group", [EVENTS], from_start)
    first = consumer.poll(10, 1.0)
    clock.advance(timedelta(seconds=LEASE_S * 100))
    second = consumer.poll(10, 1.0)
    assert [record.offset for record in [*first, *second]] == list(range(20))


def test_a_locked_file_costs_no_lease(
    stream: EmbeddedStream, clock: ManualClock, tmp_path: Path
) -> None:
    """While a renewal cannot be written, its holder goes on until the lease runs out."""
    consumer = stream.consumer("group", [EVENTS], from_start)
    assert consumer.poll(1, 1.0)
    with _locked(tmp_path / "s.db"):
        clock.advance(timedelta(seconds=LEASE_S * 0.9))
        assert consumer.poll(1, 0)
        clock.advance(timedelta(seconds=LEASE_S * 0.2))
        with pytest.raises(StreamUnavailable):
            consumer.poll(1, 0)
        assert not consumer.owned()
    assert consumer.poll(1, 0)


def test_publishers_that_wait_share_a_commit(tmp_path: Path) -> None:
    """Whoever gathers while the file is busy is written in one transaction, with one fsync."""
    path = tmp_path / "shared.db"
    with closing(EmbeddedStream(path, PARTITIONS)) as stream:
        stream.create_topics()
        with closing(stream.publisher()) as publisher, ThreadPoolExecutor(CALLERS) as pool:
            with _locked(path):
                waiting = [
                    pool.submit(publisher.publish, [a_record()], 10) for _ in range(CALLERS)
                ]
                while not all(publication.running() for publication in waiting):
                    time.sleep(0.01)
            for publication in waiting:
                publication.result()
        with closing(stream.consumer("group", [EVENTS], from_start)) as consumer:
            records = read_all(consumer, CALLERS)
    # One commit stamps all its records alike. Somebody may have come a moment too late.
    assert len({record.appended_at for record in records}) <= CALLERS // 4


def test_who_gave_up_waiting_was_not_written(stream: EmbeddedStream, tmp_path: Path) -> None:
    """A publication that timed out before its turn stays out of the file for good."""
    count = sum(stream.ends(EVENTS).values())
    with closing(stream.publisher()) as publisher:
        with _locked(tmp_path / "s.db"), pytest.raises(StreamUnavailable):
            publisher.publish([a_record(b"given up")], deadline_s=0.3)
        publisher.publish([a_record(b"later")], deadline_s=5)
    assert sum(stream.ends(EVENTS).values()) == count + 1


def test_an_open_file_needs_no_write_lock(stream: EmbeddedStream, tmp_path: Path) -> None:
    """A process can start, and say that it is healthy, while another writes for long."""
    with (
        _locked(tmp_path / "s.db"),
        closing(EmbeddedStream(tmp_path / "s.db", PARTITIONS)) as other,
    ):
        assert other.healthy()
        assert other.check_topics() == []
        assert other.ends(EVENTS) == stream.ends(EVENTS)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the file's one write lock."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")

"""A byte that a disk changed is never taken for what was written, on either engine."""

import random
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import DatabaseError

from shared.errors import Unreadable
from shared.stream.embedded import EmbeddedStream
from shared.stream.ports import EVENTS, Consumer, Partition, Record
from tests.support.engines import KafkaEngine
from tests.support.kafka_broker import KafkaBroker
from tests.support.records import PATIENCE_S, Handled, a_record, from_start

PARTITIONS = 2
RECORDS = 40
FLIPS = 150
SEED = 20260503


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a closed file with records in it, all of them in the file itself."""
    path = tmp_path / "stream.db"
    with closing(EmbeddedStream(path, PARTITIONS)) as stream:
        stream.create_topics()
        with closing(stream.publisher()) as publisher:
            for number in range(RECORDS):
                value = f'{{"number": {number}}}'.encode()
                publisher.publish([a_record(value, key=f"org:cl_{number}".encode())], 10)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def all_read(path: Path) -> Mapping[tuple[int, int], Record]:
    """Return every record by partition and offset."""
    with closing(EmbeddedStream(path, PARTITIONS)) as stream:
        with closing(stream.consumer("readers", [EVENTS], from_start)) as consumer:
            found = [*consumer.poll(1_000, 0), *consumer.poll(1_000, 0)]
        return {(record.partition, record.offset): record for record in found}


def changed(path: Path, change: str) -> None:
    """Change the file by a statement of SQL, behind the engine's back."""
    with closing(sqlite3.connect(path)) as db:
        assert db.execute(change).rowcount > 0
        db.commit()


def test_a_changed_record_stops_its_reader_where_it_stands(file: Path) -> None:
    """What stands before it is read; then it is named, with what to do, at every attempt."""
    changed(
        file,
        "UPDATE records SET value = replace(value, '{', '[') WHERE \"offset\" = 3 AND place ="
        " (SELECT place FROM partitions WHERE topic = 'rapport.events' AND number = 1)",
    )
    handled = Handled()
    with closing(EmbeddedStream(file, PARTITIONS)) as stream:
        consumer = stream.consumer("readers", [EVENTS], handled.start_at)
        handled.handle(consumer.poll(1_000, 0))
        assert handled.start_at(Partition(EVENTS, 1)) == 3
        for _ in range(2):
            with pytest.raises(Unreadable, match=r"rapport\.events/1 offset 3: .*backup"):
                consumer.poll(1_000, 0)
        consumer.close()
        [said] = stream.damage()
    assert said == "rapport.events/1 offset 3 is not what was appended"


@pytest.mark.parametrize(
    "part", ["key", "value", "headers", "appended_at", "checksum", "offset", "place"]
)
def test_every_part_of_a_record_is_under_its_checksum(file: Path, part: str) -> None:
    """Whatever part of a row is changed, it is not served."""
    new = f"CAST(\"{part}\" || x'00' AS BLOB)" if part in {"key", "value", "headers"} else "77"
    changed(file, f'UPDATE records SET "{part}" = {new} WHERE rowid = 5')  # noqa: S608 - ours.
    with pytest.raises(Unreadable):
        all_read(file)


def test_a_record_that_went_missing_stops_its_reader(file: Path) -> None:
    """A gap between two records is damage, not the end."""
    changed(file, 'DELETE FROM records WHERE "offset" = 2')
    with pytest.raises(Unreadable, match=r"rapport\.events/0 offset 2"):
        all_read(file)
    with closing(EmbeddedStream(file, PARTITIONS)) as stream:
        assert len(stream.damage()) == PARTITIONS


def test_a_flipped_bit_anywhere_in_the_file_changes_no_record(file: Path, tmp_path: Path) -> None:
    """However the file is damaged, each record comes as it was written, or reading stops."""
    print(f"seed {SEED}")  # noqa: T201 - shown when it fails.
    chance = random.Random(SEED)
    truth, whole = all_read(file), file.read_bytes()
    assert len(truth) == RECORDS
    stopped = 0
    for number in range(FLIPS):
        bytes_ = bytearray(whole)
        bytes_[chance.randrange(len(bytes_))] ^= 1 << chance.randrange(8)
        copy = tmp_path / f"copy-{number}.db"
        copy.write_bytes(bytes_)
        try:
            assert all_read(copy) == truth
        except (Unreadable, DatabaseError):
            stopped += 1
    assert stopped > FLIPS / 10


def test_a_file_from_before_there_were_checksums_opens_and_goes_on(file: Path) -> None:
    """Old records are read as they are; new ones in the same file have a checksum."""
    truth = all_read(file)
    changed(file, "UPDATE records SET checksum = NULL")
    with closing(sqlite3.connect(file)) as db:
        db.execute("ALTER TABLE records DROP COLUMN checksum")
    assert all_read(file) == truth
    with closing(EmbeddedStream(file, PARTITIONS)) as stream:
        with closing(stream.publisher()) as publisher:
            publisher.publish([a_record(b"new")], 10)
        assert stream.damage() == []
    assert len(all_read(file)) == RECORDS + 1
    changed(
        file, "UPDATE records SET value = CAST('old' AS BLOB) WHERE value = CAST('new' AS BLOB)"
    )
    with closing(EmbeddedStream(file, PARTITIONS)) as stream:
        assert len(stream.damage()) == 1


@pytest.mark.kafka
@pytest.mark.slow
def test_a_damaged_batch_of_a_broker_stops_its_reader(breakable_broker: KafkaBroker) -> None:
    """What stands before it is read; then it is named, with what to do, at every attempt."""
    engine = KafkaEngine(breakable_broker.address)
    engine.stream.create_topics()
    with closing(engine.stream.publisher()) as publisher:
        for number in range(9):
            publisher.publish([a_record(f"value-{number}".encode(), partition=1)], 10)
    breakable_broker.stop()
    folder = breakable_broker.folder / "data" / f"{engine.prefix}{EVENTS}-1"
    [segment] = folder.glob("*.log")
    whole = segment.read_bytes()
    segment.write_bytes(whole.replace(b"value-5", b"value-4"))
    breakable_broker.restart()
    handled = Handled()
    with closing(engine.stream.consumer("readers", [EVENTS], handled.start_at)) as consumer:
        for _ in range(2):
            with pytest.raises(Unreadable, match=r"damaged on the broker's disk.*backup"):
                _handle_to_the_end(consumer, handled)
            assert handled.values == [f"value-{number}".encode() for number in range(5)]
    engine.stream.close()


def _handle_to_the_end(consumer: Consumer, handled: Handled) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        handled.handle(consumer.poll(100, 1.0))

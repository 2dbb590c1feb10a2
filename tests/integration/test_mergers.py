"""A merger stands under the keys of both clients, and is a fact of one, in its own partition."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, select

from services.alerts import tables
from services.projections import read_models
from shared.clock import ManualClock
from shared.storage.table_sets import FIRST
from shared.stream import parking
from shared.stream.codec import decode, key_of
from shared.stream.parking import MANY, Entry
from shared.stream.partitioning import partition_of
from shared.stream.ports import EVENTS
from tests.support.commanding import typed
from tests.support.whole import WholeLine

JUDGED = tables.of(FIRST)
PROJECTED = read_models.of(FIRST)
PLACES = PROJECTED.caseload.tables[1]
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
REFERENCES = [f"c-{number}" for number in range(8)]


@pytest.fixture
def line(tmp_path: Path) -> Iterator[WholeLine]:
    """Yield a whole installation in which each client was held once, and merged into the next."""
    made = WholeLine(tmp_path, ManualClock(NOW))
    made.take([_document("session.held", "2026-05-30", one, HELD) for one in REFERENCES])
    made.settle()
    pairs = pairwise(REFERENCES)
    made.take([_document("client.merged", "2026-05-31", one, {"into": to}) for one, to in pairs])
    made.settle()
    yield made
    made.close()


HELD = {
    "therapist": "t-1",
    "session": "s-1",
    "started_at": "2026-05-30T09:00:00Z",
    "ended_at": "2026-05-30T10:00:00Z",
}


def _document(name: str, day: str, subject: str, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"{name}-{subject}",
        "source": "urn:test",
        "type": f"rapport.{name}",
        "time": f"{day}T10:00:00Z",
        "subject": subject,
        "data": {"clinic": "north", **data},
    }


def _rows(line: WholeLine, table: Table, reference: str) -> list[Any]:
    with line.database.read() as db:
        return list(db.execute(select(table).where(table.c.client == line.client(reference))))


def test_a_client_stays_in_one_partition(line: WholeLine) -> None:
    """Facts, phases and what is due stand where the client's key leads; nobody has two places."""
    partitions = line.stream.partitions(EVENTS)
    homes = set()
    for reference in REFERENCES:
        home = partition_of(key_of(line.organisation, line.client(reference)), partitions)
        homes.add(home)
        for table in (PROJECTED.facts.rows, JUDGED.facts, JUDGED.clients):
            found = {row.partition for row in _rows(line, table, reference)}
            assert found == {home}, (table.name, reference)
        for table in (PLACES, JUDGED.phases):
            places = {row.partition for row in _rows(line, table, reference)}
            assert places == ({home} if reference == REFERENCES[-1] else set())
    assert len(homes) > 1


def test_a_copy_that_waited_moves_nobody(line: WholeLine) -> None:
    """Retried in the other client's partition, its own is judged and folded at home alone."""
    reader = line.stream.consumer("test", [EVENTS], lambda _: 0)
    mergers = [one for _ in range(20) for one in reader.poll(1_000, 0.01)
               if dict(one.headers)["ce_type"] == b"rapport.client.merged"]  # fmt: skip
    reader.close()
    with line.database.write() as db:
        for record in mergers:
            event = decode(record)
            held = Entry(record, (event.organisation, event.client or MANY), "Bug", "")
            for consumer in (tables.CONSUMER, read_models.TIMELINES.consumer):
                parking.park(db, consumer, [held], NOW)
    assert len(mergers) == 2 * (len(REFERENCES) - 1)
    done = typed(line, "parked", "retry", "--all")
    assert done.exit_code == 0, done.output
    test_a_client_stays_in_one_partition(line)


def test_a_merger_is_one_fact(line: WholeLine) -> None:
    """It is kept once by each consumer, and listed once on each timeline that it is about."""
    for reference in REFERENCES[:-1]:
        for table in (PROJECTED.facts.rows, JUDGED.facts):
            kept = [row.type for row in _rows(line, table, reference)]
            assert sorted(kept) == ["client.merged", "session.held"]
        shown = line.timeline(reference)
        own = [one for one in shown["mergers"] if one["client"] == line.client(reference)]
        assert len(own) == 1
        assert shown["merged_into"] == line.client(REFERENCES[-1])

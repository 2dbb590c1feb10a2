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
from shared.storage.generations import FIRST
from shared.stream.codec import key_of
from shared.stream.partitioning import partition_of
from shared.stream.ports import EVENTS
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
    """Facts, phases, places and what is due stand where the client's key leads, and only there."""
    partitions = line.stream.partitions(EVENTS)
    homes = set()
    for reference in REFERENCES:
        home = partition_of(key_of(line.organisation, line.client(reference)), partitions)
        homes.add(home)
        for table in (PROJECTED.facts.rows, JUDGED.facts, JUDGED.clients, JUDGED.phases, PLACES):
            found = {row.partition for row in _rows(line, table, reference)}
            assert found == {home}, (table.name, reference)
    assert len(homes) > 1


def test_a_merger_is_one_fact(line: WholeLine) -> None:
    """It is kept once by each consumer, and listed once on the timeline that it is about."""
    for reference in REFERENCES[:-1]:
        for table in (PROJECTED.facts.rows, JUDGED.facts):
            kept = [row.type for row in _rows(line, table, reference)]
            assert sorted(kept) == ["client.merged", "session.held"]
        assert len(line.timeline(reference)["mergers"]) == 1

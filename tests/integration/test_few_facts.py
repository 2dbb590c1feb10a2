"""Facts that come one by one: what each asks of the database, because that is what it costs.

The limits are what was counted, not what was hoped for: a statement more is a decision.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from services.alerts import ledger, tables
from shared.storage.engine import Database
from shared.storage.replacing import replace
from tests.support import events as an
from tests.support.alerting import AlertsWorld, cancellations, held
from tests.support.databases import migrated, sqlite_url
from tests.support.projected import World
from tests.support.statements import watched, writing

CLIENTS = tables.of(1).clients
WHOM = ("org_1", "cl_1")


@pytest.fixture
def alerts(db: Database, tmp_path: Path) -> Iterator[AlertsWorld]:
    """Yield a world in which clients of an armed clinic have alerts."""
    made = AlertsWorld(db, tmp_path, batch_limit=2)
    made.a_recipient("boss")
    made.arm()
    for client in ("cl_1", "cl_2"):
        made.tell(*cancellations(2, client=client), held(5, client=client))
    made.tick()  # From then on the stream says what was seen, and nobody notes it any more.
    yield made
    made.close()


def a_row(client: str, due_at: int | None) -> dict[str, Any]:
    """Return a row of the table of clients."""
    return {
        "organisation": "org_1",
        "client": client,
        "partition": 0,
        "due_at": due_at,
        "suspended": 0,
    }


def of_a_batch(put: Sequence[str]) -> list[str]:
    """Return the statements of the batch: a step also asks who serves, and may set gauges."""
    return [one for one in put if "generations.code" not in one and "count(*)" not in one]


def rows(db: Connection) -> Mapping[str, int | None]:
    """Return client → when it is due."""
    return {row.client: row.due_at for row in db.execute(CLIENTS.select())}


def test_a_single_fact_is_projected_by_few_statements(world: World, db: Database) -> None:
    """A fact that changes nothing in the caseload is asked for nine times, and written twice."""
    world.tell(an.a_clinic_configured())
    world.tell(*(an.a_session_held(f"h{day}", an.on(day)) for day in range(3)))
    with watched(db) as put:
        world.tell(an.a_rating(at=an.on(4)))
    asked = of_a_batch(put)
    assert len(asked) == 9
    assert len(writing(asked)) == 2


def test_a_single_fact_is_judged_by_few_statements(alerts: AlertsWorld, db: Database) -> None:
    """A fact from which no step follows is judged by sixteen statements.

    One of them asks what the therapist's caseload knows of the client, one whom mergers tie to it.
    """
    with watched(db) as put:
        alerts.tell(held(6, client="cl_1"))
    assert len(of_a_batch(put)) == 16


def test_facts_of_several_partitions_move_them_at_once(alerts: AlertsWorld, db: Database) -> None:
    """However many partitions a batch comes from, one statement moves the positions."""
    alerts.tell(an.a_clinic_configured("elsewhere"), settle=False)
    with watched(db) as put:
        alerts.settle()
    batches = sum("FROM parked" in one for one in put)
    assert batches == sum(one.startswith("UPDATE positions") for one in put)
    assert batches == 2


def test_what_is_as_it_was_is_not_written(db: Database) -> None:
    """Only rows that differ are written; a client who has fewer now loses the others."""
    with db.write() as connection:
        CLIENTS.create(connection)
        replace(connection, CLIENTS, {WHOM: [a_row("cl_1", 1)], ("org_1", "cl_2"): []})
    with watched(db) as put, db.write() as connection:
        replace(connection, CLIENTS, {WHOM: [a_row("cl_1", 1)]})
    assert (len(put), writing(put)) == (1, [])
    with db.write() as connection:
        replace(connection, CLIENTS, {WHOM: [a_row("cl_1", 2)], ("org_1", "cl_2"): [
            a_row("cl_2", None)]})  # fmt: skip
        assert rows(connection) == {"cl_1": 2, "cl_2": None}
        replace(connection, CLIENTS, {WHOM: []})
        assert rows(connection) == {"cl_2": None}


def test_alerts_of_others_are_not_looked_through(tmp_path: Path) -> None:
    """SQLite finds the steps of a client by an index of its own, not among all of a clinic."""
    with migrated(sqlite_url(tmp_path)) as db, db.write() as connection:
        tables.declared(1).metadata.create_all(connection)
        with watched(db) as put:
            ledger.known_alerts(connection, tables.of(1).inbox, *WHOM[:1], ["cl_1"])
        anything = ("",) * put[0].count("?")
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {put[0]}", anything)
        found = [row[3] for row in plan]
    assert any("ledger_steps USING INDEX" in one and "client=?" in one for one in found)


def test_a_deliverer_with_nothing_to_do_asks_once(alerts: AlertsWorld, db: Database) -> None:
    """Where nothing is due, both channels are one question, and nobody waits for a lock."""
    alerts.deliver()
    with watched(db) as put, db.write():
        assert not alerts.deliverer.step(alerts.clock.now())
    assert len(put) == 1

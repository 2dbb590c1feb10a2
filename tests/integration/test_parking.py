"""A record that cannot be handled: parked with its client, while everybody else goes on."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path

import orjson
import pytest
from rich.console import Console
from sqlalchemy import Connection

from services.projections import read_models, terminal
from services.projections.projector import CONSUMER, Projector
from services.projections.read_model import Batch, Chart
from services.projections.read_models.caseload import Caseload
from shared.envelope import Envelope
from shared.errors import TooManyParked
from shared.storage import positions
from shared.storage.engine import Database
from shared.storage.facts import Arrival
from shared.storage.table_sets import FIRST, Catalogue
from shared.stream.codec import encode
from shared.stream.parking import MANY
from shared.stream.ports import ALERTS, EVENTS
from tests.support import events as an
from tests.support.poison import Fragile, FragileModel, parked_rows, retry, states, without_data
from tests.support.projected import PARTITIONS, World, an_alert_step

BEN, CAT = "cl_ben", "cl_cat"


@pytest.fixture
def fragile() -> Fragile:
    """Return a release that can handle everybody so far."""
    return Fragile()


@pytest.fixture
def world(db: Database, tmp_path: Path, fragile: Fragile) -> Iterator[World]:
    """Yield a world whose projections have a mistake in them."""
    made = World(db, tmp_path)
    begin(made, fragile)
    yield made
    made.close()


def begin(world: World, fragile: Fragile) -> None:
    """Start a release anew."""
    world.runner.close()
    world.runner = world.another_runner(more=[FragileModel(fragile)])


def sessions(count: int, client: str = an.CLIENT, first: int = 1) -> list[Envelope]:
    """Return held sessions of a client, one a week."""
    return [
        an.a_session_held(f"s{n}", an.on(7 * n), client=client, id=f"{client}/{n}")
        for n in range(first, first + count)
    ]


def shown(world: World, client: str) -> list[str]:
    """Return the sessions on a client's timeline."""
    return [one["session"] for one in world.timeline(client)["sessions"]]


def test_one_record_in_a_batch_of_a_thousand(world: World, fragile: Fragile) -> None:
    """The record that fails is parked and its client's later ones wait; all others go on."""
    fragile.events.add(f"{an.CLIENT}/3")
    others = [f"cl_{n}" for n in range(99)]
    world.tell(*(one for n in range(1, 11) for name in [an.CLIENT, *others]
                 for one in sessions(1, name, n)))  # fmt: skip
    assert shown(world, an.CLIENT) == ["s1", "s2"]
    assert all(len(shown(world, name)) == 10 for name in others[::20])
    assert states(world.db) == [(world.client(), state) for state in ["parked", *["queued"] * 7]]
    assert sum(at.next_offset for at in _positions(world).values()) == 1_000


def test_what_is_kept_of_a_failure(world: World, fragile: Fragile) -> None:
    """The raw record with its headers, the error's class and place; never its message."""
    fragile.events.add("poison")
    sent = world.placed(an.a_session_held("s1", an.on(7), id="poison"))
    world.publish([encode(sent, EVENTS)])
    (row,) = parked_rows(world.db)
    record = encode(sent, EVENTS)
    assert (row.key, row.value) == (record.key, record.value)
    assert tuple(map(tuple, orjson.loads(row.headers))) == tuple(
        (name, value.decode()) for name, value in record.headers
    )
    assert (row.consumer, row.topic, row.error) == ("projections.v1", EVENTS, "Bug")
    assert row.code_place.endswith(tuple("0123456789"))
    assert b"Karenina" not in repr(tuple(row)).encode()


def test_retried_after_the_release_that_mends_it(
    world: World, fragile: Fragile, tmp_path: Path
) -> None:
    """The queue is handled head to tail; the timeline is that of a run without the fault."""
    told = [*sessions(5), *sessions(2, BEN)]
    fragile.events.add(f"{an.CLIENT}/2")
    world.tell(*told)
    before = _positions(world)
    (still,) = retry(world.db, Projector(more=[FragileModel(fragile)]), world.clock)
    assert (still.handled, still.left, still.error) == (0, 4, "Bug")
    assert [row.attempts for row in parked_rows(world.db)] == [2, 0, 0, 0]
    fragile.events.clear()
    (done,) = retry(world.db, Projector(more=[FragileModel(fragile)]), world.clock)
    assert (done.handled, done.left) == (4, 0)
    assert _positions(world) == before
    found = world.timeline()
    other = world.begun_again(tmp_path / "again")
    other.tell(*told)
    assert other.timeline() == found
    other.close()


def test_a_parked_client_is_shown_as_such(world: World, fragile: Fragile) -> None:
    """In the timeline's JSON, drawing and page and in the caseload; others as ever."""
    world.tell(*sessions(1), *sessions(1, BEN))
    assert (world.timeline()["parked"], world.timeline(BEN)["parked"]) == (None, None)
    fragile.clients.add(world.client())
    world.tell(*sessions(2, first=2))
    found = world.timeline()
    assert found["parked"] == {
        "since": "2027-02-09T10:00:00Z", "records": 2, "consumers": ["projections.v1"]
    }  # fmt: skip
    said = "Not up to date since 9 Feb 2027: 2 records wait for an operator."
    path = f"/v1/clients/{world.client()}/timeline"
    assert said in world.get(f"{path}.html").text
    assert "Not up to date since" in world.get(f"{path}.svg").text
    assert world.timeline(BEN)["parked"] is None
    rows = orjson.loads(world.get("/v1/clients").data)["clients"]
    assert {row["client"]: row["parked"] for row in rows} == {
        world.client(): True, world.client(BEN): False
    }  # fmt: skip


def test_a_parked_client_without_facts_is_shown_as_such(world: World, fragile: Fragile) -> None:
    """Where even the first record could not be handled, the empty timeline says so."""
    fragile.clients.add(world.client())
    world.tell(*sessions(1))
    found = world.timeline()
    assert (found["sessions"], found["parked"]["records"]) == ([], 1)
    out = StringIO()
    terminal.show(found, Console(file=out, width=100))
    assert "1 record waits for an operator." in out.getvalue()


def test_a_fold_that_fails_for_one_client(world: World) -> None:
    """Data that no fold can compute with park their client; a later fact of many spares nobody."""
    world.tell(*sessions(1, BEN), without_data(sessions(1)[0]))
    world.tell(an.a_therapist_away("2026-02-02", "2026-02-09"), *sessions(1, BEN, 2))
    assert shown(world, BEN) == ["s1", "s2"]
    assert states(world.db) == [(world.client(), "parked")]
    assert shown(world, an.CLIENT) == []


def test_a_step_of_an_alert_that_cannot_be_kept(world: World) -> None:
    """On the topic of alerts as well: parked with its client, who keeps being projected."""
    broken = an_alert_step(client=world.client(), alert="a1")
    data = {name: said for name, said in broken.event.data.items() if name != "history"}
    world.alert(
        replace(broken, event=replace(broken.event, data=data)),
        an_alert_step(client=world.client(), alert="a2"),
        an_alert_step(client=world.client(BEN), alert="a3"),
    )
    world.tell(*sessions(1), *sessions(1, BEN))
    assert [row.topic for row in parked_rows(world.db)] == [ALERTS, ALERTS]
    assert shown(world, an.CLIENT) == ["s1"]
    assert (len(world.timeline()["alerts"]), len(world.timeline(BEN)["alerts"])) == (0, 1)


def test_a_fact_of_many_folds_nobody_who_is_held_back(world: World) -> None:
    """Of those whom it concerns, the caseload reads and folds the others alone."""
    world.tell(*sessions(1), *sessions(1, BEN))
    asked: list[str] = []

    def charts(db: Connection, whose: str, clients: Collection[str]) -> Iterator[list[Chart]]:
        asked.extend(clients)
        return read_models.of(FIRST).facts.charts(db, whose, clients)

    away = world.placed(an.a_therapist_away("2026-02-02", "2026-02-09"))
    with world.db.write() as db:
        for number in range(PARTITIONS):
            arrival = Arrival(number, away, b"")
            held = {(world.organisation, world.client())}
            Caseload(Catalogue(FIRST), charts).apply(db, Batch("test", (), held, [arrival]))
    assert asked == [world.client(BEN)]


def test_a_zone_that_nobody_knows_holds_no_client_back(world: World) -> None:
    """A clinic's settings that no fold can compute with are found where they arrive."""
    world.tell(*sessions(1), an.a_clinic_configured(timezone="Nowhere/Else"), *sessions(1, BEN))
    assert {client for client, _ in states(world.db)} == {MANY}
    assert shown(world, BEN) == ["s1"]


def test_too_many_clients_stop_the_consumer(world: World, fragile: Fragile) -> None:
    """A release that fails for more than ten clients within the hour stands still, losing none."""
    names = [f"cl_{n}" for n in range(12)]
    fragile.clients |= {world.client(name) for name in names}
    with pytest.raises(TooManyParked, match="within an hour"):
        world.tell(*(one for name in names for one in sessions(1, name)))
    assert len(states(world.db)) == 10
    stood = _positions(world)
    with pytest.raises(TooManyParked):
        world.project()
    assert _positions(world) == stood
    fragile.clients.clear()
    world.project()
    retry(world.db, Projector(), world.clock)
    assert [shown(world, name) for name in names] == [["s1"]] * 12


def _positions(world: World) -> dict[tuple[str, int], positions.Position]:
    with world.db.read() as db:
        return dict(positions.all_of(db, CONSUMER))

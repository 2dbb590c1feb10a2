"""Of those who are tied together, nobody is judged while something of another is missing."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from services.alerts import tables
from services.alerts.units import units
from services.alerts.watcher import Watcher
from shared.errors import DatabaseUnavailable
from shared.storage import positions
from shared.storage.engine import Database
from shared.storage.positions import Position
from shared.stream.codec import decode, key_of
from shared.stream.handling import Item
from shared.stream.partitioning import partition_of
from shared.stream.ports import EVENTS, Partition, Record
from tests.support import events as an
from tests.support.alerting import DEADLINE_S, PARTITIONS, AlertsWorld, records
from tests.support.databases import DIALECTS, migrated, url_of
from tests.support.merging import ANN, BEN, NAMES, a_world, cancelled, held, merger, shown
from tests.support.poison import Fragile, retry
from tests.support.rejudged import rebuilt


@pytest.fixture
def fragile() -> Fragile:
    """Return a release that can judge everybody so far."""
    return Fragile()


@pytest.fixture(params=DIALECTS)
def world(
    request: pytest.FixtureRequest, tmp_path: Path, fragile: Fragile
) -> Iterator[AlertsWorld]:
    """Yield an armed clinic with somebody who is told of alerts."""
    with migrated(url_of(request, tmp_path)) as db:
        made = a_world(db, tmp_path, fragile)
        yield made
        made.close()


def test_who_is_held_back_holds_back_whom_they_are_tied_to(
    world: AlertsWorld, fragile: Fragile
) -> None:
    """While a record of one waits, nothing is told of the other; then both are judged at once."""
    world.tell(held(1, ANN), held(1, BEN), merger(ANN, BEN))
    fragile.clients.add(BEN)
    world.tell(an.a_session_missed("m", at=an.on(6), client=ANN))
    fragile.clients.clear()
    world.tell(cancelled(7, BEN))
    assert shown(world) == []
    assert rebuilt(world, world.rules).differences == []
    world.tick(1)
    assert shown(world) == []
    with world.db.read() as db:
        serving = tables.number_to_judge(db, world.rules)
    watcher = Watcher(world.rules, world.office.accounts.recipients, serving)
    (done,) = retry(world.db, watcher, world.clock)
    assert (done.queue.who[1], done.left) == (ANN, 0)
    assert shown(world) == [(BEN, "open", "attention")]


def test_whose_alerts_wait_for_somebody_tied_is_said(world: AlertsWorld, fragile: Fragile) -> None:
    """What is shown of one is not up to date while a record of the other waits."""
    world.tell(held(1, ANN), cancelled(3, BEN), merger(ANN, BEN))
    assert parked(world) == []
    fragile.clients.add(BEN)
    world.tell(an.a_session_missed("m", at=an.on(6), client=ANN))
    assert parked(world) == [BEN]


def parked(world: AlertsWorld) -> Any:
    """Return of whom the list says that they wait for an operator."""
    body: Any = world.get("/v1/alerts").json
    assert {one["client"] for one in body["alerts"]} == {BEN}
    return body["parked"]


def test_a_merger_counts_once_both_records_are_read(world: AlertsWorld) -> None:
    """Until then the other's watcher does not know of it, and each judges its own."""
    world.tell(cancelled(1, ANN), cancelled(2, BEN))
    first, copy = records(world.placed(merger(ANN, BEN)))
    world.publisher.publish([first], DEADLINE_S)
    world.tell(held(6, BEN))
    assert shown(world) == [(ANN, "open", "attention"), (BEN, "resolved", "attention")]
    world.publisher.publish([copy], DEADLINE_S)
    world.settle()
    assert {client for client, *_ in shown(world)} == {BEN}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_reading_again_one_partition_after_another(
    world: AlertsWorld, order: tuple[int, ...]
) -> None:
    """Nobody is judged by the facts of those alone whose partition was read again first."""
    ben = next(one for one in NAMES if partition(world, one) != partition(world, ANN))
    world.tell(cancelled(1, ANN), held(2, ben), cancelled(3, ben))
    world.tell(merger(ANN, ben))
    world.tell(cancelled(6, ben), held(7, ANN))
    world.tell(cancelled(8, ben))
    world.tick(1)
    before, now = world.ledger(), world.shown()
    world.begun_again()
    world.runner.close()
    read_again(world, order)
    assert world.ledger() == before
    assert world.shown() == now


def partition(world: AlertsWorld, client: str) -> int:
    """Return in which partition a client's facts stand."""
    return partition_of(key_of(world.organisation, client), PARTITIONS)


def read_again(world: AlertsWorld, order: tuple[int, ...]) -> None:
    """Handle the whole stream partition by partition, as watchers of one each would."""
    with closing(world.stream.consumer("by hand", [EVENTS], lambda _: 0)) as reader:
        every: list[Record] = []
        while some := reader.poll(1_000, 0.05):
            every += some
    watcher = Watcher(world.rules, world.office.accounts.recipients)
    for number in order:
        mine = [one for one in every if one.partition == number]
        place = Partition(EVENTS, number)
        at = positions.load(world.db, watcher.name, *place)
        with world.db.write() as db:
            end = Position(mine[-1].offset + 1, 0)
            positions.advance(db, watcher.name, {place: at}, {place: end})
            watcher.handle(db, [Item(one, decode(one)) for one in mine], frozenset())


def test_of_two_who_judge_those_tied_one_waits(world: AlertsWorld) -> None:
    """Each would else miss what the other is about to store."""
    world.tell(held(1, ANN), held(2, BEN), merger(ANN, BEN))
    with closing(Database(world.db.url, busy_timeout_ms=100)) as another, world.db.write() as db:
        looked_at(db, world, ANN)
        with pytest.raises(DatabaseUnavailable):
            looked_at_by(another, world, BEN)


def looked_at_by(database: Database, world: AlertsWorld, client: str) -> None:
    """Read a client's unit as who judges it does, and wait for nobody."""
    with database.write() as db:
        if database.dialect == "postgresql":
            db.execute(text("SET LOCAL lock_timeout = '100ms'"))
        looked_at(db, world, client)


def looked_at(db: Any, world: AlertsWorld, client: str) -> None:
    """Read a client's unit as who judges it does."""
    units(db, tables.shown(db), world.organisation, {(world.organisation, client): 0})

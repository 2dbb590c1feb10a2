"""Several watchers at once, of clients who are merged meanwhile: one result, whoever is first."""

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from services.alerts.rules import RULES
from services.alerts.watcher import Watcher
from shared.envelope import Envelope
from shared.storage import positions
from shared.storage.engine import Database
from shared.storage.positions import Position
from shared.stream.codec import decode
from shared.stream.handling import Item
from shared.stream.ports import EVENTS, Partition, Record
from tests.support import events as an
from tests.support.alerting import PARTITIONS, AlertsWorld
from tests.support.databases import migrated, url_of
from tests.support.rejudged import rebuilt


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AlertsWorld]:
    """Yield an armed clinic on PostgreSQL: SQLite has one writer at a time."""
    request.param = "postgresql"
    with migrated(url_of(request, tmp_path)) as db:
        made = AlertsWorld(db, tmp_path, rules=RULES)
        made.a_recipient("boss")
        made.arm("sessions")
        yield made
        made.close()


def lives(chance: random.Random) -> list[Envelope]:
    """Return what happens to pairs of references that are merged, some of them for a while."""
    names = [f"cl_{number}" for number in range(8)]
    told: list[Envelope] = []
    for n in range(0, len(names), 2):
        told.append(an.a_merger(names[n + 1], an.on(20 + n), client=names[n], id=f"m{n}"))
        if n % 4 == 0:
            told.append(an.a_retraction(told[-1], at=an.on(35), id=f"r{n}"))
    for n in range(70):
        day, client = chance.uniform(1, 40), chance.choice(names)
        off = an.a_session_cancelled(f"s{n}", at=an.on(day), by="therapist", client=client)
        told.append(off if n % 3 else an.a_session_held(f"s{n}", an.on(day), client=client))
    return sorted(told, key=lambda one: one.event.time)


@pytest.mark.parametrize("seed", range(2))
def test_they_come_to_what_one_comes_to(world: AlertsWorld, seed: int) -> None:
    """Nobody fails, nobody waits for ever, and a rebuild finds the same to the last row."""
    world.tell(*lives(random.Random(seed)), settle=False)
    with closing(world.stream.consumer("by hand", [EVENTS], lambda _: 0)) as reader:
        every: list[Record] = []
        while some := reader.poll(1_000, 0.05):
            every += some
    mine = [[one for one in every if one.partition == place] for place in range(PARTITIONS)]
    with ThreadPoolExecutor(PARTITIONS) as pool:
        for done in [pool.submit(watch, world, records) for records in mine]:
            done.result()
    world.settle()
    world.tick(1)
    assert rebuilt(world, world.rules).differences == []


def watch(world: AlertsWorld, records: Sequence[Record]) -> None:
    """Handle a partition as a watcher of its own does, a few records in each transaction."""
    with closing(Database(world.db.url)) as database:
        watcher = Watcher(world.rules, world.office.accounts.recipients)
        place = Partition(EVENTS, records[0].partition)
        at = positions.load(database, watcher.name, *place)
        for start in range(0, len(records), 3):
            some = records[start : start + 3]
            end = Position(some[-1].offset + 1, 0)
            with database.write() as db:
                positions.advance(db, watcher.name, {place: at}, {place: end})
                watcher.handle(db, [Item(one, decode(one)) for one in some], frozenset())
            at = end

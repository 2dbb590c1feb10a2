"""Several watchers at once, of merged clients and of a caseload: one result, whoever is first."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, text

from services.alerts import digests, reports, summaries, tables
from services.alerts.alone import alone
from services.alerts.bootstrap import EVERY_RULE
from services.alerts.ledger import LEDGER
from services.alerts.watcher import Watcher
from shared.envelope import Envelope
from shared.storage import positions, ties
from shared.storage.engine import Database
from shared.storage.facts import Arrival
from shared.storage.positions import Position
from shared.stream.codec import decode
from shared.stream.handling import Item
from shared.stream.ports import EVENTS, Partition, Record
from tests.support import events as an
from tests.support.alerting import PARTITIONS, AlertsWorld
from tests.support.databases import migrated, url_of
from tests.support.receiver import Receiver
from tests.support.rejudged import rebuilt

OTHER = "org_another"


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AlertsWorld]:
    """Yield an armed clinic on PostgreSQL: SQLite has one writer at a time."""
    request.param = "postgresql"
    with migrated(url_of(request, tmp_path)) as db:
        made = AlertsWorld(db, tmp_path, rules=EVERY_RULE)
        made.a_recipient("boss")
        made.arm("sessions")
        yield made
        made.close()


def lives(chance: random.Random) -> list[Envelope]:
    """Return what happens to pairs of references that are merged, some of them for a while.

    Every other pair is of another organisation.
    """
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
    theirs = set(names[2:4] + names[6:])
    told = [replace(one, organisation=OTHER) if one.client in theirs else one for one in told]
    return sorted(told, key=lambda one: one.event.time)


@pytest.mark.parametrize("seed", range(2))
def test_they_come_to_what_one_comes_to(world: AlertsWorld, seed: int) -> None:
    """Nobody fails, nobody waits for ever, and a rebuild finds the same to the last row."""
    handled_at_once(world, *lives(random.Random(seed)))
    assert rebuilt(world, world.rules).differences == []


def test_one_caseload_of_all_partitions_is_told_once(world: AlertsWorld) -> None:
    """Each watcher reads a part of a therapist's clients; in the end one alert counts them all.

    What it counted on the way, somebody may have been told, and then told that it was corrected.
    """
    clients = [f"cl_{number}" for number in range(16)]
    off = [an.a_session_cancelled("c", at=an.on(3), by="clinic", client=one) for one in clients]
    held = [an.a_session_held("h", an.on(1), client=one) for one in clients]
    handled_at_once(world, *held, *off)
    (alert,) = [one for one in world.alerts() if one["rule"] == "caseload-interrupted"]
    assert (alert["numbers"]["clients"], len(alert["evidence"])) == (len(clients), len(clients))
    steps = [one["step"] for one in alert["history"] if one["step"] != "revised"]
    assert steps == ["opened", *["retracted", "opened"] * (len(steps) // 2)]
    assert rebuilt(world, world.rules).differences == []


def test_who_counts_a_days_places_counts_alone(world: AlertsWorld) -> None:
    """While one who has told somebody is not done yet, another waits before it tells them more."""
    world.deliver_by(daily_cap=1)
    missed = [
        an.a_session_missed(
            "m", at=an.on(3), by="therapist", client=f"cl_{n}", therapist=f"th_{n}"
        )
        for n in range(12)
    ]
    # Which partition a client's facts are in differs from run to run: the fullest have some.
    first, second, *rest = sorted(by_partition(world, *missed), key=len, reverse=True)
    with ThreadPoolExecutor(1) as pool:
        others: list[Future[None]] = []

        def wait_for_another() -> None:
            others.append(pool.submit(watch, world, second))
            assert somebody_waits(world), others[0].result()

        watch(world, first, wait_for_another)
        others[0].result()
    for records in rest:
        watch(world, records)
    assert Counter(status for _, status in world.told()) == {"pending": 1, "held": 11}


def test_a_report_names_nothing_that_vanishes_meanwhile(world: AlertsWorld) -> None:
    """While it is composed, a watcher judges that what it names was never so."""
    world.deliver_by(quiet_days=3)
    missed = an.a_session_missed("m", at=an.on(3), by="therapist", recorded_at=an.on(3))
    world.tell(missed)
    assert [one["rule"] for one in world.alerts()] == ["session-not-held"]
    back = an.a_retraction(missed, at=an.on(3, 20), recorded_at=an.on(3, 20))
    (records,) = [one for one in by_partition(world, back) if one and "retracted" in str(one[-1])]
    with ThreadPoolExecutor(1) as pool:
        with world.db.write() as db:
            assert reports.report(db, world.office.accounts.recipients, an.on(9)) == 1
            watching = pool.submit(watch, world, records[-1:])
            assert somebody_waits(world), watching.result()
        watching.result()
    assert world.alerts() == []
    assert Counter(status for _, status in world.told()) == {"cancelled": 2}


def test_who_tells_of_many_waits_before_it_holds_anything(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """Nor does who settles what was tried: so none of them waits in a circle with a watcher."""
    world.a_recipient("other", receiver.url, role="supervisor")
    world.tell(missed("cl_1", 3))
    world.deliver_by(daily_cap=0)
    world.tell(missed("cl_2", 4))
    world.deliver_by("south", quiet_days=3)
    world.arm("sessions", clinic="south")
    world.tell(missed("cl_3", 5, clinic="south"))
    world.clock.set(an.on(40))
    world.tell(replace(missed("cl_4", 6), recorded_at=an.on(40)))
    present, people = an.on(60), world.office.accounts.recipients
    acts: list[Callable[[Connection], object]] = [
        lambda db: digests.compose(db, present),
        lambda db: reports.report(db, people, present),
        lambda db: summaries.sum_up(db, tables.of(1), people, present),
    ]

    def composed(act: Callable[[Connection], object]) -> object:
        with world.db.write() as db:
            return act(db)

    with ThreadPoolExecutor(1) as pool:
        every: list[Callable[[], object]] = [partial(world.deliverer.step, present)]
        every += [partial(composed, one) for one in acts]
        for act in every:
            with world.db.write() as db:
                alone(db, world.organisation)
                other: Future[object] = pool.submit(act)
                assert somebody_waits(world), other.result()
                db.execute(select(LEDGER).with_for_update(nowait=True))
            assert other.result()
        with world.db.write() as db:
            db.execute(select(LEDGER).with_for_update())
            pool.submit(world.deliverer.step, present).result(timeout=10)


def missed(client: str, day: float, **stated: str) -> Envelope:
    """Return a session that the therapist missed: each of another therapist's absence."""
    who = {"client": client, "therapist": f"th_{client}"}
    at = an.on(day)
    return an.a_session_missed("m", at=at, by="therapist", recorded_at=at, **who, **stated)


def test_who_ties_somebody_does_so_alone(world: AlertsWorld) -> None:
    """Of two who tie clients the second waits, of whatever organisation: so none in a circle."""
    with ThreadPoolExecutor(1) as pool:
        with world.db.write() as db:
            tied(db, an.ORGANISATION)
            another = pool.submit(tied_alone, world, OTHER)
            assert somebody_waits(world), another.result()
        another.result()


def tied(db: Connection, organisation: str) -> None:
    """Read a merger of an organisation."""
    merger = replace(an.a_merger("cl_1", an.on(1), client="cl_0"), organisation=organisation)
    ties.note(db, tables.of(1).ties, [Arrival(0, merger, b"")])


def tied_alone(world: AlertsWorld, organisation: str) -> None:
    """Read a merger of an organisation in a transaction of its own."""
    with closing(Database(world.db.url)) as database, database.write() as db:
        tied(db, organisation)


def somebody_waits(world: AlertsWorld) -> bool:
    """Return whether somebody waits for a lock, within some seconds."""
    asked = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    for _ in range(200):
        with world.db.read() as db:
            if db.execute(asked).scalar_one():
                return True
        time.sleep(0.05)
    return False


def handled_at_once(world: AlertsWorld, *told: Envelope) -> None:
    """Let a watcher of its own handle each partition, all of them together."""
    with ThreadPoolExecutor(PARTITIONS) as pool:
        every = [pool.submit(watch, world, records) for records in by_partition(world, *told)]
        for done in every:
            done.result()
    world.settle()
    world.tick(1)


def by_partition(world: AlertsWorld, *told: Envelope) -> list[list[Record]]:
    """Return everything on the stream, what is told now in the end, partition by partition."""
    world.tell(*told, settle=False)
    with closing(world.stream.consumer("by hand", [EVENTS], lambda _: 0)) as reader:
        every: list[Record] = []
        while some := reader.poll(1_000, 0.05):
            every += some
    return [[one for one in every if one.partition == place] for place in range(PARTITIONS)]


def watch(
    world: AlertsWorld, records: Sequence[Record], in_the_end: Callable[[], None] = lambda: None
) -> None:
    """Handle a partition as a watcher of its own does, a few records in each transaction.

    ``in_the_end`` is called before the last of these transactions is over.
    """
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
                if some[-1] is records[-1]:
                    in_the_end()
            at = end

"""Where the notice that spoke for a group does so no more, another of the group is told."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from sqlalchemy import Connection, select, text

from services.alerts.ledger import GROUPED, LEDGER, STEPS
from services.alerts.watcher import Watcher
from shared.envelope import Envelope
from shared.storage.engine import Database
from shared.stream import partitioning
from shared.stream.codec import decode, encode, key_of
from shared.stream.handling import Item
from shared.stream.ports import EVENTS, Record
from tests.support import events as an
from tests.support.alert_rules import Cancelled
from tests.support.alerting import PARTITIONS, AlertsWorld, armed, held
from tests.support.calling_off import (
    ESCALATED,
    OPENED,
    RETRACTED,
    alert_of,
    called_off,
    got,
    retracted,
    statuses,
)
from tests.support.receiver import Receiver


@pytest.fixture
def world(db: Database, tmp_path: Path) -> Iterator[AlertsWorld]:
    """Yield a world with an armed clinic in London."""
    with armed(db, tmp_path, (Cancelled(),)) as made:
        yield made


@pytest.mark.parametrize("delivered", [False, True])
def test_another_speaks_where_the_first_is_taken_back(
    world: AlertsWorld, receiver: Receiver, delivered: bool
) -> None:
    """The group goes on without the alert that was wrong: the next is told, and stands for all."""
    world.a_recipient("boss", receiver.url)
    first = called_off(1, 1)
    world.tell(*first)
    for client in (2, 3):
        world.tell(*called_off(client, 1, hour=9 + client))
    wrong = alert_of(world, 1)
    if delivered:
        world.deliver()
    world.tell(retracted(first[-1], an.on(1, 14)))
    told = got(world, receiver)
    before = [(OPENED, wrong), (RETRACTED, wrong)] if delivered else []
    assert sorted(told) == sorted([*before, (OPENED, alert_of(world, 2))])
    assert statuses(world).count(GROUPED) == 1
    world.tell(*called_off(4, 1, hour=15))
    assert len(got(world, receiver)) == len(told)


@pytest.mark.parametrize("again", ["never", "with the retraction", "later"])
def test_what_is_over_is_not_told_when_the_first_is_taken_back(
    world: AlertsWorld, receiver: Receiver, again: str
) -> None:
    """Weeks later only what still holds is told; what proves to hold again is told then."""
    world.a_recipient("boss", receiver.url)
    first = called_off(1, 1)
    world.tell(*first, *called_off(2, 1, hour=12))
    wrong, over = alert_of(world, 1), alert_of(world, 2)
    before = [(OPENED, wrong)]
    assert got(world, receiver) == before
    ended = held(3, client="cl_2")
    world.tell(replace(ended, recorded_at=an.on(3)))
    back = retracted(ended, an.on(60))
    more = [back] if again == "with the retraction" else []
    world.tell(retracted(first[-1], an.on(60)), *more)
    before.append((RETRACTED, wrong))
    if again != "with the retraction":
        assert got(world, receiver) == before
    if again == "later":
        world.tell(back)
    if again != "never":
        before.append((OPENED, over))
    assert sorted(got(world, receiver)) == sorted(before)


def test_what_comes_with_the_retraction_is_not_silent(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """In the batch that takes the speaking alert back, a new one of the group is told."""
    world.a_recipient("boss", receiver.url)
    first = called_off(1, 1)
    world.tell(*first)
    world.deliver()
    wrong = alert_of(world, 1)
    world.tell(retracted(first[-1], an.on(1, 14)), *called_off(2, 1, hour=13))
    assert sorted(got(world, receiver)) == sorted(
        [(OPENED, wrong), (RETRACTED, wrong), (OPENED, alert_of(world, 2))]
    )


def test_one_that_was_silent_is_taken_back_in_silence(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """Nobody was told of it by its id, so nobody is told that it was wrong."""
    world.a_recipient("boss", receiver.url)
    second = called_off(2, 1, hour=12)
    world.tell(*called_off(1, 1), *second)
    assert len(got(world, receiver)) == 1
    world.tell(retracted(second[-1], an.on(1, 14)))
    assert len(got(world, receiver)) == 1


def test_whom_the_first_concerns_is_told_of_the_next(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """A speaking alert that must be withheld speaks to nobody: the next of the group does."""
    world.a_recipient("boss", receiver.url, person="th_boss")
    world.tell(*called_off(1, 1), *called_off(2, 1, hour=12))
    first, second = alert_of(world, 1), alert_of(world, 2)
    _concern(world, first, "th_boss")
    assert got(world, receiver) == [(OPENED, second)]


def test_what_rose_since_is_not_told_from_its_beginning(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """One that was silent and then told for itself says enough, where the first is taken back."""
    world.a_recipient("boss", receiver.url)
    first = called_off(1, 1)
    world.tell(*first)
    world.tell(*called_off(2, 1, hour=12))
    world.tell(*called_off(2, 1.1, n=2, hour=12))
    wrong, rose = alert_of(world, 1), alert_of(world, 2)
    before = [(OPENED, wrong), (ESCALATED, rose)]
    assert got(world, receiver) == before
    world.tell(retracted(first[-1], an.on(1, 20)))
    assert got(world, receiver) == [*before, (RETRACTED, wrong)]


def test_the_most_urgent_speaks_next(world: AlertsWorld, receiver: Receiver) -> None:
    """Where the first is taken back, nothing urgent is left to a milder one that came before."""
    world.a_recipient("boss", receiver.url)
    first = called_off(1, 1, n=3)
    world.tell(*first)
    world.tell(*called_off(2, 1, hour=12))
    world.tell(*called_off(3, 1, n=3, hour=14))
    wrong = alert_of(world, 1)
    assert got(world, receiver) == [(OPENED, wrong)]
    world.tell(*(retracted(one, an.on(1, 20)) for one in first[1::2]))
    assert sorted(got(world, receiver)) == sorted(
        [(OPENED, wrong), (RETRACTED, wrong), (OPENED, alert_of(world, 3))]
    )
    assert statuses(world).count(GROUPED) == 1


def test_another_speaks_for_who_wants_no_alerts(world: AlertsWorld, receiver: Receiver) -> None:
    """What was held of the first is told no more, so the next is; never one who left as well."""
    world.deliver_by(daily_cap=0)
    world.a_recipient("boss", receiver.url)
    for client in (1, 2, 3):
        world.tell(*called_off(client, 1, hour=9 + client))
    for client in (2, 1):
        said = an.a_consent("withdrawn", an.on(1, 13), "alerts", client=f"cl_{client}")
        world.tell(replace(said, recorded_at=an.on(1, 13)))
    assert got(world, receiver) == [(OPENED, alert_of(world, 3))]


@pytest.mark.parametrize("first", ["leaves as well", "is taken back"])
def test_nobody_speaks_who_leaves_in_the_same_batch(
    world: AlertsWorld, receiver: Receiver, first: str
) -> None:
    """Of what is learnt together nobody is told of who wants no alerts; the next one is told."""
    world.deliver_by(daily_cap=0)
    world.a_recipient("boss", receiver.url)
    opened = called_off(1, 1)
    for some in (opened, called_off(2, 1, hour=11), called_off(3, 1, hour=12)):
        world.tell(*some)
    at = an.on(1, 13)
    said = {n: an.a_consent("withdrawn", at, "alerts", client=f"cl_{n}") for n in (1, 2)}
    gone = said[1] if first == "leaves as well" else retracted(opened[-1], at)
    world.tell(*(replace(one, recorded_at=at) for one in (gone, said[2])))
    assert got(world, receiver) == [(OPENED, alert_of(world, 3))]


def test_what_was_told_before_there_were_groups_is_taken_back(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """An alert of an earlier version names no group; that it was wrong is told all the same."""
    world.a_recipient("boss", receiver.url)
    first = called_off(1, 1)
    world.tell(*first)
    (told,) = got(world, receiver)
    _without_group(world)
    world.tell(retracted(first[-1], an.on(1, 14)))
    assert got(world, receiver) == [told, (RETRACTED, told[1])]


def _without_group(world: AlertsWorld) -> None:
    """Let every step be as it was written before there were groups."""
    with world.db.write() as db:
        for row in db.execute(select(STEPS)).all():
            body = {name: said for name, said in orjson.loads(row.body).items() if name != "group"}
            which = STEPS.c.alert == row.alert, STEPS.c.number == row.number
            db.execute(STEPS.update().where(*which).values(body=orjson.dumps(body)))
        db.execute(LEDGER.update().values(group_id=None))


def _concern(world: AlertsWorld, alert: str, person: str) -> None:
    """Note that an alert has come to concern somebody, as a later step of it would."""
    with world.db.write() as db:
        db.execute(STEPS.update().where(STEPS.c.alert == alert).values(concerned=[person]))


@pytest.mark.parametrize(
    "db", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)
def test_what_falls_silent_meanwhile_is_told(world: AlertsWorld, receiver: Receiver) -> None:
    """One watcher lets an alert be silent under another that a second takes back: it is told."""
    world.a_recipient("boss", receiver.url)
    first = called_off(1, 1, hour=9)
    world.tell(*first)
    told = got(world, receiver)
    other = elsewhere(world)
    taken_back = retracted(first[-1], an.on(1, 12))
    at_once(world, called_off(other, 1, hour=11), other, taken_back, 1)
    since = got(world, receiver)[len(told) :]
    assert sorted(since) == [(OPENED, alert_of(world, other)), (RETRACTED, told[0][1])]


@pytest.mark.parametrize(
    "db", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)
def test_what_holds_again_meanwhile_is_told(world: AlertsWorld, receiver: Receiver) -> None:
    """One watcher takes the speaking alert back; a second learns that a silent one holds still."""
    world.a_recipient("boss", receiver.url)
    first, other = called_off(1, 1, hour=9), elsewhere(world)
    world.tell(*first, *called_off(other, 1, hour=11))
    told = got(world, receiver)
    ended = held(3, client=f"cl_{other}")
    world.tell(replace(ended, recorded_at=an.on(3)))
    at_once(world, [retracted(first[-1], an.on(60))], 1, retracted(ended, an.on(60)), other)
    since = got(world, receiver)[len(told) :]
    assert sorted(since) == [(OPENED, alert_of(world, other)), (RETRACTED, told[0][1])]


def elsewhere(world: AlertsWorld) -> int:
    """Return a client whose facts stand in another partition than those of the first."""
    return next(one for one in range(2, 99) if partition_of(world, one) != partition_of(world, 1))


def at_once(
    world: AlertsWorld, facts: Sequence[Envelope], of: int, another: Envelope, whose: int
) -> None:
    """Let two watchers handle facts of two clients: the second reads before the first is done."""
    with closing(Database(world.db.url)) as database, ThreadPoolExecutor(1) as pool:
        with world.db.write() as db:
            handled(world, db, facts, partition_of(world, of))
            taking = pool.submit(taken, world, database, another, partition_of(world, whose))
            while not (taking.done() or waiting(database)):
                time.sleep(0.01)
        taking.result()


def partition_of(world: AlertsWorld, client: int) -> int:
    """Return where the facts of a client stand."""
    return partitioning.partition_of(key_of(world.organisation, f"cl_{client}"), PARTITIONS)


def handled(
    world: AlertsWorld, db: Connection, envelopes: Sequence[Envelope], partition: int
) -> None:
    """Handle facts as a watcher of their partition does, in somebody's transaction."""
    watcher = Watcher(world.rules, world.office.accounts.recipients)
    items: list[Item] = []
    for number, envelope in enumerate(map(world.placed, envelopes)):
        out = encode(envelope, EVENTS)
        record = Record(EVENTS, partition, 1_000 + number, out.key, out.value, out.headers,
                        envelope.recorded_at)  # fmt: skip
        items.append(Item(record, decode(record)))
    watcher.handle(db, items, frozenset())


def taken(world: AlertsWorld, database: Database, envelope: Envelope, partition: int) -> None:
    """Handle a retraction in a transaction of its own."""
    with database.write() as db:
        handled(world, db, [envelope], partition)


def waiting(database: Database) -> bool:
    """Return whether somebody waits for a lock."""
    with database.read() as db:
        return bool(db.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))

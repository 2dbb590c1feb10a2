"""Alerts of one therapist's absence are told once: one notice speaks for its group."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import datetime
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
from tests.support.alerting import PARTITIONS, AlertsWorld
from tests.support.databases import DIALECTS, migrated, url_of
from tests.support.receiver import Receiver

OPENED, ESCALATED = "rapport.alert.opened", "rapport.alert.escalated"
RETRACTED = "rapport.alert.retracted"


@pytest.fixture(params=DIALECTS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AlertsWorld]:
    """Yield a world with an armed clinic in London."""
    with migrated(url_of(request, tmp_path)) as db:
        made = AlertsWorld(db, tmp_path, rules=(Cancelled(),))
        made.arm()
        yield made
        made.close()


def called_off(client: int, day: float, n: int = 1, hour: float = 10) -> list[Envelope]:
    """Return sessions of a day's week that the therapist cancelled, booked the day before."""
    made: list[Envelope] = []
    for number in range(n):
        ref, who = f"s{client}-{day}-{number}", {"client": f"cl_{client}"}
        at = an.on(day, hour, number)
        made.append(an.a_session_scheduled(ref, an.on(day, 15), at=an.on(day - 1), **who))
        made.append(an.a_session_cancelled(ref, at=at, by="therapist", recorded_at=at, **who))
    return made


def alert_of(world: AlertsWorld, client: int) -> str:
    """Return the alert of a client."""
    (found,) = [one["id"] for one in world.shown() if one["client"] == f"cl_{client}"]
    return str(found)


def got(world: AlertsWorld, receiver: Receiver) -> list[tuple[str, str]]:
    """Return type and alert of everything that reached the receiver."""
    world.deliver()
    return [(one.body["type"], one.body["data"]["alert"]) for one in receiver.messages]


def statuses(world: AlertsWorld) -> list[str]:
    """Return what became of telling recipients."""
    return sorted(status for _, status in world.told())


def retracted(of: Envelope, at: datetime) -> Envelope:
    """Return a retraction that is told at once."""
    return an.a_retraction(of, at=at, recorded_at=at)


def test_one_notice_speaks_for_a_group(world: AlertsWorld, receiver: Receiver) -> None:
    """Three clients of one absence: the first is told, and names the group by which to ask."""
    world.a_recipient("boss", receiver.url)
    for client in (1, 2, 3):
        world.tell(*called_off(client, 1, hour=9 + client))
    assert got(world, receiver) == [(OPENED, alert_of(world, 1))]
    group = receiver.messages[0].body["data"]["group"]
    assert len(world.alerts(f"?group={group}")) == 3
    assert world.alerts("?group=another") == []
    assert statuses(world) == [GROUPED, GROUPED, "sent"]
    asked = world.get(f"/v1/alerts/{alert_of(world, 2)}").json
    assert asked is not None
    assert [one["under"] for one in asked["deliveries"]] == [alert_of(world, 1)]


def test_what_is_decided_together_is_one_notice(world: AlertsWorld, receiver: Receiver) -> None:
    """In one batch the most urgent speaks, and nobody is told of the milder one before it."""
    world.a_recipient("boss", receiver.url)
    both = [*called_off(1, 1), *called_off(2, 1, n=3)]
    world.tell(*both)
    assert got(world, receiver) == [(OPENED, alert_of(world, 2))]


def test_it_takes_one_place_of_the_day(world: AlertsWorld, receiver: Receiver) -> None:
    """Those that it speaks for do not use up the day's share."""
    world.deliver_by(daily_cap=2)
    world.a_recipient("boss", receiver.url)
    for client in (1, 2, 3):
        world.tell(*called_off(client, 1, hour=9 + client))
    world.tell(an.a_session_cancelled("other", at=an.on(1, 14), by="therapist", client="cl_9",
                                      therapist="th_other", recorded_at=an.on(1, 14)))  # fmt: skip
    assert got(world, receiver) == [(OPENED, alert_of(world, 1)), (OPENED, alert_of(world, 9))]


def test_what_is_more_urgent_is_told_all_the_same(world: AlertsWorld, receiver: Receiver) -> None:
    """A milder notice speaks for nothing urgent; an urgent one for both."""
    world.a_recipient("boss", receiver.url)
    world.tell(*called_off(1, 1))
    world.tell(*called_off(2, 1, n=3, hour=11))
    world.tell(*called_off(3, 1, n=3, hour=13))
    told = [alert for _, alert in got(world, receiver)]
    assert told == [alert_of(world, 1), alert_of(world, 2)]


def test_after_a_week_a_group_is_told_again(world: AlertsWorld, receiver: Receiver) -> None:
    """One absence that goes on: a second notice seven days after the first, not before."""
    away = an.a_therapist_away("2026-01-05", "2026-03-01", at=an.on(0), sender="rapport")
    world.tell(away)
    world.a_recipient("boss", receiver.url)
    world.tell(*called_off(1, 1, hour=10))
    world.tell(*called_off(2, 8, hour=9.9))
    assert len(got(world, receiver)) == 1
    world.tell(*called_off(3, 8, hour=10))
    assert got(world, receiver)[1:] == [(OPENED, alert_of(world, 3))]


def test_other_weeks_are_other_groups(world: AlertsWorld, receiver: Receiver) -> None:
    """Without an announced absence each week is told by itself."""
    world.a_recipient("boss", receiver.url)
    world.tell(*called_off(1, 5))
    world.tell(*called_off(2, 7))
    assert len(got(world, receiver)) == 2


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


def test_reading_again_tells_nothing(world: AlertsWorld, receiver: Receiver) -> None:
    """The stream read anew, what spoke and what was silent stay as they were."""
    world.a_recipient("boss", receiver.url)
    for client in (1, 2, 3):
        world.tell(*called_off(client, 1, hour=9 + client))
    told, before = got(world, receiver), world.ledger()
    world.begun_again(batch_limit=1)
    world.settle()
    assert (got(world, receiver), world.ledger()) == (told, before)


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


def test_a_silent_one_that_rose_is_told_as_it_is(world: AlertsWorld, receiver: Receiver) -> None:
    """It rose in silence as well: where the first is taken back, that is what is told."""
    world.a_recipient("boss", receiver.url)
    first = called_off(1, 1, n=3)
    world.tell(*first)
    world.tell(*called_off(2, 1, hour=12))
    world.tell(*called_off(2, 1.1, n=2, hour=12))
    wrong = alert_of(world, 1)
    world.tell(*(retracted(one, an.on(1, 20)) for one in first[1::2]))
    assert sorted(got(world, receiver)) == [(ESCALATED, alert_of(world, 2))]
    assert alert_of(world, 2) != wrong


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
    "world", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)
def test_what_falls_silent_meanwhile_is_told(world: AlertsWorld, receiver: Receiver) -> None:
    """One watcher lets an alert be silent under another that a second takes back: it is told."""
    world.a_recipient("boss", receiver.url)
    first = called_off(1, 1, hour=9)
    world.tell(*first)
    told = got(world, receiver)
    place = partition_of(world, 1)
    other = next(one for one in range(2, 99) if partition_of(world, one) != place)
    taken_back = retracted(first[-1], an.on(1, 12))
    with closing(Database(world.db.url)) as database, ThreadPoolExecutor(1) as pool:
        with world.db.write() as db:
            handled(world, db, called_off(other, 1, hour=11), partition_of(world, other))
            taking = pool.submit(taken, world, database, taken_back, place)
            while not (taking.done() or waiting(database)):
                time.sleep(0.01)
        taking.result()
    since = got(world, receiver)[len(told) :]
    assert sorted(since) == [(OPENED, alert_of(world, other)), (RETRACTED, told[0][1])]


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

"""What was history is told once, when a backfill is over: one summary per clinic and recipient."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.alerts import summaries
from services.alerts.ledger import COLLECTED, LEDGER, STEPS, SUMMED_UP
from services.alerts.outbox import untold
from shared.clock import format_time
from tests.support import events as an
from tests.support.alerting import AlertsWorld, cancellations, held
from tests.support.databases import DIALECTS, migrated, url_of
from tests.support.receiver import Receiver

SUMMARY = "rapport.alert.summary"
BERT = "cl_bert"
DAY = timedelta(days=1)


@pytest.fixture(params=DIALECTS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AlertsWorld]:
    """Yield a world with an armed clinic in which it is the 17th day."""
    with migrated(url_of(request, tmp_path)) as db:
        made = AlertsWorld(db, tmp_path)
        made.arm()
        made.clock.set(an.on(17))
        yield made
        made.close()


def got(world: AlertsWorld, receiver: Receiver) -> list[dict[str, Any]]:
    """Return the bodies of everything that reached the receiver."""
    world.deliver()
    return [message.body for message in receiver.messages]


def waiting(world: AlertsWorld) -> int:
    """Return how many alerts wait for their summary."""
    with world.db.read() as db:
        return summaries.waiting_history(db, world.organisation)


def test_what_still_holds_is_named_once(world: AlertsWorld, receiver: Receiver) -> None:
    """A day after the last of it, and never again; what ended meanwhile is not named."""
    world.a_recipient("boss", receiver.url)
    world.tell(*cancellations(1, recorded_at=an.on(17)))
    world.tell(*cancellations(1, client=BERT, recorded_at=an.on(17)))
    world.tell(*cancellations(1, client="cl_carl", recorded_at=an.on(17)))
    world.tell(held(17, client="cl_carl"))
    world.tick(0.9)
    assert got(world, receiver) == []
    world.live(3)
    open_now = sorted(one["id"] for one in world.alerts(query="?state=open"))
    [told] = got(world, receiver)
    assert told["type"] == "rapport.alert.summary"
    assert told["data"] == {"clinic": an.CLINIC, "alerts": open_now}
    assert len(open_now) == 2
    assert waiting(world) == 0
    world.live(3)
    assert len(got(world, receiver)) == 1


def test_what_rose_in_history_is_named_once(world: AlertsWorld, receiver: Receiver) -> None:
    """Its beginning and its rise both were history: they are one alert all the same."""
    world.a_recipient("boss", receiver.url)
    for one in cancellations(3, first=-3, recorded_at=an.on(17)):
        world.tell(one)
    world.live(2)
    [told] = got(world, receiver)
    assert told["data"]["alerts"] == [one["id"] for one in world.shown()]


@pytest.mark.parametrize("over_when", ["at once", "before its summary"])
def test_history_that_was_over_and_holds_again_is_named(
    world: AlertsWorld, receiver: Receiver, over_when: str
) -> None:
    """What had ended it proves wrong, before anybody was told: its summary is still to come."""
    world.a_recipient("boss", receiver.url)
    ended = replace(held(3), recorded_at=an.on(17))
    both = [*cancellations(1, recorded_at=an.on(17)), ended]
    for some in [both] if over_when == "at once" else [[one] for one in both]:
        world.tell(*some)
    world.live(2)
    assert world.the_alert()["state"] == "resolved"
    at = world.clock.now()
    world.tell(an.a_retraction(ended, at=at, recorded_at=at))
    assert world.the_alert()["state"] == "open"
    world.live(2)
    before = world.ledger()
    world.begun_again(batch_limit=1)
    world.live(2)
    assert world.ledger() == before
    told = [one["data"] for one in got(world, receiver) if one["type"] == SUMMARY]
    assert told == [{"clinic": an.CLINIC, "alerts": [world.the_alert()["id"]]}]


def test_a_summary_of_an_earlier_version_tells_the_rest(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """It settled its rows as it was written; what concerns its reader is left out all the same."""
    world.a_recipient("boss", receiver.url, person="th_boss")
    world.tell(*cancellations(1, recorded_at=an.on(17)))
    world.tell(*cancellations(1, client=BERT, recorded_at=an.on(17)))
    world.live(2)
    [mine] = [one["id"] for one in world.shown() if one["client"] == BERT]
    with world.db.write() as db:
        named = LEDGER.c.status == COLLECTED
        db.execute(LEDGER.update().where(named).values(status=SUMMED_UP, message=None))
        db.execute(STEPS.update().where(STEPS.c.alert == mine).values(concerned=["th_boss"]))
    [told] = got(world, receiver)
    assert told["data"]["alerts"] == [one["id"] for one in world.shown() if one["id"] != mine]
    with world.db.read() as db:
        assert untold(db) == {"undeliverable": 1, "without_recipient": 0}


def test_more_history_puts_it_off(world: AlertsWorld, receiver: Receiver) -> None:
    """A backfill that goes on is not summed up in between."""
    world.a_recipient("boss", receiver.url)
    world.tell(*cancellations(1, recorded_at=an.on(17)))
    world.tick(0.8)
    at = an.on(17) + 0.8 * DAY
    world.tell(*cancellations(1, client=BERT, recorded_at=at))
    world.tick(0.5)
    assert got(world, receiver) == []
    world.live(1)
    [told] = got(world, receiver)
    assert len(told["data"]["alerts"]) == 2


def test_each_is_named_what_is_theirs(world: AlertsWorld, receiver: Receiver) -> None:
    """Another clinic's leader learns nothing; whom a matter concerns does not either."""
    world.a_recipient("there", receiver.url, clinics=["oak"])
    world.a_recipient("concerned", receiver.url, person=an.THERAPIST)
    world.tell(an.a_boundary_noted("b1", recorded_at=an.on(17), backfill=True))
    world.live(2)
    assert got(world, receiver) == []
    with world.db.read() as db:
        assert untold(db, world.organisation)["undeliverable"] == 1


def test_whoever_was_told_by_it_learns_when_it_was_wrong(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """A correction goes to everybody who was told, in whatever way."""
    world.a_recipient("boss", receiver.url)
    [cancelled] = cancellations(1, recorded_at=an.on(17))
    world.tell(cancelled)
    world.live(2)
    [summary] = got(world, receiver)
    at = world.clock.now()
    world.tell(an.a_retraction(cancelled, at=at, recorded_at=at))
    _, correction = got(world, receiver)
    assert correction["type"] == "rapport.alert.retracted"
    assert [correction["data"]["alert"]] == summary["data"]["alerts"]
    assert correction["timestamp"] >= format_time(at)[:10]

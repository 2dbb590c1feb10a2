"""Telling recipients: signed, once per id, within limits, never to whom it concerns."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import standardwebhooks
import time_machine
from sqlalchemy.exc import IntegrityError

from services.alerts import outbox
from services.alerts.ledger import LEDGER, WEBHOOK
from services.alerts.webhook import Sender
from shared.errors import DatabaseUnavailable
from shared.storage.accounts import Recipient
from shared.storage.engine import Database
from tests.support import events as an
from tests.support.alerting import AlertsWorld, armed, cancellations, sample
from tests.support.receiver import Receiver, a_receiver

BOSS = "th_boss"


@pytest.fixture
def world(db: Database, tmp_path: Path) -> Iterator[AlertsWorld]:
    """Yield a world with an armed clinic."""
    with armed(db, tmp_path) as made:
        yield made


def statuses(world: AlertsWorld) -> list[str]:
    """Return what became of everything told to recipients."""
    return [status for _, status in world.told()]


def test_a_recipient_gets_ids_alone_signed(world: AlertsWorld, receiver: Receiver) -> None:
    """A foreign library verifies the message; it holds ids and nothing that anybody wrote."""
    _, secret = world.a_recipient_with_secret("boss", receiver.url)
    world.tell(*cancellations(1))
    world.deliver()
    (message,) = receiver.messages
    with time_machine.travel(world.clock.now()):
        body = standardwebhooks.Webhook(secret).verify(message.raw, message.headers)
    alert = world.the_alert()
    assert body == message.body
    assert set(body) == {"type", "timestamp", "data"}
    assert body["type"] == "rapport.alert.opened"
    assert body["data"] == {
        "alert": alert["id"],
        "step": alert["history"][0]["id"],
        "group": alert["group"],
        "urgency": "attention",
    }
    assert message.id == alert["history"][0]["id"]
    assert statuses(world) == ["sent"]


def test_nothing_is_sent_twice(world: AlertsWorld, receiver: Receiver) -> None:
    """What was delivered is settled, however often the worker steps."""
    world.a_recipient("boss", receiver.url)
    world.tell(*cancellations(1))
    for _ in range(3):
        world.clock.advance(timedelta(days=1))
        world.deliver()
    assert len(receiver.messages) == 1


def test_the_ledger_is_unique(world: AlertsWorld) -> None:
    """The database itself refuses a second row for one alert, step, channel and recipient."""
    world.a_recipient("boss")
    world.tell(*cancellations(1))
    with world.db.read() as db:
        row = dict(db.execute(LEDGER.select().where(LEDGER.c.channel == WEBHOOK)).mappings().one())
    with pytest.raises(IntegrityError), world.db.write() as db:
        db.execute(LEDGER.insert(), [{**row, "number": 99}])


def test_retries_carry_the_same_id_and_end(world: AlertsWorld, receiver: Receiver) -> None:
    """Ten attempts over 75 hours, all under one id and with one body; then it is given up."""
    world.a_recipient("boss", receiver.url)
    receiver.mood = "failing"
    world.tell(*cancellations(1))
    for attempt, pause in enumerate(outbox.RETRY_AFTER, 1):
        world.deliver()
        assert len(receiver.messages) == attempt
        world.clock.advance(pause - timedelta(seconds=1))
        world.deliver()
        assert len(receiver.messages) == attempt
        world.clock.advance(timedelta(seconds=1))
    assert statuses(world) == ["pending"]
    world.deliver()
    assert statuses(world) == ["given_up"]
    assert len(receiver.messages) == 10
    assert len({(message.id, message.raw) for message in receiver.messages}) == 1
    assert timedelta(hours=75) < sum(outbox.RETRY_AFTER, timedelta()) < timedelta(hours=76)


@pytest.mark.parametrize("mood", ["failing", "redirecting", "dripping", "lying", "hanging"])
def test_a_bad_answer_is_a_failure_within_limits(
    world: AlertsWorld, receiver: Receiver, mood: str
) -> None:
    """Whoever fails, redirects, drips, lies or hangs is tried again later, and holds up nobody."""
    receiver.mood = mood  # type: ignore[assignment]
    world.a_recipient("boss", receiver.url)
    world.tell(*cancellations(1))
    hasty = world.another_deliverer(Sender(allow_private=True, total_timeout_s=0.5))
    began = time.monotonic()
    hasty.step(world.clock.now())
    hasty.close()
    assert time.monotonic() - began < 5
    assert statuses(world) == ["pending"]
    assert [message.path for message in receiver.messages] == ["/hook"]


def test_an_endless_answer_is_not_read(world: AlertsWorld, receiver: Receiver) -> None:
    """The status is enough; the body is left unread, whatever its size."""
    receiver.mood = "huge"
    world.a_recipient("boss", receiver.url)
    world.tell(*cancellations(1))
    world.deliver()
    assert statuses(world) == ["sent"]


def test_a_failing_recipient_delays_nobody(world: AlertsWorld, receiver: Receiver) -> None:
    """One recipient fails at every message; another has them all at once."""
    with a_receiver() as other:
        receiver.mood = "failing"
        world.a_recipient("down", receiver.url)
        world.a_recipient("well", other.url)
        world.deliver_by(daily_cap=100)
        people = [f"cl_{n}" for n in range(30)]
        for person in people:
            mine = cancellations(1, client=person, therapist=f"th_of_{person}")
            world.tell(*mine, settle=False)
        world.settle()
        for _ in range(6):
            world.deliverer.step(world.clock.now())
        assert len(other.messages) == len(people)
        assert len(receiver.messages) < len(people)


def test_private_addresses_are_blocked(world: AlertsWorld, receiver: Receiver) -> None:
    """Without leave, no message goes to this machine, nor by a name that leads to it."""
    world.a_recipient("boss", receiver.url)
    world.a_recipient("name", f"https://example.org:{receiver.port}/")
    world.tell(*cancellations(1))
    strict = world.another_deliverer(Sender(resolve=lambda _, __: ["8.8.8.8", "127.0.0.1"]))
    before = sample("rapport_deliveries_total", outcome="blocked")
    strict.step(world.clock.now())
    strict.close()
    assert receiver.messages == []
    assert sample("rapport_deliveries_total", outcome="blocked") == before + 2


def test_two_deliverers_never_send_the_same(world: AlertsWorld, receiver: Receiver) -> None:
    """A row in one's hands is nobody else's until its lease expires."""
    world.a_recipient("boss", receiver.url)
    world.tell(*cancellations(1))
    now = world.clock.now()
    with world.db.write() as db:
        (mine,) = outbox.claim(db, WEBHOOK, "me", now, 10)
    with world.db.write() as db:
        assert outbox.claim(db, WEBHOOK, "other", now, 10) == []
    with world.db.write() as db:
        (theirs,) = outbox.claim(db, WEBHOOK, "other", now + outbox.LEASE, 10)
        assert theirs.id == mine.id
        assert not outbox.still_mine(db, mine, "me", now + outbox.LEASE)


def test_who_waited_for_the_database_takes_nothing_from_others(world: AlertsWorld) -> None:
    """A claim made after one had looked at the clock, and before one could ask, holds."""
    world.a_recipient("boss")
    world.tell(*cancellations(1))
    before = world.clock.now()
    with world.db.write() as db:
        (mine,) = outbox.claim(db, WEBHOOK, "me", before + timedelta(seconds=30), 10)
    with world.db.write() as db:
        assert outbox.claim(db, WEBHOOK, "other", before, 10) == []
        assert outbox.still_mine(db, mine, "me", before + timedelta(seconds=30))


def test_a_claim_made_by_a_wrong_clock_holds_nobody_up(world: AlertsWorld) -> None:
    """A claim that ends further off than any lasts is free, whoever made it may be dead."""
    world.a_recipient("boss")
    world.tell(*cancellations(1))
    now = world.clock.now()
    with world.db.write() as db:
        (mine,) = outbox.claim(db, WEBHOOK, "me", now + timedelta(hours=3), 10)
    with world.db.write() as db:
        assert [one.id for one in outbox.claim(db, WEBHOOK, "other", now, 10)] == [mine.id]
        assert not outbox.still_mine(db, mine, "me", now)


def test_a_clock_that_was_ahead_for_a_moment_delays_no_notification(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """What is decided while the stream's time is ahead of the deliverer's is told at once."""
    world.a_recipient("boss", receiver.url)
    right = world.clock.now() + timedelta(days=2)
    world.clock.set(right + timedelta(hours=8))
    world.tick()
    world.clock.set(right)
    world.tell(*cancellations(1))
    assert world.clock.now() == right
    world.deliver()
    assert statuses(world) == ["sent"]
    assert len(receiver.messages) == 1


def test_two_deliverers_at_the_same_moment_share_nothing(world: AlertsWorld) -> None:
    """Who asks while another's claim is not committed yet gets nothing of it."""
    world.a_recipient("boss")
    world.tell(*cancellations(1))
    now = world.clock.now()
    found: list[outbox.Due] = []

    def claim_as_well() -> None:
        with world.db.write() as db:
            found.extend(outbox.claim(db, WEBHOOK, "other", now, 10))

    other = threading.Thread(target=claim_as_well)
    with world.db.write() as db:
        assert len(outbox.claim(db, WEBHOOK, "me", now, 10)) == 1
        other.start()
        other.join(0.5)  # It has looked by now, and waits for this transaction.
    other.join()
    assert found == []


def test_killed_while_sending_it_is_told_under_the_same_id(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """kill -9 between commit and answer: nothing is lost, and a repeat is known by its id."""
    world.a_recipient("boss", receiver.url)
    world.tell(*cancellations(1))
    receiver.mood = "hanging"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.deliver_once", world.db.url, str(world.folder)]
    )
    wait_for(lambda: bool(receiver.messages))
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert statuses(world) == ["pending"]
    receiver.mood = "fine"
    world.clock.set(max(world.clock.now(), an.on(0)))
    world.deliver()
    assert len(receiver.messages) == 1, "the lease of the dead is respected"
    world.clock.advance(outbox.LEASE)
    world.deliver()
    assert statuses(world) == ["sent"]
    assert len({message.id for message in receiver.messages}) == 1


def test_a_rolled_back_judgement_tells_once(world: AlertsWorld, receiver: Receiver) -> None:
    """A transaction that is lost after judging leaves nothing; the next one tells it once."""
    world.a_recipient("boss", receiver.url)
    world.tell(*cancellations(1), settle=False)

    class Lost(DatabaseUnavailable):
        """The database goes away here."""

    recipients = world.office.accounts.recipients
    calls = []

    def dying(organisation: str) -> list[Recipient]:
        calls.append(organisation)
        raise Lost

    world.office.accounts.recipients = dying  # type: ignore[method-assign]
    world.runner.close()
    world.runner = world.another_runner()
    with pytest.raises(Lost):
        world.settle()
    assert calls
    assert world.ledger() == []
    assert world.shown() == []
    world.office.accounts.recipients = recipients  # type: ignore[method-assign]
    world.runner.close()
    world.runner = world.another_runner()
    world.settle()
    world.deliver()
    assert len(receiver.messages) == 1


def wait_for(condition: object, within_s: float = 20) -> None:
    """Wait until something is so."""
    began = time.monotonic()
    while not condition():  # type: ignore[operator]
        assert time.monotonic() - began < within_s
        time.sleep(0.02)

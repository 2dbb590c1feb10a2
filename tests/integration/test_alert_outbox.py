"""What waits to be told, while time passes and while things turn out otherwise."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from services.alerts import outbox
from services.alerts.deliveries import Deliverer
from services.alerts.ledger import UNDELIVERABLE, WEBHOOK, WITHOUT_RECIPIENT
from services.alerts.webhook import Message, Sender
from shared.storage.engine import Database
from tests.support import events as an
from tests.support.alerting import DEADLINE_S, AlertsWorld, armed, cancellations, held
from tests.support.receiver import Receiver

BOSS = "th_boss"


@pytest.fixture
def world(db: Database, tmp_path: Path) -> Iterator[AlertsWorld]:
    """Yield a world with an armed clinic."""
    with armed(db, tmp_path) as made:
        yield made


def test_slow_recipients_make_no_old_signatures(world: AlertsWorld, receiver: Receiver) -> None:
    """Each attempt is signed at its own time, however long those before it took."""
    world.a_recipient("boss", receiver.url)
    for client in ("cl_a", "cl_b", "cl_c"):
        world.tell(*cancellations(1, client=client, therapist=f"th_of_{client}"))
    seconds = count(0, 20)
    slow = Deliverer(
        world.db,
        world.stream.publisher(),
        world.office.accounts.recipients,
        Sender(allow_private=True),
        publish_deadline_s=DEADLINE_S,
        stopwatch=lambda: float(next(seconds)),
    )
    slow.step(world.clock.now())
    slow.close()
    signed_at = [int(one.headers["webhook-timestamp"]) for one in receiver.messages]
    begun = int(world.clock.now().timestamp())
    assert [at - begun for at in signed_at] == [20, 80, 140]


def test_who_turns_out_to_be_concerned_is_told_no_more(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """A correction names the recipient while a message waits for its next attempt."""
    receiver.mood = "failing"
    world.a_recipient("boss", receiver.url, person=BOSS)
    noted = an.a_boundary_noted()
    world.tell(noted)
    world.deliver()
    assert len(receiver.messages) == 1
    world.tell(an.a_correction(noted, concerns=BOSS))
    receiver.mood = "fine"
    world.tick(1)
    world.deliver()
    assert len(receiver.messages) == 1
    assert [status for _, status in world.told()] == ["cancelled"]
    assert untold(world) == {UNDELIVERABLE: 1, WITHOUT_RECIPIENT: 0}


def test_a_correction_tells_nobody_whom_it_names(world: AlertsWorld, receiver: Receiver) -> None:
    """Who was told before is not told that it was taken back, once it concerns them."""
    world.a_recipient("boss", receiver.url, person=BOSS)
    other = world.a_recipient("other", receiver.url)
    noted = an.a_boundary_noted()
    world.tell(noted)
    world.deliver()
    world.tell(an.a_correction(noted, concerns=BOSS))
    world.tell(an.a_retraction(noted, at=an.on(10)))
    world.deliver()
    taken_back = [row for row in world.ledger() if row[0].startswith("retracted")]
    assert [row[2] for row in taken_back if row[1] == "webhook" and row[3] == "sent"] == [other]
    assert len(receiver.messages) == 3


def test_who_stands_in_is_told_when_it_turns_out_late(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """A notice withheld from the only recipient, whom it came to concern, goes to governance."""
    world.a_recipient("boss", "http://127.0.0.1:9/", person="th_boss")
    world.a_recipient("board", receiver.url, role="governance")
    noted = an.a_boundary_noted()
    world.tell(noted)
    world.tell(an.a_correction(noted, concerns="th_boss"))
    world.deliver()
    (message,) = receiver.messages
    assert message.body["type"] == "rapport.alert.opened"
    assert sorted(world.told()) == [("opened", "cancelled"), ("opened", "sent")]


def test_an_alert_that_reopened_is_untold_again(world: AlertsWorld) -> None:
    """What nobody could be told of counts while it stands open, for its own organisation."""
    world.a_recipient("concerned", person=an.THERAPIST)
    world.tell(*cancellations(1))
    assert untold(world) == {UNDELIVERABLE: 0, WITHOUT_RECIPIENT: 0}
    world.office.recipients.remove(world.organisation, _only(world))
    world.tell(*cancellations(1, client="cl_bert"))
    assert untold(world) == {UNDELIVERABLE: 0, WITHOUT_RECIPIENT: 1}
    wrong = held(5, client="cl_bert")
    world.tell(wrong)
    assert untold(world) == {UNDELIVERABLE: 0, WITHOUT_RECIPIENT: 0}
    world.tell(an.a_retraction(wrong))
    assert untold(world) == {UNDELIVERABLE: 0, WITHOUT_RECIPIENT: 1}
    with world.db.read() as db:
        assert outbox.untold(db, "org_another") == {UNDELIVERABLE: 0, WITHOUT_RECIPIENT: 0}
        assert outbox.untold(db) == untold(world)


def test_an_address_that_does_not_answer_gives_way(receiver: Receiver) -> None:
    """Of a name's addresses, each checked before, the next is tried."""
    sender = Sender(allow_private=True, resolve=lambda *_: ["::1", "127.0.0.1"])
    url = f"http://hook.example:{receiver.port}/hook"
    assert sender.send(url, b"secret", Message("id", b"{}"), an.on(0)) == "delivered"


def untold(world: AlertsWorld) -> dict[str, int]:
    """Return how many alerts reached nobody, by reason."""
    with world.db.read() as db:
        return outbox.untold(db, world.organisation)


def _only(world: AlertsWorld) -> str:
    (recipient,) = world.office.accounts.recipients(world.organisation)
    return recipient.id


def test_an_escalation_that_was_taken_back_is_told_when_it_really_comes(
    world: AlertsWorld,
) -> None:
    """A correction voids an urgent step; the next real one is told again, under its own id."""
    world.a_recipient("boss")
    told = cancellations(3)
    world.tell(*told)
    world.tell(an.a_retraction(told[2]))
    assert world.the_alert()["urgency"] == "attention"
    world.tell(*cancellations(1, first=8))
    alert = world.the_alert()
    assert alert["urgency"] == "urgent"
    said = [one for one in alert["history"] if one["step"] in ("opened", "escalated")]
    assert len({one["id"] for one in said}) == len(said)
    assert said[-1]["step"] == "escalated"
    world.tell(*cancellations(1, first=9))
    assert [one["step"] for one in world.the_alert()["history"]].count("escalated") == len(
        said
    ) - 1


def test_who_may_have_been_told_is_corrected(world: AlertsWorld) -> None:
    """A claim that ran out may have been sent: whoever takes it over and lets go forgets nothing.

    Else a correction would reach nobody, and the recipient go on believing what was taken back.
    """
    world.a_recipient("boss")
    fact = cancellations(1)[0]
    world.tell(fact)
    now = world.clock.now()
    with world.db.write() as db:
        assert len(outbox.claim(db, WEBHOOK, "first", now, 10)) == 1  # Sent, and died.
    with world.db.write() as db:
        (taken,) = outbox.claim(db, WEBHOOK, "second", now + outbox.LEASE, 10)
        outbox.release(db, taken, "second")
    world.tell(an.a_retraction(fact, at=an.on(2)))
    assert sorted(step for step, _ in world.told()) == ["opened", "retracted"]
    with world.db.write() as db:
        assert len(outbox.claim(db, WEBHOOK, "third", now + outbox.LEASE, 10)) >= 1

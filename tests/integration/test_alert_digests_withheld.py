"""A digest names nothing that was taken back, unwanted, or concerns its reader by then."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.alerts.ledger import UNDELIVERABLE
from services.alerts.outbox import untold
from shared.storage.engine import Database
from tests.support import events as an
from tests.support.alerting import AlertsWorld, armed
from tests.support.capping import (
    BOSS,
    DIGEST,
    OPENED,
    RULES,
    alert_of,
    alerts,
    an_alert,
    got,
    kinds,
)
from tests.support.receiver import Receiver, a_receiver


@pytest.fixture
def world(db: Database, tmp_path: Path) -> Iterator[AlertsWorld]:
    """Yield a world with an armed clinic in London."""
    with armed(db, tmp_path, RULES) as made:
        yield made


@pytest.mark.parametrize("composed", [False, True])
def test_a_digest_names_nobody_who_wants_no_alerts(
    world: AlertsWorld, receiver: Receiver, composed: bool
) -> None:
    """Who withdrew consent to alerts before it went out is not named; the others are."""
    world.deliver_by(daily_cap=0)
    world.a_recipient("boss", receiver.url)
    alerts(world, 2, an.on(1))
    if composed:
        world.live(1)
    at = world.clock.now()
    world.tell(replace(an.a_consent("withdrawn", at, "alerts", client="cl_0"), recorded_at=at))
    world.live(2)
    (told,) = got(world, receiver)
    assert told["data"]["alerts"] == [alert_of(world, 1)]


def test_what_is_taken_back_before_the_digest_is_not_named(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """A held alert that proves wrong is told to nobody; the digest names the rest."""
    world.deliver_by(daily_cap=0)
    world.a_recipient("boss", receiver.url)
    (wrong, _) = alerts(world, 2, an.on(1))
    world.tell(an.a_retraction(wrong, at=an.on(1, 12), recorded_at=an.on(1, 12)))
    world.live(2)
    (digest,) = got(world, receiver)
    assert digest["data"]["alerts"] == [alert_of(world, 1)]


def test_what_is_taken_back_before_it_is_tried_is_taken_out(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """A digest that nobody has tried to send says the rest, under another id."""
    world.deliver_by(daily_cap=0)
    world.a_recipient("boss", receiver.url)
    (wrong, _) = alerts(world, 2, an.on(1))
    world.live(2)
    at = world.clock.now()
    world.tell(an.a_retraction(wrong, at=at, recorded_at=at))
    (digest,) = got(world, receiver)
    assert digest["data"]["alerts"] == [alert_of(world, 1)]
    assert sorted(status for _, status in world.told()) == [
        "cancelled", "cancelled", "sent", "sent"
    ]  # fmt: skip


def test_who_was_told_by_a_digest_learns_that_it_was_wrong(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """Once it was tried it may have been read: the correction follows it, and never overtakes."""
    receiver.mood = "failing"
    world.deliver_by(daily_cap=0)
    world.a_recipient("boss", receiver.url)
    (wrong, _) = alerts(world, 2, an.on(1))
    world.live(2)
    tried = len(got(world, receiver))
    at = world.clock.now()
    world.tell(an.a_retraction(wrong, at=at, recorded_at=at))
    receiver.mood = "fine"
    assert len(got(world, receiver)) == tried
    world.tick(0.25)
    first, second = got(world, receiver)[tried:]
    assert (first["type"], second["type"]) == (DIGEST, "rapport.alert.retracted")
    assert second["data"]["alert"] in first["data"]["alerts"]


def test_nobody_reads_in_a_digest_of_what_concerns_them(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """What turns out to concern its reader is left out, and whoever stands in is told of it."""
    world.deliver_by(daily_cap=0)
    with a_receiver() as board:
        world.a_recipient("boss", receiver.url, person=BOSS)
        world.a_recipient("board", board.url, role="governance")
        noted = an.a_boundary_noted(at=an.on(1))
        world.tell(noted)
        alerts(world, 1, an.on(1, 11))
        world.tell(an.a_correction(noted, concerns=BOSS, at=an.on(1, 12)))
        world.live(2)
        (digest,) = got(world, receiver)
        assert digest["data"]["alerts"] == [alert_of(world, 0)]
        told = [one.body for one in board.messages]
        assert kinds(told) == [OPENED]
        assert told[0]["data"]["alert"] == world.the_alert("test-matter")["id"]


@pytest.mark.parametrize("tried", [False, True])
def test_it_is_looked_at_again_when_the_digest_goes_out(
    world: AlertsWorld, receiver: Receiver, tried: bool
) -> None:
    """A digest that names what has come to concern its reader is not sent, but the rest is."""
    receiver.mood = "failing"
    world.deliver_by(daily_cap=0)
    world.a_recipient("boss", receiver.url, person=BOSS)
    noted = an.a_boundary_noted(at=an.on(1))
    world.tell(noted)
    alerts(world, 1, an.on(1, 11))
    world.live(2)
    if tried:
        world.deliver()
    before = len(receiver.messages)
    at = world.clock.now()
    world.tell(an.a_correction(noted, concerns=BOSS, at=at, recorded_at=at))
    receiver.mood = "fine"
    world.tick(0.25)
    (digest,) = got(world, receiver)[before:]
    assert digest["data"]["alerts"] == [alert_of(world, 0)]
    with world.db.read() as db:
        assert untold(db, world.organisation)[UNDELIVERABLE] == 1


def test_a_summary_of_history_is_looked_at_again_too(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """What a summary names and has come to concern its reader is left out of it."""
    world.clock.set(an.on(17))
    world.a_recipient("boss", receiver.url, person=BOSS)
    noted = an.a_boundary_noted(recorded_at=an.on(17), backfill=True)
    late = replace(an_alert(1, an.on(1)), recorded_at=an.on(17))
    world.tell(noted, late)
    world.live(2)
    at = world.clock.now()
    world.tell(an.a_correction(noted, concerns=BOSS, at=at, recorded_at=at))
    (summary,) = got(world, receiver)
    assert summary["type"] == "rapport.alert.summary"
    assert summary["data"]["alerts"] == [alert_of(world, 1)]


def test_a_digest_for_somebody_who_is_gone_is_given_up(world: AlertsWorld) -> None:
    """What it named is given up with it: nothing waits for ever."""
    world.deliver_by(daily_cap=0)
    boss = world.a_recipient("boss")
    alerts(world, 1, an.on(1))
    world.live(2)
    world.office.recipients.remove(world.organisation, boss)
    world.deliver()
    assert [status for _, status in world.told()] == ["given_up", "given_up"]

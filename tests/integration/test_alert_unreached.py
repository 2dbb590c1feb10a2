"""Whose notice was given up was not told: whoever stands in is, where somebody must know."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.alerts import outbox
from services.alerts.ledger import UNDELIVERABLE
from shared.envelope import Envelope
from tests.support import events as an
from tests.support.alerting import AlertsWorld, armed
from tests.support.databases import migrated, sqlite_url
from tests.support.receiver import Receiver, a_receiver

BOSS, ADA = "th_boss", "th_ada"
UNREACHABLE = "https://nowhere.invalid/"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[AlertsWorld]:
    """Yield a world with an armed clinic."""
    with migrated(sqlite_url(tmp_path)) as db, armed(db, tmp_path) as made:
        yield made


@pytest.fixture
def board() -> Iterator[Receiver]:
    """Yield a running receiver of governance."""
    with a_receiver() as running:
        yield running


def told(world: AlertsWorld) -> Envelope:
    """Tell of a boundary event, and send what is to be sent; return the event."""
    noted = an.a_boundary_noted()
    world.tell(noted)
    world.deliver()
    return noted


def given_up(world: AlertsWorld) -> None:
    """Try until what nobody takes is given up."""
    for pause in (*outbox.RETRY_AFTER, timedelta(0)):
        world.deliver()
        world.clock.advance(pause)


@pytest.mark.parametrize("first", ["given up", "named"])
def test_who_was_never_reached_was_not_told(
    world: AlertsWorld, receiver: Receiver, board: Receiver, first: str
) -> None:
    """The other leader's notice is given up, before the first is named or after it."""
    world.a_recipient("boss", receiver.url, person=BOSS)
    world.a_recipient("other", UNREACHABLE, person=ADA)
    world.a_recipient("board", board.url, role="governance")
    noted = told(world)
    for what in (first, *{"given up", "named"} - {first}):
        assert board.messages == []
        if what == "named":
            world.tell(an.a_correction(noted, concerns=BOSS, recorded_at=world.clock.now()))
        else:
            given_up(world)
    world.deliver()
    assert len(board.messages) == 1
    with world.db.read() as db:
        assert outbox.untold(db, world.organisation)[UNDELIVERABLE] == 0


@pytest.mark.parametrize("how", ["failing", "removed", "in a summary"])
def test_who_stands_in_at_first_may_not_be_reached(
    world: AlertsWorld, receiver: Receiver, board: Receiver, how: str
) -> None:
    """It concerned the boss from the beginning; the other leader cannot be told: governance is."""
    world.a_recipient("boss", person=BOSS)
    other = world.a_recipient("other", receiver.url, person=ADA)
    world.a_recipient("board", board.url, role="governance")
    receiver.mood = "failing"
    late: dict[str, Any] = (
        {"recorded_at": an.on(40), "backfill": True} if how == "in a summary" else {}
    )
    world.tell(an.a_boundary_noted(concerns=BOSS, **late))
    world.live(2)
    if how == "removed":
        world.office.recipients.remove(world.organisation, other)
    given_up(world)
    assert [message.body["type"] for message in board.messages] == ["rapport.alert.opened"]


def test_of_what_was_taken_back_nobody_learns_instead(world: AlertsWorld, board: Receiver) -> None:
    """Its notice, and the word that it was wrong, are given up: governance hears of neither."""
    world.a_recipient("other", UNREACHABLE, person=ADA)
    world.a_recipient("board", board.url, role="governance")
    world.tell(an.a_retraction(told(world)))
    given_up(world)
    assert board.messages == []

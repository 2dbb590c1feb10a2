"""Alerts of one therapist's absence are told once: one notice speaks for its group."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.alerts.ledger import GROUPED
from shared.storage.engine import Database
from tests.support import events as an
from tests.support.alert_rules import Cancelled
from tests.support.alerting import AlertsWorld, armed
from tests.support.calling_off import (
    ESCALATED,
    OPENED,
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


def test_who_spoke_is_named_to_whoever_may_see_it(world: AlertsWorld) -> None:
    """An alert of another clinic that spoke for one of ours is not named to who reads ours."""
    world.arm(clinic="oak")
    world.a_recipient("boss")
    elsewhere = [replace(one, event=replace(one.event, data={**one.event.data, "clinic": "oak"}))
                 for one in called_off(1, 1)]  # fmt: skip
    world.tell(*elsewhere, *called_off(2, 1, hour=11))
    path = f"/v1/alerts/{alert_of(world, 2)}"
    for key, named in ((world.a_key(), [alert_of(world, 1)]),
                       (world.a_key(clinics=[an.CLINIC]), [None])):  # fmt: skip
        asked = world.get(path, key).json
        assert asked is not None
        assert [one["under"] for one in asked["deliveries"]] == named


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


def test_reading_again_tells_nothing(world: AlertsWorld, receiver: Receiver) -> None:
    """The stream read anew, what spoke and what was silent stay as they were."""
    world.a_recipient("boss", receiver.url)
    for client in (1, 2, 3):
        world.tell(*called_off(client, 1, hour=9 + client))
    told, before = got(world, receiver), world.ledger()
    world.begun_again(batch_limit=1)
    world.settle()
    assert (got(world, receiver), world.ledger()) == (told, before)


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

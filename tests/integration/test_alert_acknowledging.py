"""Acknowledging is each person's own; a snooze ends at its time, or with an escalation."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.alerts.alert import snooze_end
from shared.storage.engine import Database
from tests.support import events as an
from tests.support.alerting import AlertsWorld, armed, cancellations
from tests.support.receiver import Receiver

ADA, EVE = "th_ada", "th_eve"


@pytest.fixture
def world(db: Database, tmp_path: Path) -> Iterator[AlertsWorld]:
    """Yield a world with an armed clinic."""
    with armed(db, tmp_path) as made:
        yield made


def act(world: AlertsWorld, do: str, person: str | None, body: Any = None) -> Any:
    """Act on the only alert as it is; handle the event; return the answer."""
    (alert,) = world.shown()
    path, key = f"/v1/alerts/{alert['id']}", world.a_key("read", "act", person=person)
    seen = key | {"If-Match": world.get(path, key).headers["ETag"]}
    answer = world.post(f"{path}/{do}", body or {}, seen)
    assert answer.status_code == 202, answer.text
    world.clock.advance(timedelta(minutes=1))
    world.settle()
    return answer.json


def stands(world: AlertsWorld) -> tuple[list[str], list[str]]:
    """Return who has acknowledged the only alert, and who was told and has not."""
    (alert,) = world.shown()
    shown: Any = world.get(f"/v1/alerts/{alert['id']}").json
    return shown["acknowledged_by"], shown["not_acknowledged_by"]


def test_each_who_was_told_acknowledges_for_themselves(
    world: AlertsWorld, receiver: Receiver
) -> None:
    """One person's acknowledgement is nobody else's; it stays open for all of them."""
    world.a_recipient("ada", receiver.url, person=ADA)
    world.a_recipient("ada2", receiver.url, person=ADA)
    world.a_recipient("eve", receiver.url, person=EVE)
    world.a_recipient("inbox", receiver.url)
    world.a_recipient("elsewhere", receiver.url, person="th_bo", clinics=["oak"])
    world.tell(*cancellations(1))
    assert stands(world) == ([], [])
    world.deliver()
    assert stands(world) == ([], [ADA, EVE])
    assert act(world, "acknowledge", EVE)["acknowledged_by"] == [EVE]
    assert stands(world) == ([EVE], [ADA])
    act(world, "acknowledge", None)
    acknowledged, waiting = stands(world)
    assert (len(acknowledged), waiting) == (2, [ADA])
    act(world, "acknowledge", EVE)
    act(world, "acknowledge", ADA)
    acknowledged, waiting = stands(world)
    assert (acknowledged[0], acknowledged[2], waiting) == (EVE, ADA, [])
    assert world.shown()[0]["state"] == "open"


def test_an_escalation_asks_anew(world: AlertsWorld, receiver: Receiver) -> None:
    """Who saw it when it was less urgent has not seen that it is urgent."""
    world.a_recipient("ada", receiver.url, person=ADA)
    world.tell(*cancellations(1))
    world.deliver()
    act(world, "acknowledge", ADA)
    assert stands(world) == ([ADA], [])
    world.tell(*cancellations(2, first=2))
    world.deliver()
    assert world.shown()[0]["urgency"] == "urgent"
    assert stands(world) == ([ADA], [ADA])
    act(world, "acknowledge", ADA)
    assert stands(world) == ([ADA], [])


def test_whom_it_concerns_is_not_waited_for(world: AlertsWorld, receiver: Receiver) -> None:
    """They were told before they were named; now there is nothing that they could acknowledge."""
    world.a_recipient("ada", receiver.url, person=ADA)
    world.a_recipient("eve", receiver.url, person=EVE)
    noted = an.a_boundary_noted()
    world.tell(noted)
    world.deliver()
    assert stands(world) == ([], [ADA, EVE])
    world.tell(an.a_correction(noted, concerns=EVE))
    assert stands(world) == ([], [ADA])


def test_a_snooze_is_over_at_its_midnight(world: AlertsWorld) -> None:
    """Hidden at the last tick of its day, open at the first of the next, without a new fact."""
    world.tell(*cancellations(1))
    day = date(2026, 1, 8)
    act(world, "snooze", ADA, {"until": day.isoformat()})
    end = snooze_end(day, "UTC")
    for moment, state in ((end - timedelta(minutes=15), "snoozed"), (end, "open")):
        world.clock.set(moment)
        world.tick()
        assert [one["state"] for one in world.shown()] == [state]
        assert len(world.alerts("?state=open")) == (state == "open")


def test_an_escalation_ends_a_snooze_at_once(world: AlertsWorld, receiver: Receiver) -> None:
    """It is shown and told the same day, however long somebody wished to hide it."""
    world.a_recipient("ada", receiver.url, person=ADA)
    world.tell(*cancellations(1))
    act(world, "snooze", ADA, {"until": "2026-12-31"})
    assert [one["state"] for one in world.shown()] == ["snoozed"]
    world.tell(*cancellations(2, first=2))
    (alert,) = world.shown()
    assert (alert["state"], alert["snoozed_until"], alert["urgency"]) == ("open", None, "urgent")
    world.deliver()
    kinds = [message.body["type"] for message in receiver.messages]
    assert kinds == ["rapport.alert.opened", "rapport.alert.escalated"]

"""Alerts of many clients on a day, and what of them is told at once or in a digest."""

from datetime import datetime, timedelta
from typing import Any

from shared.envelope import Envelope
from tests.support import events as an
from tests.support.alert_rules import Cancelled, Mild
from tests.support.alerting import AlertsWorld
from tests.support.receiver import Receiver

DIGEST = "rapport.alert.digest"
OPENED = "rapport.alert.opened"
CAP = 5
BOSS = "th_boss"
RULES = (Cancelled(), Mild())


def an_alert(client: int, at: datetime, **stated: Any) -> Envelope:
    """Return what opens an alert of a client at attention: each of another therapist's absence."""
    who = {"client": f"cl_{client}", "therapist": f"th_{client}"}
    return an.a_session_cancelled(
        f"x{client}", at=at, by="therapist", recorded_at=at, **who, **stated
    )


def alerts(world: AlertsWorld, count: int, at: datetime, first: int = 0) -> list[Envelope]:
    """Open alerts of so many clients, a minute apart; return what opened them."""
    made = [an_alert(first + n, at + n * timedelta(minutes=1)) for n in range(count)]
    world.tell(*made)
    return made


def got(world: AlertsWorld, receiver: Receiver) -> list[dict[str, Any]]:
    """Return the bodies of everything that reached the receiver."""
    world.deliver()
    return [message.body for message in receiver.messages]


def kinds(bodies: list[dict[str, Any]]) -> list[str]:
    """Return the types of messages."""
    return [body["type"] for body in bodies]


def alert_of(world: AlertsWorld, client: int) -> str:
    """Return the alert of a client."""
    (found,) = [one["id"] for one in world.shown() if one["client"] == f"cl_{client}"]
    return str(found)


def statuses(world: AlertsWorld) -> list[str]:
    """Return what became of telling recipients, messages of many alerts aside."""
    return sorted(status for step, status in world.told() if step != "digest")

"""Sessions that a therapist calls off for several clients, and what is told of them."""

from datetime import datetime

from shared.envelope import Envelope
from tests.support import events as an
from tests.support.alerting import AlertsWorld
from tests.support.receiver import Receiver

OPENED, ESCALATED = "rapport.alert.opened", "rapport.alert.escalated"
RETRACTED = "rapport.alert.retracted"


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

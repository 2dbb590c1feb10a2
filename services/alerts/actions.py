"""What people do about an alert, as an event that goes the way of every other fact."""

import hashlib
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

import orjson

from services.alerts.alert import etag
from services.alerts.intake import FIRST, RAPPORT
from services.alerts.steps import SOURCE
from shared import ids
from shared.clock import format_time
from shared.envelope import Envelope, Event
from shared.stream import codec
from shared.stream.ports import EVENTS, Outgoing

FEED: Final = "feed"

Said = Mapping[str, Any]
"""What an action says besides the alert and who acts: ``until``, ``code`` or ``reason``."""


def record_of(
    organisation: str, alert: Mapping[str, Any], name: str, by: str, said: Said, now: datetime
) -> Outgoing:
    """Return the record of an action; done again on the same state of the alert it is the same.

    Args:
        organisation: Whose alert.
        alert: The alert as it is.
        name: ``acknowledged``, ``snoozed``, ``commented`` or ``resolved``.
        by: Opaque reference of the person.
        said: The action's own fields, as they stand in its data.
        now: The present.
    """
    data = {"alert": alert["id"], "by": by, **said}
    named = orjson.dumps([name, data], option=orjson.OPT_SORT_KEYS)
    feed = alert["family"] == FEED or alert["client"] == alert["therapist"]
    event = Event(
        type=f"alert.{name}",
        source=SOURCE,
        id=ids.derived_id("action", alert["id"], etag(alert), named.decode()),
        time=now,
        # Neither a feed nor a caseload is a client: what is done about it stands where such
        # things are judged.
        subject=None if feed else alert["client"],
        data=data,
    )
    content = hashlib.sha256(named).hexdigest()[:32]
    envelope = Envelope(organisation, RAPPORT, event, content, now)
    return codec.encode(envelope, EVENTS, FIRST if feed else None)


def foreseen(
    alert: Mapping[str, Any], name: str, by: str, said: Said, now: datetime
) -> dict[str, Any]:
    """Return the alert as it will be once the action has been read from the stream."""
    entry = {"step": name, "at": format_time(now), "by": by, **said}
    changed: dict[str, Any] = {"history": [*alert["history"], entry]}
    alive = alert["state"] in ("open", "snoozed")
    if name == "acknowledged":
        changed["acknowledged_by"] = list(dict.fromkeys([*alert["acknowledged_by"], by]))
    elif name == "snoozed" and alive:
        changed |= {"state": "snoozed", "snoozed_until": said["until"]}
    elif name == "resolved" and alive:
        changed |= {"state": "resolved", "snoozed_until": None}
    return {**alert, **changed}


def snooze_is_sensible(until: date, today: date) -> bool:
    """Return whether a snooze ends neither in the past nor later than in a year (own).

    Args:
        until: Its last day, in the clinic's zone.
        today: The day in UTC; west of it, a clinic may still have the day before.
    """
    return -1 <= (until - today).days <= 366

"""The envelope rules of contract.md: a draft's attributes, read and judged. Pure."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from shared.clock import parse_time
from shared.envelope import TYPE_PREFIX
from shared.errors import Fault
from shared.events import EVENT_TYPES, SENDER_TYPES, EventType
from shared.events.texts import AwareTime, ClientRef, EventId, Text, UriReference
from shared.values import frozen

_Value = TypeVar("_Value")

AHEAD: Final = timedelta(minutes=5)
"""How far ahead of our clock an event's time may be; later, it would disable rules in silence."""

ID: Final = EventId("Unique within the client and the source, for ever.")
SOURCE: Final = UriReference("Who says so.")
SUBJECT: Final = ClientRef("Your pseudonymous reference of the client.")
TIME: Final = AwareTime("When it happened.")
"""What the attributes take: the same fields, and so the same codes, as in the data of events."""

TYPES: Final = tuple(TYPE_PREFIX + name for name in SENDER_TYPES)
"""The types that may come from outside, as they are written in the attribute ``type``."""

_SCHEMA = re.compile(r"(?:https?://[^\s?#]+)?/schemas/([a-z_.]{1,64})/([0-9]{1,4})", re.ASCII)
_JSON = re.compile(r"application/json(?:\s*;.*)?", re.ASCII | re.IGNORECASE | re.DOTALL)


@frozen
class Attributes:
    """A draft's attributes as far as they could be read.

    Attributes:
        type: None when it is none that a sender may write; then nothing can be said of the data.
        version: Of the data's schema: what ``dataschema`` says, else the newest.
        faults: Everything that is wrong; without any, every other field is what it should be.
    """

    id: str
    source: str
    type: EventType | None
    time: datetime
    subject: str | None
    backfill: bool
    version: int
    faults: tuple[Fault, ...]


def read_attributes(given: Mapping[str, Any], now: datetime) -> Attributes:
    """Read the attributes of a draft, finding every fault in them.

    Args:
        given: By CloudEvents name, as an adapter found them.
        now: The present.
    """
    reader = _Reader(given)
    reader.required("specversion", _specversion, "")
    reader.optional("datacontenttype", _datacontenttype, "")
    event_type = reader.required("type", _type, None)
    newest = event_type.version if event_type else 0
    return Attributes(
        id=reader.required("id", _text, "", ID),
        source=reader.required("source", _text, "", SOURCE),
        type=event_type,
        time=reader.required("time", _time, now, now),
        subject=reader.optional("subject", _text, None, SUBJECT),
        backfill=reader.optional("backfill", _boolean, False),
        version=reader.optional("dataschema", _version, newest, event_type),
        faults=tuple(reader.faults),
    )


def fault_of_time(time: datetime, now: datetime) -> Fault | None:
    """Return what is wrong with a time at which something is said to have happened."""
    if time > now + AHEAD:
        return Fault("", "This is more than 5 minutes ahead of our clock.", "in_the_future")
    return None


class _Reader:
    """Reads attributes and collects what is wrong with them."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given
        self.faults: list[Fault] = []

    def required(
        self, name: str, parse: Callable[..., _Value | Fault], default: _Value, *known: Any
    ) -> _Value:
        if name not in self._given:
            self.faults.append(Fault(f"/{name}", f"{name} is required: add it.", "required"))
            return default
        return self.optional(name, parse, default, *known)

    def optional(
        self, name: str, parse: Callable[..., _Value | Fault], default: _Value, *known: Any
    ) -> _Value:
        """Return what ``parse`` reads, given the attribute and what is ``known`` besides."""
        if name not in self._given:
            return default
        read = parse(self._given[name], *known)
        if isinstance(read, Fault):
            self.faults.append(read.at(f"/{name}"))
            return default
        return read


def _specversion(value: Any) -> str | Fault:
    if value != "1.0":
        return Fault("", "Rapport reads CloudEvents 1.0.", "not_allowed", ("1.0",))
    return "1.0"


def _datacontenttype(value: Any) -> str | Fault:
    if not isinstance(value, str) or not _JSON.fullmatch(value):
        return Fault("", "Send data as JSON.", "data_not_json", ("application/json",))
    return value


def _type(value: Any) -> EventType | Fault | None:
    if not isinstance(value, str):
        return Fault("", "Send a JSON string.", "wrong_type")
    name = value.removeprefix(TYPE_PREFIX)
    known = EVENT_TYPES.get(name) if value != name else None
    if known is None:
        return Fault("", "There is no such type.", "unknown_type", TYPES)
    if known.writer != "sender":
        message = "Only Rapport itself writes this type."
        return Fault("", message, "rapport_only", TYPES)
    return known


def _text(value: Any, field: Text) -> str | Fault:
    faults = field.faults(value)
    return faults[0] if faults else str(value)


def _time(value: Any, now: datetime) -> datetime | Fault:
    text = _text(value, TIME)
    if isinstance(text, Fault):
        return text
    time = parse_time(text)
    return fault_of_time(time, now) or time


def _boolean(value: Any) -> bool | Fault:
    # The HTTP binding writes a boolean attribute as text, and some libraries as "True".
    match value.lower() if isinstance(value, str) else value:
        case True | "true":
            return True
        case False | "false":
            return False
        case _:
            return Fault("", "Send true or false.", "not_allowed", ("true", "false"))


def _version(value: Any, of: EventType | None) -> int | Fault:
    if of is None:
        return 0
    match = _SCHEMA.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[1] != of.name or not 1 <= int(match[2]) <= of.version:
        allowed = tuple(f"/schemas/{of.name}/{version + 1}" for version in range(of.version))
        return Fault("", "This type has no such schema.", "unknown_version", allowed)
    return int(match[2])

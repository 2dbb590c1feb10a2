"""Data of any event type with every field that it can have, made from its schema alone."""

from typing import Any

from shared.events import EventType
from shared.events.conditions import ExactlyOne
from shared.events.fields import Choice, Flag, Number, Value
from shared.events.schema import ListOf, MapOf, OpenObject, Part, Schema, Setting, values
from shared.events.texts import (
    AwareTime,
    ClientRef,
    Code,
    EventId,
    Language,
    LocalDate,
    PersonRef,
    Ref,
    StaffRef,
    Text,
    TimeZone,
    TypeName,
    UriReference,
)

CORRECTED = "session.missed"
"""The type that specimens of amendments amend."""

_VALUES: dict[type[Value], Any] = {
    Flag: True,
    Setting: 1.5,
    OpenObject: {"at": "2026-05-12T12:00:00Z"},
    Text: "2 of the last 8 sessions were cancelled",
    Ref: "ref-1",
    StaffRef: "th_8c41d2f09b7e6a5d4c3b2a19",
    PersonRef: "pe_0a1b2c3d4e5f60718293a4b5",
    ClientRef: "cl_3f9c2b7a1d4e5f6071829304",
    Code: "X1",
    EventId: "evt-880",
    UriReference: "/clinics/north/diary",
    Language: "en-GB",
    TypeName: CORRECTED,
    AwareTime: "2026-05-12T12:00:00Z",
    LocalDate: "2026-05-12",
    TimeZone: "Europe/Berlin",
}


def a_specimen(event_type: EventType, version: int | None = None) -> dict[str, Any]:
    """Return valid data of a type in which no field is missing that can stand beside the rest."""
    made = _object(event_type.schema_of(version or event_type.version))
    if event_type.amends == "corrects":
        made["data"] = {
            "clinic": "ref-1",
            "therapist": _VALUES[StaffRef],
            "session": "ref-1",
            "missed_by": "client",
        }
    return made


def a_value(value: Value) -> Any:
    """Return one valid value of a field."""
    match value:
        case Choice():
            return value.allowed[0]
        case Number():
            return 1 if value.least is None else value.least
        case ListOf():
            return [a_value(value.each)]
        case MapOf():
            return {"1": a_value(value.each)}
        case Part():
            return _object(value.schema)
        case _:
            return _VALUES[type(value)]


def _object(schema: type[Schema]) -> dict[str, Any]:
    made = {name: a_value(value) for name, value in values(schema).items()}
    for condition in schema.conditions:
        if isinstance(condition, ExactlyOne):
            for name in condition.names[1:]:
                del made[name]
    return made

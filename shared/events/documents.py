"""What is published about an event type: its JSON Schema (draft 2020-12), and examples.

Everything follows from the marshmallow schemas, so what is served is what ingest does. What JSON
Schema cannot say is said in descriptions: that an end does not lie before its start, that a date
is one of the calendar and a time zone one of the IANA database.
"""

import functools
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.envelope import TYPE_PREFIX
from shared.events import EVENT_TYPES, EventType, amendable
from shared.events.schema import Schema, object_schema

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_CACHED: Final = 256
"""Names come from a URL, so what is remembered has a limit; there are far fewer real ones."""


@dataclass(frozen=True, slots=True)
class Documented:
    """One version of an event type, as it is published.

    Attributes:
        schema: The JSON Schema of its data; the example is among its ``examples``.
        example: One valid data.
        event: One whole event around it, as CloudEvents structured mode sends it.
    """

    schema: Mapping[str, Any]
    example: Mapping[str, Any]
    event: Mapping[str, Any]


@functools.lru_cache(maxsize=_CACHED)
def documented(type_name: str, version: int) -> Documented | None:
    """Return what is published about a version of a type; None when there is no such version."""
    event_type = EVENT_TYPES.get(type_name)
    if event_type is None or not 1 <= version <= event_type.version:
        return None
    example = event_type.example_of(version)
    return Documented(
        _document(event_type, version), example, _event(event_type, version, example)
    )


def address(type_name: str, version: int) -> str:
    """Return where a schema is served, which is also its ``dataschema`` and its ``$id``."""
    return f"/schemas/{type_name}/{version}"


def _document(event_type: EventType, version: int) -> dict[str, Any]:
    schema = event_type.schema_of(version)
    described = object_schema(schema)
    if event_type.amends:
        _name_targets(described, corrects=event_type.amends == "corrects")
    return {
        "$schema": DIALECT,
        "$id": address(event_type.name, version),
        "title": TYPE_PREFIX + event_type.name,
        "description": f"{_sentence(schema)} Its `time` is {event_type.time_means}.",
        **described,
        "examples": [event_type.example_of(version)],
    }


def _sentence(schema: type[Schema]) -> str:
    return " ".join(inspect.cleandoc(schema.__doc__ or "").split())


def _name_targets(described: dict[str, Any], *, corrects: bool) -> None:
    """Say which types can be amended, and that a correction's data follow the target's type."""
    names = amendable(corrects=corrects)
    target = described["properties"]["target"]
    event = target["oneOf"][0] if "oneOf" in target else target
    named = event["properties"]["type"]
    spellings = [_spellings(name) for name in names]
    event["properties"]["type"] = {
        "description": named["description"],
        "type": "string",
        "enum": [spelling for both in spellings for spelling in both],
    }
    if corrects:
        described["allOf"] = [_follows(name) for name in names]


def _spellings(name: str) -> Sequence[str]:
    return (TYPE_PREFIX + name, name)


def _follows(name: str) -> dict[str, Any]:
    of_type = {
        "type": "object",
        "properties": {"type": {"enum": list(_spellings(name))}},
        "required": ["type"],
    }
    return {
        "if": {"properties": {"target": of_type}, "required": ["target"]},
        "then": {"properties": {"data": {"$ref": address(name, EVENT_TYPES[name].version)}}},
    }


def _event(event_type: EventType, version: int, example: Mapping[str, Any]) -> dict[str, Any]:
    subject = {} if event_type.scope == "clinic" else {"subject": "c-1024"}
    return {
        "specversion": "1.0",
        "id": f"{event_type.name}/1",
        "source": "/clinics/north/diary",
        "type": TYPE_PREFIX + event_type.name,
        "time": "2026-05-12T14:51:00+02:00",
        **subject,
        "datacontenttype": "application/json",
        "dataschema": address(event_type.name, version),
        "data": example,
    }

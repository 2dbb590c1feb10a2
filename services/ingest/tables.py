"""Rows of a table → drafts: one event a row, its data by columns. Pure.

Columns ``type``, ``subject``, ``time``, ``id`` and ``source`` are the event's own; others are a
field of its data: nested by dots (``items.1``, ``measures.0.instrument``), lists by ``;``. What a
text means is said by the schema of the type; what cannot mean it stays text, and is refused.
"""

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from services.ingest.adapter import Draft
from shared.envelope import TYPE_PREFIX
from shared.errors import Fault
from shared.events import EVENT_TYPES
from shared.events.documents import documented

OWN: Final = ("type", "subject", "time", "id", "source")
REQUIRED: Final = ("type", "time")
SEPARATOR: Final = ";"

_Schema = Mapping[str, Any]

_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?", re.ASCII)


def read_row(row: Mapping[str, str]) -> Draft:
    """Return the draft that a row tells.

    Args:
        row: Column → text; an empty text is as good as left out. A type may be written without
            its prefix.
    """
    given = {column: text.strip() for column, text in row.items() if text.strip()}
    name = given.get("type", "").removeprefix(TYPE_PREFIX)
    attributes: dict[str, Any] = {column: given[column] for column in OWN if column in given}
    attributes["specversion"] = "1.0"
    if name in EVENT_TYPES:
        attributes["type"] = TYPE_PREFIX + name
    cells = {column: text for column, text in given.items() if column not in OWN}
    target = given.get("target.type", "").removeprefix(TYPE_PREFIX)
    return Draft(attributes, _nested(cells, name, target), "", _locate_cell)


def _nested(cells: Mapping[str, str], name: str, target: str) -> Any:
    data: dict[str, Any] = {}
    for column, text in cells.items():
        steps = column.split(".")
        place = data
        for step in steps[:-1]:
            # A column that is both a value and an object: the later one wins, and is refused.
            inner = place.get(step)
            place[step] = place = inner if isinstance(inner, dict) else {}
        place[steps[-1]] = _meant(text, _schema_at(name, target, tuple(steps)))
    return _with_lists(data, _schema_at(name, target, ()))


@functools.lru_cache(maxsize=4_096)
def _schema_at(name: str, target: str, steps: tuple[str, ...]) -> _Schema:
    """Return the schema of one field of a type; ``{}`` where there is none."""
    event_type = EVENT_TYPES.get(name)
    if event_type is None:
        return {}
    if event_type.amends == "corrects" and steps[:1] == ("data",):
        # The new data of a correction are those of the type that it corrects.
        return _schema_at(target, "", steps[1:])
    published = documented(name, event_type.version)
    schema: _Schema = published.schema if published else {}
    for step in steps:
        schema = _member(schema, step)
    return schema


def _member(schema: _Schema, step: str) -> _Schema:
    for form in _forms(schema):
        if step in form.get("properties", {}):
            found: _Schema = form["properties"][step]
            return found
        below = form.get("items" if form.get("type") == "array" else "additionalProperties")
        if isinstance(below, Mapping):
            return below
    return {}


def _forms(schema: _Schema) -> Sequence[_Schema]:
    forms: Sequence[_Schema] = schema.get("anyOf") or schema.get("oneOf") or (schema,)
    return forms


def _meant(text: str, schema: _Schema) -> Any:
    """Return what a text means by the schema of its field, the narrowest meaning first."""
    many = SEPARATOR in text
    order = {"number": 0, "integer": 0, "boolean": 0, "array": 1 if many else 3, "string": 2}
    for form in sorted(_forms(schema), key=lambda form: order.get(form.get("type", ""), 4)):
        match form.get("type"):
            case "number" | "integer" if _NUMBER.fullmatch(text):
                return float(text) if "." in text else int(text)
            case "boolean" if text.lower() in ("true", "false"):
                return text.lower() == "true"
            case "array":
                return [_meant(part.strip(), form["items"]) for part in text.split(SEPARATOR)]
            case "string":
                return text
    return text


def _with_lists(value: Any, schema: _Schema) -> Any:
    """Turn ``{"0": …, "1": …}`` into a list where the schema wants one."""
    if not isinstance(value, dict):
        return value
    members = {step: _with_lists(inner, _member(schema, step)) for step, inner in value.items()}
    numbered = sorted(members, key=lambda step: (len(step), step))
    if schema.get("type") == "array" and numbered == [str(i) for i in range(len(numbered))]:
        return [members[step] for step in numbered]
    return members


def _locate_cell(fault: Fault) -> Fault:
    """Name the column instead of the place in the event."""
    column = fault.pointer.removeprefix("/data").removeprefix("/").replace("/", ".")
    return replace(fault, pointer=column)

"""Strategies for what the published JSON Schemas accept, and for what lies just beside it."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from shared.events import EVENT_TYPES
from shared.events.documents import documented

Json = Any

JUNK: tuple[Json, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2.5,
    3.0,
    10**9,
    "",
    "3",
    "true",
    "ref-1",
    "She told me about her divorce.",
    "bell\u0007",
    "x" * 300,
    "2026-05-03",
    "2026-02-30",
    "2026-05-03T14:00:00",
    "2026-05-03T14:00:00+02:00",
    "rapport.session.held",
    "Europe/Paris",
    [],
    ["client"],
    [None],
    {},
    {"1": None},
    {"id": "1", "type": "session.held"},
    {"kind": "session", "ref": "s-1"},
)


def published(name: str, version: int) -> Mapping[str, Any]:
    """Return a published JSON Schema."""
    found = documented(name, version)
    assert found is not None
    return found.schema


def _resources() -> Registry[Any]:
    everything = Registry[Any]()
    for name, event_type in EVENT_TYPES.items():
        for version in range(1, event_type.version + 1):
            schema = published(name, version)
            everything = everything.with_resource(
                schema["$id"], DRAFT202012.create_resource(schema)
            )
    return everything


def validators() -> dict[str, Draft202012Validator]:
    """Return an independent validator per type and version, able to follow references."""
    resources = _resources()
    return {
        f"{name}.{version}": Draft202012Validator(published(name, version), registry=resources)
        for name, event_type in EVENT_TYPES.items()
        for version in range(1, event_type.version + 1)
    }


@functools.cache
def accepted(name: str, version: int) -> st.SearchStrategy[Json]:
    """Return data that a type's published schema accepts, conditions between fields aside."""
    return accepted_by(published(name, version))


def accepted_by(schema: Mapping[str, Any]) -> st.SearchStrategy[Json]:
    """Return values that a schema accepts, its ``allOf`` aside."""
    for alternatives in ("oneOf", "anyOf"):
        if alternatives in schema:
            return st.one_of([accepted_by(one) for one in schema[alternatives]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    made: dict[str, Callable[[Mapping[str, Any]], st.SearchStrategy[Json]]] = {
        "string": _string,
        "integer": _integer,
        "number": _number,
        "boolean": lambda _: st.booleans(),
        "array": _array,
        "object": _object,
        "null": lambda _: st.none(),
    }
    return made[schema["type"]](schema)


def _string(schema: Mapping[str, Any]) -> st.SearchStrategy[Json]:
    shaped = st.from_regex(schema["pattern"], fullmatch=True).filter(
        lambda text: len(text) <= schema.get("maxLength", 1000)
    )
    if schema.get("format") == "date":
        return st.dates().map(str) | shaped
    if schema.get("format") == "date-time":
        offsets = st.sampled_from(["Z", "z", "+02:00", "-11:30"])
        known = st.datetimes().map(lambda moment: moment.isoformat(timespec="microseconds"))
        return st.tuples(known, offsets).map("".join) | shaped
    return shaped


def _integer(schema: Mapping[str, Any]) -> st.SearchStrategy[Json]:
    whole = st.integers(schema.get("minimum", -(10**6)), schema.get("maximum", 10**6))
    return whole | whole.map(float)


def _number(schema: Mapping[str, Any]) -> st.SearchStrategy[Json]:
    least, most = schema.get("minimum"), schema.get("maximum")
    return _integer(schema) | st.floats(least, most, allow_nan=False, allow_infinity=False)


def _array(schema: Mapping[str, Any]) -> st.SearchStrategy[Json]:
    least = schema.get("minItems", 0)
    return st.lists(accepted_by(schema["items"]), min_size=least, max_size=least + 3)


def _object(schema: Mapping[str, Any]) -> st.SearchStrategy[Json]:
    if "additionalProperties" not in schema:
        return st.sampled_from([{}, {"clinic": "north"}])
    if "properties" not in schema:
        names = st.from_regex(schema["propertyNames"]["pattern"], fullmatch=True)
        each = accepted_by(schema["additionalProperties"])
        return st.dictionaries(names, each, min_size=schema["minProperties"], max_size=4)
    fields = {name: accepted_by(one) for name, one in schema["properties"].items()}
    required = {name: fields.pop(name) for name in schema["required"]}
    return st.fixed_dictionaries(required, optional=fields)


@st.composite
def spoilt(draw: st.DrawFn, data: Json) -> Json:
    """Return ``data`` with one thing changed anywhere in it: left out, added, or replaced."""
    steps = draw(st.sampled_from(list(_places(data)) or [()]))
    change = draw(st.sampled_from(["replace", "remove", "add"]))
    return _changed(
        data, steps, functools.partial(_edit, change=change, junk=draw(st.sampled_from(JUNK)))
    )


def _places(data: Json, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = data.items() if isinstance(data, dict) else enumerate(data)
    found = []
    for step, held in inner:
        found.append((*path, step))
        if isinstance(held, dict | list):
            found += _places(held, (*path, step))
    return found


def _edit(container: Json, step: Any, *, change: str, junk: Json) -> None:
    if change == "add" and isinstance(container, dict):
        container["note"] = junk
    elif change == "remove":
        del container[step]
    else:
        container[step] = junk


def _changed(data: Json, steps: tuple[Any, ...], edit: Any) -> Json:
    if not steps:
        return data
    copy = dict(data) if isinstance(data, dict) else list(data)
    if len(steps) == 1:
        edit(copy, steps[0])
    else:
        copy[steps[0]] = _changed(copy[steps[0]], steps[1:], edit)
    return copy

"""Where the data of an event names people, and the data with opaque ids in their place."""

import functools
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from typing import Any

from shared.events.fields import Value
from shared.events.schema import ListOf, Part, Schema, values
from shared.values import frozen

Path = tuple[str | int, ...]


@frozen
class Reference:
    """One place in an event's data that names somebody.

    Attributes:
        path: From the data to the place.
        register: ``cl`` for a client, ``th`` for staff, ``pe`` for a respondent.
        text: The reference as sent.
    """

    path: Path
    register: str
    text: str


def references_in(schema: type[Schema], data: Mapping[str, Any]) -> Iterator[Reference]:
    """Yield every reference in data that is valid by ``schema``, in the order of its fields."""
    for name, value in _naming(schema):
        if name in data:
            yield from _found(value, data[name], (name,))


@functools.cache
def _naming(schema: type[Schema]) -> tuple[tuple[str, Value], ...]:
    return tuple((name, value) for name, value in values(schema).items() if _names(value))


def _names(value: Value) -> bool:
    if isinstance(value, ListOf):
        return _names(value.each)
    if isinstance(value, Part):
        return bool(_naming(value.schema))
    return value.register is not None


def _found(value: Value, held: Any, path: Path) -> Iterator[Reference]:
    if isinstance(value, ListOf):
        for at, element in enumerate(held):
            yield from _found(value.each, element, (*path, at))
    elif isinstance(value, Part):
        for inner in references_in(value.schema, held):
            yield Reference((*path, *inner.path), inner.register, inner.text)
    elif value.register is not None and held is not None:
        yield Reference(path, value.register, held)


def replaced(data: Mapping[str, Any], changes: Iterable[tuple[Path, str]]) -> dict[str, Any]:
    """Return JSON ``data`` with other texts at some places; what leads there is copied."""
    copied = dict(data)
    for path, text in changes:
        place: Any = copied
        for step in path[:-1]:
            place[step] = place = copy(place[step])
        place[path[-1]] = text
    return copied

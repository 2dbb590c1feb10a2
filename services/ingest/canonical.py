"""The one way to write a fact down, so that equal content gives equal bytes. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from shared.clock import format_time


def canonical_content(
    type_name: str, subject: str | None, time: datetime, data: Mapping[str, Any]
) -> bytes:
    """Return the canonical JSON of what a sender said: type, subject, time and data.

    A time is the moment that it names, however written: libraries rewrite ``+00:00`` as ``Z`` when
    they pass an event on, and that is no conflict. For the same reason ``3`` and ``3.0`` are one
    number, and the order of an object's members says nothing.
    """
    content = {
        "type": type_name,
        "subject": subject,
        "time": format_time(time),
        "data": _plain(data),
    }
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def _plain(value: Any) -> Any:
    # Most of what is sent are texts and whole numbers: they come first, and cost one question.
    if isinstance(value, str | int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_plain(element) for element in value]
    return value

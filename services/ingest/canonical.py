"""The one way to write a fact down, so that equal content gives equal bytes. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import orjson

from shared.clock import format_time

_PERHAPS_WHOLE: Final = re.compile(rb"\.0|[0-9]e")
"""What the JSON of a number holds that was sent as ``3.0`` or ``3e9`` and is whole; where neither
occurs, nothing needs to be rewritten."""

_LEAST, _MOST = -(2.0**63), 2.0**64
"""What JSON can be written of as a whole number; larger ones stay as they are."""

_AS_IT_IS: Final = (str, int)


def canonical_content(
    type_name: str, subject: str | None, time: datetime, data: Mapping[str, Any]
) -> bytes:
    """Return the canonical JSON of what a sender said: type, subject, time and data.

    A time is the moment that it names, however written: libraries rewrite ``+00:00`` as ``Z`` when
    they pass an event on, and that is no conflict. For the same reason ``3`` and ``3.0`` are one
    number, and the order of an object's members says nothing.
    """
    told = orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    if _PERHAPS_WHOLE.search(told):
        told = orjson.dumps(_plain(data), option=orjson.OPT_SORT_KEYS)
    content = {
        "type": type_name,
        "subject": subject,
        "time": format_time(time),
        "data": orjson.Fragment(told),
    }
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def _plain(value: Any) -> Any:
    if isinstance(value, _AS_IT_IS):
        return value
    if isinstance(value, float) and value.is_integer() and _LEAST <= value < _MOST:
        return int(value)
    if isinstance(value, Mapping):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_plain(element) for element in value]
    return value

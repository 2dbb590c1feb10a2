"""Cursors: the place of a row in an order, opaque to the caller, good for one question only.

A cursor names the last row by what orders it, never by a count: rows that come or go elsewhere
change nothing. It gives no access: who may see what is asked again on every page.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import ColumnElement, and_, or_

RANKS = range(16)
LATEST = 2**62
"""No time, in microseconds since 1970, is that far away; no database is asked for more."""

CLIENT = re.compile(r"cl_[0-9a-f]{24}")
"""The form of the opaque id of a client."""

NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The form of an id that follows from what it names."""

Place = tuple[int, int, str]


def beyond(
    order: tuple[ColumnElement[Any], ColumnElement[Any], ColumnElement[Any]], last: Place
) -> ColumnElement[bool]:
    """Return the condition for what comes after the last row of the page before."""
    (rank, since, name), (at, then, that) = order, last
    return or_(
        rank > at,
        and_(rank == at, since > then),
        and_(rank == at, since == then, name > that),
    )


def write(place: Place, filters: Mapping[str, str | None]) -> str:
    """Return the cursor that continues after ``place`` under the same ``filters``."""
    body = orjson.dumps([*place, _name(place, filters)])
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def read(cursor: str, filters: Mapping[str, str | None], form: re.Pattern[str] = CLIENT) -> Place:
    """Return the place that a cursor continues after.

    Args:
        cursor: As it came back.
        filters: The other parameters.
        form: Of the id of what is listed.

    Raises:
        ValueError: when this is none of ours, or one of another question.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        rank, since, client, name = orjson.loads(base64.b64decode(padded, b"-_", validate=True))
    except (UnicodeEncodeError, binascii.Error, ValueError, TypeError) as error:
        raise ValueError("begin again without it") from error
    # Anybody can make one up: a database must never be asked for true, or for a NUL.
    numbers = type(rank) is int and type(since) is int and abs(since) < LATEST
    named = isinstance(client, str) and form.fullmatch(client)
    if not numbers or not named or rank not in RANKS:
        raise ValueError("begin again without it")
    place = (rank, since, client)
    if name != _name(place, filters):
        raise ValueError("it belongs to other parameters; begin again without it")
    return place


def _name(place: Place, filters: Mapping[str, str | None]) -> str:
    """Return what tells an altered cursor, and one of another question."""
    named = orjson.dumps([place, filters], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(named).hexdigest()[:16]

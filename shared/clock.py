"""Time: always aware, always UTC inside; asked of a Clock, so that tests can turn the hands."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Protocol

import orjson

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_MICROSECOND: Final = timedelta(microseconds=1)

_REMEMBERED: Final = 8_192
"""How many texts of times are remembered: about a megabyte."""

_RFC3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)


class Clock(Protocol):
    """Tells the present."""

    def now(self) -> datetime:
        """Return the present as an aware UTC datetime."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the machine's present."""
        return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self, start: datetime) -> None:
        """Start at ``start``, which must be aware."""
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """Return the moment that the hands show."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Turn the hands forward."""
        self._now += by

    def set(self, to: datetime) -> None:
        """Set the hands."""
        self._now = to.astimezone(UTC)


@lru_cache(maxsize=_REMEMBERED)
def parse_time(text: str) -> datetime:
    """Return the aware UTC time that an RFC 3339 text names, to the microsecond.

    Remembered, because a client's facts are folded again whenever one comes.

    Raises:
        ValueError: when the text is not RFC 3339 or has no offset; the message says what to do.
    """
    if not _RFC3339.fullmatch(text):
        raise ValueError("not an RFC 3339 time with offset, such as 2026-05-03T14:00:00+02:00")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"not a time that exists: {error}") from error


def format_time(moment: datetime) -> str:
    """Return a time as Rapport writes it: UTC, ``Z``, no more digits than needed."""
    at = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    # A timeline writes thousands of times: orjson takes a third of what isoformat does.
    text = orjson.dumps(at, None, orjson.OPT_UTC_Z).decode()[1:-1]
    return f"{text[:-1].rstrip('0')}Z" if moment.microsecond else text


def to_micros(moment: datetime) -> int:
    """Return whole microseconds since 1970, the form in which times are stored and compared."""
    return (moment - EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return the aware UTC time of a number of microseconds since 1970."""
    return EPOCH + micros * _MICROSECOND

"""The kinds of fields that hold a text: references, codes, times, dates, names."""

import functools
import re
import zoneinfo
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from shared.clock import parse_time
from shared.errors import Fault
from shared.events.fields import Value
from shared.ids import CLIENT, PERSON, STAFF

REF_PATTERN: Final = r"^[A-Za-z0-9._:-]{1,64}$"
_DATE: Final = r"(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}"
"""From 1900 to 2199 (own): near the ends of the calendar, a time zone or a day of grace would lead
out of it, and one such fact would stop every consumer. Who means "without end" leaves it out."""

TIME_PATTERN: Final = (
    f"^{_DATE}[Tt]" + r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
)
DATE_PATTERN: Final = f"^{_DATE}$"
NAME_PATTERN: Final = r"^[A-Za-z0-9._-]{1,64}$"


class Text(Value):
    """A text, whole against a pattern."""

    pattern: str = r"^[^\u0000-\u001f\u007f-\u009f\ufffd-\uffff]*$"
    least: int | None = 1
    most: int | None = 1000
    code = "control_character"
    advice = "Remove the control characters."
    format: str | None = None

    def faults(self, value: Any) -> Sequence[Fault]:
        """Refuse what is not a text, its length, then what does not fit the pattern."""
        if not isinstance(value, str):
            return [Fault("", "Send a JSON string.", "wrong_type")]
        if self.least is not None and len(value) < self.least:
            return [Fault("", f"Send at least {self.least} character.", "out_of_range")]
        if self.most is not None and len(value) > self.most:
            return [Fault("", f"Send at most {self.most} characters.", "out_of_range")]
        if not self._whole.fullmatch(value) or not self.exists(value):
            return [Fault("", self.advice, self.code)]
        return ()

    @functools.cached_property
    def _whole(self) -> re.Pattern[str]:
        return whole(self.pattern)

    def exists(self, value: str) -> bool:
        """Return whether the text, which fits the pattern, also names something that exists."""
        return True

    def json_schema(self) -> dict[str, Any]:
        """Return type, lengths, pattern and format."""
        lengths = {"minLength": self.least, "maxLength": self.most, "format": self.format}
        given = {keyword: limit for keyword, limit in lengths.items() if limit is not None}
        return {"type": "string", **given, "pattern": self.pattern}


class EventId(Text):
    """The id of an event, as its sender wrote it."""

    most = 128


class UriReference(Text):
    """The source of an event, as its sender wrote it."""

    pattern = r"^[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+$"
    most = 256
    code = "not_a_uri_reference"
    advice = "Send a URI reference, such as /clinics/north or urn:source:diary."


class Ref(Text):
    """A sender's reference of a thing: a session, a goal, a clinic."""

    pattern = REF_PATTERN
    least = most = None
    code = "not_a_reference"
    advice = "Send 1 to 64 letters, digits, dots, underscores, colons or hyphens."


class StaffRef(Ref):
    """A reference of a therapist or another member of staff; kept only as an opaque id."""

    register = STAFF


class PersonRef(Ref):
    """A reference of somebody who fills in a questionnaire; kept only as an opaque id."""

    register = PERSON


class ClientRef(Text):
    """A sender's pseudonymous reference of a client, as in ``subject``; kept only as opaque id."""

    register = CLIENT
    most = 128


class Code(Text):
    """A code of the sender's own system, verbatim; without spaces, so that it tells no story."""

    pattern = r"^[^\s\u0000-\u001f\u007f-\u009f]{1,64}$"
    least = most = None
    code = "not_a_code"
    advice = "Send the code alone: 1 to 64 characters without spaces."


class Language(Text):
    """A BCP 47 language tag."""

    pattern = r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$"
    most = 35
    code = "not_a_language"
    advice = "Send a BCP 47 language tag, such as en-GB."


class TypeName(Text):
    """The type of an event, with or without the prefix ``rapport.``."""

    pattern = r"^(rapport\.)?[a-z_]{1,40}\.[a-z_]{1,40}$"
    least = most = None
    code = "not_a_name"
    advice = "Send the type of an event, such as rapport.rating.given."


class AwareTime(Text):
    """An RFC 3339 time with offset."""

    pattern = TIME_PATTERN
    least = most = None
    format = "date-time"
    code = "not_a_time"
    advice = (
        "Send an RFC 3339 time with offset, such as 2026-05-03T14:00:00+02:00, from 1900 to 2199."
    )

    def exists(self, value: str) -> bool:
        """Return whether there is such a time."""
        try:
            parse_time(value)
        except ValueError:
            return False
        return True


class LocalDate(Text):
    """A date in the clinic's zone."""

    pattern = DATE_PATTERN
    least = most = None
    format = "date"
    code = "not_a_date"
    advice = "Send a date that exists, such as 2026-05-03, from 1900 to 2199."

    def exists(self, value: str) -> bool:
        """Return whether the calendar has such a date."""
        try:
            date.fromisoformat(value)
        except ValueError:
            return False
        return True


class TimeZone(Text):
    """The name of an IANA time zone."""

    pattern = r"^[A-Za-z0-9._+-]+(/[A-Za-z0-9._+-]+)*$"
    most = 64
    code = "not_a_timezone"
    advice = "Send the name of an IANA time zone, such as Europe/London."

    def exists(self, value: str) -> bool:
        """Return whether the time zone database has it."""
        return value in _timezones()


@functools.cache
def _timezones() -> frozenset[str]:
    # ``localtime`` is the zone of whatever machine asks, which is no zone of a clinic.
    return frozenset(zoneinfo.available_timezones() - {"localtime"})


@functools.cache
def whole(pattern: str) -> re.Pattern[str]:
    """Return a published pattern, to be matched in full.

    Python's own ``$`` also matches before a final newline, which no schema reader would expect.
    """
    return re.compile(pattern.removeprefix("^").removesuffix("$"))

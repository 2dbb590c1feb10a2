"""The codes of the faults that an event's data can have: one word, one meaning, for ever."""

from collections.abc import Mapping
from typing import Final

CODES: Final[Mapping[str, str]] = {
    "required": "A field that the type requires is missing.",
    "unknown_field": "The type has no such field; the fields that it has are in `allowed`.",
    "wrong_type": "The value is of another JSON type than the field takes.",
    "not_allowed": "The value is not one of the closed set in `allowed`.",
    "out_of_range": "The number, the text's length or the list's length is outside the range.",
    "not_finite": "The number is infinite or not a number.",
    "not_a_reference": "The text is not a reference: letters, digits and . _ : - (1 to 64).",
    "not_a_code": "The text is not a code: 1 to 64 characters without spaces.",
    "not_a_time": "The text is not an RFC 3339 time with offset.",
    "not_a_date": "The text is not a date that exists, as YYYY-MM-DD.",
    "not_a_timezone": "The text is not the name of an IANA time zone.",
    "not_a_language": "The text is not a BCP 47 language tag.",
    "not_a_uri_reference": "The text is not a URI reference.",
    "not_a_name": "The text, or a member's name, is not a name of the form that is described.",
    "control_character": "The text holds a control character.",
    "empty": "The object holds nothing.",
    "at_least_one": "At least one of the fields in `allowed` must be there.",
    "exactly_one": "Exactly one of the fields in `allowed` must be there.",
    "before_start": "The end lies before the start.",
    "unknown_version": "The type has no such version; the versions that it has are in `allowed`.",
}
"""Every code that a fault of this package can carry. Codes are stable: senders branch on them."""

"""Records that nobody can decode: copied as found onto a topic of their own, and passed over.

They name no client that could be held back, and no attempt will ever mend them. The copy is
published before the position moves on: after a crash there may be two, which say the same.
"""

from typing import Final

from shared.errors import TooManyParked
from shared.stream.ports import QUARANTINE, Outgoing, Record
from shared.stream.topics import MAX_HEADER_BYTES, MAX_RECORD_BYTES

FOUND_AT: Final = "rapport-found-at"
CONSUMER: Final = "rapport-consumer"
ERROR: Final = "rapport-error"
LEFT: Final = "rapport-value"
"""Header of a copy without its value: with its new headers it would have been too large."""

IN_A_ROW: Final = 100
"""Own: so many in a row without one that can be decoded mean that the decoder is at fault."""


def copy_of(record: Record, consumer: str, error: Exception) -> Outgoing:
    """Return the copy of a record for the quarantine, with where it was found."""
    cause = error.__cause__ or error
    said = {
        FOUND_AT: f"{record.topic}/{record.partition}/{record.offset}",
        CONSUMER: consumer,
        ERROR: type(cause).__name__,
    }
    value = record.value
    if len(value) > MAX_RECORD_BYTES - MAX_HEADER_BYTES:
        value, said[LEFT] = b"", "left where it was found"
    headers = (*record.headers, *((name, text.encode()) for name, text in said.items()))
    return Outgoing(QUARANTINE, record.key, value, headers)


def check_limit(consumer: str, in_a_row: int) -> None:
    """Refuse to pass over everything that there is.

    Raises:
        TooManyParked: when nothing in a long row of records could be decoded.
    """
    if in_a_row >= IN_A_ROW:
        raise TooManyParked(f"{consumer} could decode none of {in_a_row} records in a row")

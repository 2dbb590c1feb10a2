"""Records that nobody can decode: copied as found onto a topic of their own, and passed over.

They name no client that could be held back, and no attempt will ever mend them. The copy is
published before the position moves on: after a crash there may be two, which say the same, and
whoever reads from the beginning, as a rebuild does, leaves copies of its own.
"""

from collections.abc import Iterator
from contextlib import closing
from typing import Final

from shared.errors import StreamUnavailable, TooManyParked
from shared.stream.ports import QUARANTINE, Outgoing, Record, Stream
from shared.stream.topics import MAX_HEADER_BYTES, MAX_RECORD_BYTES

FOUND_AT: Final = "rapport-found-at"
CONSUMER: Final = "rapport-consumer"
ERROR: Final = "rapport-error"
LEFT: Final = "rapport-value"
"""Header of a copy without its value: with its new headers it would have been too large."""

IN_A_ROW: Final = 100
"""Own: so many in a row without one that can be decoded mean that the decoder is at fault."""

GROUP: Final = "quarantine"
"""Of whoever lists it; commits nothing, and begins at the beginning each time."""

POLL_LIMIT: Final = 500
POLL_TIMEOUT_S: Final = 1.0
QUIET_POLLS: Final = 30
"""Own: after so many polls without a record in a row, nothing more comes."""


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


def contents(stream: Stream) -> Iterator[Record]:
    """Yield what is in the quarantine now, from its beginning, in order within each partition.

    Raises:
        StreamUnavailable: when the stream does not answer, or somebody else lists it meanwhile.
    """
    begins, ends = stream.begins(QUARANTINE), stream.ends(QUARANTINE)
    left = {place for place, end in ends.items() if end > begins[place]}
    quiet = 0
    with closing(stream.consumer(GROUP, [QUARANTINE], begins.__getitem__)) as consumer:
        while left:
            found = consumer.poll(POLL_LIMIT, POLL_TIMEOUT_S)
            quiet = 0 if found else quiet + 1
            if quiet > QUIET_POLLS:
                raise StreamUnavailable("the quarantine could not be read to its end")
            yield from found
            left -= {one.place for one in found if one.offset + 1 >= ends[one.place]}

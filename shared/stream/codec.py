"""Event ↔ record: key, CloudEvents headers (Kafka binary mode), bytes.

The value is one JSON object, ``{"source", "id", "content", "backfill", "data"}``: the sender's own
source and id stay inside the value, never in a header or key. The seam at which every record's
data will later be sealed with the client's own key.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from shared.clock import format_time, parse_time
from shared.envelope import TYPE_PREFIX, Envelope, decode_value, encode_value
from shared.errors import Unreadable
from shared.events import EVENT_TYPES
from shared.stream.ports import Outgoing, Record

Header = tuple[str, bytes]

SPECVERSION: Final = b"1.0"

_KINDS: Final = 4_096
"""Own: so many kinds of records are remembered; about half a kilobyte each."""

_SPECVERSION: Final = ("ce_specversion", SPECVERSION)
_CONTENT_TYPE: Final = ("content-type", b"application/json")

_ID = re.compile(r"[!-~]{1,64}")
"""What an opaque id can be: what else stands in its place names nobody."""


def key_of(organisation: str, client: str | None) -> bytes:
    """Return the record key: all facts of one client share it, so they stay in order."""
    return f"{organisation}:{client or ''}".encode()


@lru_cache(maxsize=_KINDS)
def _who(organisation: str, sender: str) -> tuple[Header, Header]:
    # What many records share is made once: a batch has a thousand headers.
    source = f"/organisations/{organisation}/sources/{sender}"
    return ("ce_source", source.encode()), ("ce_organisation", organisation.encode())


@lru_cache(maxsize=_KINDS)
def _what(event_type: str, version: int) -> tuple[Header, Header]:
    schema = f"/schemas/{event_type}/{version}"
    return ("ce_type", f"{TYPE_PREFIX}{event_type}".encode()), ("ce_dataschema", schema.encode())


def encode(envelope: Envelope, topic: str, partition: int | None = None) -> Outgoing:
    """Return the record of an envelope; the same envelope gives the same bytes."""
    event = envelope.event
    source, organisation = _who(envelope.organisation, envelope.sender)
    kind, schema = _what(event.type, event.version)
    headers: tuple[tuple[str, bytes], ...] = (
        _SPECVERSION,
        ("ce_id", envelope.id.encode()),
        source,
        kind,
        ("ce_time", format_time(event.time).encode()),
        schema,
        ("ce_recordedtime", format_time(envelope.recorded_at).encode()),
        organisation,
        _CONTENT_TYPE,
    )
    if event.subject is not None:
        headers = (*headers, ("ce_subject", event.subject.encode()))
    return Outgoing(
        topic=topic,
        key=key_of(envelope.organisation, event.subject),
        value=encode_value(envelope),
        headers=headers,
        partition=partition,
    )


def decode(record: Record) -> Envelope:
    """Return the envelope that a record holds, its data still in the version it was written in.

    Raises:
        Unreadable: when the record is not one that ``encode`` makes.
    """
    headers = dict(record.headers)
    try:
        if headers["ce_specversion"] != SPECVERSION:
            raise ValueError("ce_specversion is not 1.0")
        kind = _kind(
            headers["ce_organisation"],
            headers["ce_source"],
            headers["ce_type"],
            headers["ce_dataschema"],
        )
        subject, name = headers.get("ce_subject"), headers.get("ce_id")
        client = None if subject is None else _opaque(subject)
        if client is None and kind.of_a_client:
            raise ValueError("it is about a client and names none")
        return decode_value(
            record.value,
            organisation=kind.organisation,
            sender=kind.sender,
            type=kind.type,
            version=kind.version,
            time=parse_time(headers["ce_time"].decode()),
            recorded_at=parse_time(headers["ce_recordedtime"].decode()),
            subject=client,
            kept_id=None if name is None else name.decode(),
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise Unreadable(f"{record.place} offset {record.offset}: {error}") from error


class _Kind(NamedTuple):
    """What many records have in common; ``of_a_client``: one without a client is nobody's."""

    organisation: str
    sender: str
    type: str
    version: int
    of_a_client: bool


@lru_cache(maxsize=_KINDS)
def _kind(organisation: bytes, source: bytes, ce_type: bytes, dataschema: bytes) -> _Kind:
    """Read the headers that a sender's records of one type share; remembered, as they repeat."""
    type = ce_type.decode().removeprefix(TYPE_PREFIX)
    known = EVENT_TYPES.get(type)
    return _Kind(
        _opaque(organisation),
        source.decode().rpartition("/")[2],
        type,
        int(dataschema.decode().rpartition("/")[2]),
        known is not None and known.scope == "client",
    )


def _opaque(name: bytes) -> str:
    """Refuse what names nobody: nobody could be held back for it.

    Raises:
        ValueError: when it is no opaque id.
    """
    text = name.decode()
    if not _ID.fullmatch(text):
        raise ValueError("it names somebody by no opaque id")
    return text

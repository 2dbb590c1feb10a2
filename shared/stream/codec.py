"""Event ↔ record: key, CloudEvents headers (Kafka binary mode), bytes.

The value is one JSON object, ``{"source", "id", "content", "backfill", "data"}``: the sender's own
source and id stay inside the value, never in a header or key. The seam at which every record's
data will later be sealed with the client's own key.
"""

import re
from typing import Final

from shared.clock import format_time, parse_time
from shared.envelope import TYPE_PREFIX, Envelope, decode_value, encode_value
from shared.errors import Unreadable
from shared.events import EVENT_TYPES
from shared.stream.ports import Outgoing, Record

SPECVERSION: Final = b"1.0"

_ID = re.compile(r"[!-~]{1,64}")
"""What an opaque id can be: what else stands in its place names nobody."""


def key_of(organisation: str, client: str | None) -> bytes:
    """Return the record key: all facts of one client share it, so they stay in order."""
    return f"{organisation}:{client or ''}".encode()


def encode(envelope: Envelope, topic: str, partition: int | None = None) -> Outgoing:
    """Return the record of an envelope; the same envelope gives the same bytes."""
    event = envelope.event
    source = f"/organisations/{envelope.organisation}/sources/{envelope.sender}"
    headers: tuple[tuple[str, bytes], ...] = (
        ("ce_specversion", SPECVERSION),
        ("ce_id", envelope.id.encode()),
        ("ce_source", source.encode()),
        ("ce_type", f"{TYPE_PREFIX}{event.type}".encode()),
        ("ce_time", format_time(event.time).encode()),
        ("ce_dataschema", f"/schemas/{event.type}/{event.version}".encode()),
        ("ce_recordedtime", format_time(envelope.recorded_at).encode()),
        ("ce_organisation", envelope.organisation.encode()),
        ("content-type", b"application/json"),
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
        ce_type = headers["ce_type"].decode()
        subject = headers.get("ce_subject")
        envelope = decode_value(
            record.value,
            organisation=headers["ce_organisation"].decode(),
            sender=headers["ce_source"].decode().rpartition("/")[2],
            type=ce_type.removeprefix(TYPE_PREFIX),
            version=int(headers["ce_dataschema"].decode().rpartition("/")[2]),
            time=parse_time(headers["ce_time"].decode()),
            recorded_at=parse_time(headers["ce_recordedtime"].decode()),
            subject=None if subject is None else subject.decode(),
        )
        _check_whose(envelope)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise Unreadable(f"{record.place} offset {record.offset}: {error}") from error
    return envelope


def _check_whose(envelope: Envelope) -> None:
    """Refuse what is nobody's: nobody could be held back for it.

    Raises:
        ValueError: when the organisation, or the client of a fact about one, is not named.
    """
    for name in (envelope.organisation, envelope.client):
        if name is not None and not _ID.fullmatch(name):
            raise ValueError("it names somebody by no opaque id")
    known = EVENT_TYPES.get(envelope.event.type)
    if known is not None and known.scope == "client" and envelope.client is None:
        raise ValueError("it is about a client and names none")

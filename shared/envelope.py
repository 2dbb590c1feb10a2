"""One fact, as its sender told it and as Rapport keeps it."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any

import orjson

from shared import ids
from shared.values import frozen

TYPE_PREFIX = "rapport."
"""What stands before an event type's name in the CloudEvents attribute ``type``."""


@frozen
class Event:
    """One fact in the past tense, by the rules of contract.md.

    Attributes:
        type: Name without prefix, such as ``rating.given``.
        source: The CloudEvents ``source`` as the sender wrote it (or ``urn:source:<name>``).
        id: The CloudEvents ``id`` as the sender wrote it.
        time: When it happened (what that means is said per type); aware UTC.
        subject: Who it is about: the sender's reference until the registry has replaced it,
            afterwards the opaque client id. None for an event that concerns many clients.
        data: The fields of the type. Holds references until the registry has replaced them.
        backfill: True for history that is sent afterwards.
        version: The version of the type's schema that ``data`` follows.
    """

    type: str
    source: str
    id: str
    time: datetime
    subject: str | None
    data: Mapping[str, Any]
    backfill: bool = False
    version: int = 1


@frozen
class Envelope:
    """An event as the stream holds it: with whose it is, who sent it, and when it was taken.

    Attributes:
        organisation: Opaque id; comes from the credential, never from the payload.
        sender: Opaque id (``src_…``) of the registered source it came through.
        event: The event; every reference in it is opaque.
        content: Keyed hash of the canonical content as sent: type, subject, time, data. Two
            events under one id with different ``content`` are in conflict.
        recorded_at: When Rapport took it (``ce_recordedtime``); aware UTC.
        kept_id: Its id, where that was kept beside the bytes: a fold names every fact, and
            need not hash each name again.
        read_since: When it came to be read at its client, where it was sent about another who
            was merged into that one.
    """

    organisation: str
    sender: str
    event: Event
    content: str
    recorded_at: datetime
    kept_id: str | None = field(default=None, compare=False, repr=False)
    read_since: datetime | None = field(default=None, compare=False, repr=False)

    @property
    def known_since(self) -> datetime:
        """Since when it is known of its client."""
        since = self.read_since
        return self.recorded_at if since is None else max(self.recorded_at, since)

    @property
    def client(self) -> str | None:
        """The opaque id of the client, or None where it concerns many."""
        return self.event.subject

    @property
    def id(self) -> str:
        """The id of the event everywhere in Rapport (``ce_id``)."""
        if self.kept_id is not None:
            return self.kept_id
        event = self.event
        return ids.event_id(self.organisation, event.subject, event.source, event.id)


def encode_value(envelope: Envelope) -> bytes:
    """Return the value of the record that holds an envelope; the same gives the same bytes."""
    event = envelope.event
    return orjson.dumps(
        {
            "source": event.source,
            "id": event.id,
            "content": envelope.content,
            "backfill": event.backfill,
            "data": event.data,
        }
    )


def decode_value(
    value: bytes,
    *,
    organisation: str,
    sender: str,
    type: str,
    version: int,
    time: datetime,
    recorded_at: datetime,
    subject: str | None,
    kept_id: str | None = None,
) -> Envelope:
    """Return the envelope of a record's value and the attributes that stand beside it.

    Raises:
        ValueError, KeyError, TypeError: when the value is not one that ``encode_value`` makes.
    """
    body: Mapping[str, Any] = orjson.loads(value)
    # By place: by name, a value with so many fields takes three times as long to make.
    event = Event(
        type, body["source"], body["id"], time, subject, body["data"], body["backfill"], version
    )
    return Envelope(organisation, sender, event, body["content"], recorded_at, kept_id)

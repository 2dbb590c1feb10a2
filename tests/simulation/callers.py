"""The callers: each has events to tell, and sends what was not acknowledged again."""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.ingest.adapter import Origin
from services.ingest.adapters.cloudevents import CloudEvents
from services.ingest.admission import Authority
from services.ingest.ingest import Sender
from services.ingest.signatures import SignatureHeaders, SkewedClock, verify
from tests.simulation.installation import Organisation
from tests.simulation.processes import Front
from tests.simulation.scenario import STORIES_END, Document, Telling

AUTHORITY = Authority(frozenset({"publish", "configure"}))
REACH = 6
"""How far out of order a caller sends."""


@dataclass(frozen=True, slots=True)
class Request:
    """Signed bytes on their way."""

    organisation: Organisation
    documents: tuple[Document, ...]
    body: bytes
    headers: SignatureHeaders


class Caller:
    """The system of one organisation."""

    def __init__(self, organisation: Organisation, tellings: Sequence[Telling]) -> None:
        """Have everything still to tell."""
        self.organisation = organisation
        self._tellings = tuple(tellings)
        self.acknowledged: set[str] = set()
        self.arrived: set[str] = set()
        """What ever reached the front door: it may be in the stream, whatever was answered."""
        self._requests = 0

    @property
    def told(self) -> bool:
        """Whether everything but the heartbeat was acknowledged."""
        told = {one.document["id"] for one in self._tellings if one.send_at <= STORIES_END}
        return told <= self.acknowledged

    def due(self, now: datetime) -> list[Document]:
        """Return what is to be told and not known to have been taken, the oldest first."""
        return [
            one.document
            for one in self._tellings
            if one.send_at <= now and one.document["id"] not in self.acknowledged
        ]

    def next_at(self, now: datetime) -> datetime | None:
        """Return when there will be something new to tell."""
        return min((one.send_at for one in self._tellings if one.send_at > now), default=None)

    def request(self, pick: int, count: int, now: datetime) -> Request | None:
        """Write and sign a request; None where there is nothing to tell."""
        due = self.due(now)[:REACH]
        if not due:
            return None
        first = pick % len(due)
        documents = tuple((due[first:] + due[:first])[:count])
        body = json.dumps(documents[0] if len(documents) == 1 else documents).encode()
        self._requests += 1
        return Request(self.organisation, documents, body, self._signed(body, now))

    def _signed(self, body: bytes, now: datetime) -> SignatureHeaders:
        name, timestamp = f"msg-{self._requests}", str(int(now.timestamp()))
        content = f"{name}.{timestamp}.".encode() + body
        signature = hmac.digest(self.organisation.secret, content, hashlib.sha256)
        return SignatureHeaders(name, timestamp, f"v1,{base64.b64encode(signature).decode()}")


def take(front: Front, request: Request, now: datetime) -> bool:
    """Take a request as the front door does; False where it came too late to be believed.

    Raises:
        Unavailable: the caller does not know whether it was taken.
    """
    source = front.accounts.source(request.organisation.source)
    assert source is not None
    try:
        verify(request.headers, request.body, source.secrets, now)
    except SkewedClock:
        return False
    reading = CloudEvents().read(json.loads(request.body), Origin(source.name, source.clinic))
    sender = Sender(source.organisation, source.id, "webhook", AUTHORITY)
    outcome = front.ingest.take(reading, sender)
    assert len(outcome.accepted) == len(request.documents)
    return True

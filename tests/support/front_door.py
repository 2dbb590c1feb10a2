"""The ingest service on a fresh folder, as senders meet it: sources, keys, signatures."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import Row, select
from werkzeug.test import TestResponse

from services.ingest.bootstrap import Parts, application, build
from shared.clock import ManualClock
from shared.config import Settings, load
from shared.envelope import Envelope
from shared.storage import kept
from shared.storage.engine import Database
from shared.storage.enrolment import Enrolment
from shared.storage.migrate import migrate
from shared.storage.sealing import Sealer, load_secret_key
from shared.stream.codec import decode
from shared.stream.ports import EVENTS, Record

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


@dataclass(frozen=True)
class Registered:
    """A registered source, with its webhook secret and a key that may publish and read."""

    organisation: str
    id: str
    secret: str
    token: str

    @property
    def bearer(self) -> dict[str, str]:
        """The header that says who calls."""
        return {"Authorization": f"Bearer {self.token}"}


class FrontDoor:
    """One running ingest service; closed by its test."""

    def __init__(self, folder: Path, **settings: str) -> None:
        """Set it up on an empty folder, with topics and one source.

        Args:
            folder: Of the data.
            settings: By the names of ``RAPPORT_…``, without the prefix.
        """
        environment = {"RAPPORT_DATA_DIR": str(folder)}
        environment |= {f"RAPPORT_{name}": text for name, text in settings.items()}
        self.settings: Settings = load(environment)
        folder.mkdir(parents=True, exist_ok=True)
        self.clock = ManualClock(NOW)
        self._db = Database(self.settings.database)
        migrate(self._db)
        self.parts: Parts = build(self.settings, self.clock)
        self.parts.stream.create_topics()
        sealer = Sealer(load_secret_key(self.settings, self._db))
        self.enrolment = Enrolment(self._db, sealer, self.clock)
        self.ehr = self.a_source("ehr", self.an_organisation())
        self.app = application(self.parts)

    @property
    def http(self) -> FlaskClient:
        """A caller of the service."""
        return self.app.test_client()

    def an_organisation(self, name: str = "North") -> str:
        """Make an organisation; return its id."""
        return self.enrolment.create_organisation(name).id

    def a_source(
        self, name: str, organisation: str, *rights: str, clinics: Sequence[str] = ()
    ) -> Registered:
        """Register a source, with a key that has ``publish``, ``read`` and further rights."""
        source, secret = self.enrolment.create_source(organisation, name)
        _, token = self.enrolment.create_key(
            organisation, ["publish", "read", *rights], source=source, clinics=clinics
        )
        return Registered(organisation, source, secret, token)

    def post(
        self, *events: Mapping[str, Any], by: Registered | None = None, query: str = ""
    ) -> TestResponse:
        """Post events to the API: one in structured mode, several in batch mode."""
        return self.http.post(
            f"/v1/events{query}",
            data=json.dumps(events[0] if len(events) == 1 else events),
            content_type=STRUCTURED if len(events) == 1 else BATCH,
            headers=(by or self.ehr).bearer,
        )

    def webhook(
        self,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        to: Registered | None = None,
        content_type: str = STRUCTURED,
    ) -> TestResponse:
        """Post a webhook, signed as it should be unless other headers are given."""
        source = to or self.ehr
        return self.http.post(
            f"/v1/sources/{source.id}/webhook",
            data=body,
            content_type=content_type,
            headers=signed(body, source.secret) if headers is None else headers,
        )

    def records(self) -> Sequence[Record]:
        """Return everything that the stream holds."""
        ends = self.parts.stream.ends(EVENTS)
        wanted = sum(ends.values())
        consumer = self.parts.stream.consumer("front-door", [EVENTS], lambda place: 0)
        found: list[Record] = []
        while len(found) < wanted:
            found += consumer.poll(1_000, 1.0)
        consumer.close()
        return found

    def envelopes(self) -> Sequence[Envelope]:
        """Return every envelope that the stream holds."""
        return [decode(record) for record in self.records()]

    def refusals(self) -> Sequence[Row[Any]]:
        """Return what was kept of refusals, oldest first."""
        with self._db.read() as db:
            return db.execute(select(kept.refusals).order_by(kept.refusals.c.at)).all()

    def close(self) -> None:
        """Release everything."""
        self.parts.close()
        self._db.close()


def signed(body: bytes, *secrets: str, id: str = "msg_1", at: datetime = NOW) -> dict[str, str]:
    """Return the headers of Standard Webhooks, one signature for each secret."""
    stamp = str(int(at.timestamp()))
    prefix = f"{id}.{stamp}.".encode()
    signatures = [
        base64.b64encode(
            hmac.digest(
                base64.b64decode(secret.removeprefix("whsec_")), prefix + body, hashlib.sha256
            )
        ).decode()
        for secret in secrets
    ]
    return {
        "webhook-id": id,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def a_rating(**changes: Any) -> dict[str, Any]:
    """Return a rating as a CloudEvent; ``data`` is merged, None takes an attribute out."""
    data = {
        "clinic": "north",
        "therapist": "t-07",
        "instrument": "srs-3",
        "rater": "client",
        "items": {"1": 9, "2": 8, "3": 8, "4": 9},
    }
    return _event("rapport.rating.given", data, "c-1024", changes)


def a_clinic(**changes: Any) -> dict[str, Any]:
    """Return a clinic's configuration, which concerns many clients."""
    data = {"clinic": "north", "timezone": "Europe/Berlin"}
    return _event("rapport.clinic.configured", data, None, changes)


def a_rule(**changes: Any) -> dict[str, Any]:
    """Return a rule's configuration."""
    return _event("rapport.rule.configured", {"rule": "session-gap"}, None, changes)


def an_event(name: str, data: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """Return any event about a client."""
    return _event(f"rapport.{name}", {"clinic": "north", **data}, "c-1024", changes)


def _event(
    type_name: str, data: Mapping[str, Any], subject: str | None, changes: Mapping[str, Any]
) -> dict[str, Any]:
    event = {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/clinics/north",
        "type": type_name,
        "time": "2026-06-01T11:00:00Z",
        "subject": subject,
        **changes,
        "data": {**data, **changes.get("data", {})},
    }
    event["data"] = {name: value for name, value in event["data"].items() if value is not None}
    return {name: value for name, value in event.items() if value is not None}


def faults(response: TestResponse) -> list[tuple[str, str]]:
    """Return pointer and code of every fault that a refusal names."""
    body = response.get_json()
    assert response.content_type == "application/problem+json", body
    return [(fault["pointer"], fault["code"]) for fault in body["errors"]]

"""A clinic's world: real accounts, the embedded stream, the projections, and their HTTP calls.

Facts enter as envelopes on the stream; what comes out is asked over HTTP, as a caller would.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from flask import Flask
from werkzeug.test import TestResponse

from services.projections import api, lookups, read_models, register_api
from services.projections.projector import Projector
from services.projections.read_model import ReadModel
from services.projections.register import Register
from services.projections.timelines import Timelines
from shared.alliance.mergers import merged_into
from shared.clock import ManualClock, format_time
from shared.envelope import Envelope
from shared.ids import CLIENT
from shared.storage.engine import Database
from shared.stream.codec import encode, key_of
from shared.stream.embedded import EmbeddedStream
from shared.stream.following import Following
from shared.stream.ports import ALERTS, EVENTS, Outgoing
from shared.stream.runner import Runner
from shared.web.app import create_app
from tests.support import events as an
from tests.support.accounts import Office
from tests.support.rebuildable import dropped

PARTITIONS = 3
DEADLINE_S = 10.0
NOW = an.on(400)


class World:
    """One organisation (or more), from the stream to the answers."""

    def __init__(
        self,
        db: Database,
        folder: Path,
        *,
        organisation: str | None = None,
        batch_limit: int = 1_000,
    ) -> None:
        """Open everything; nothing has happened yet."""
        self.db = db
        self.clock = ManualClock(NOW)
        self.office = Office(db, self.clock)
        self.organisation = organisation or self.office.an_organisation()
        read_models.prepare(db)
        self.stream = EmbeddedStream(folder / "stream.db", PARTITIONS)
        self.stream.create_topics()
        self.publisher = self.stream.publisher()
        self.runner = self.another_runner(batch_limit)
        timelines = Timelines(db, self.office.registry)
        self.app: Flask = create_app(
            "projections",
            [
                api.blueprint(db, timelines),
                lookups.blueprint(self.office.registry, timelines),
                register_api.blueprint(Register(db)),
            ],
            self.office.accounts,
            checks={"database": db.healthy},
        )

    def another_runner(
        self, batch_limit: int = 1_000, more: Sequence[ReadModel] = ()
    ) -> Following:
        """Return a runner of the projections; two of them share a group."""
        return Following(
            self.db,
            read_models.number_serving,
            lambda generation: Runner(
                self.stream,
                self.db,
                Projector(generation, more=more),
                self.clock,
                batch_limit=batch_limit,
                poll_timeout_s=0.01,
            ),
        )

    def begun_again(self, folder: Path, batch_limit: int = 1_000) -> "World":
        """Return the same organisation with an empty stream and empty read models."""
        with self.db.write() as db:
            dropped(db)
        folder.mkdir()
        return World(self.db, folder, organisation=self.organisation, batch_limit=batch_limit)

    def close(self) -> None:
        """Release everything but the database."""
        self.runner.close()
        self.publisher.close()
        self.stream.close()

    def client(self, reference: str = an.CLIENT, organisation: str | None = None) -> str:
        """Return the opaque id of a client, made at first sight as ingest does."""
        wanted = (CLIENT, reference)
        return self.office.registry.opaque(organisation or self.organisation, [wanted])[wanted]

    def placed(self, envelope: Envelope, organisation: str | None = None) -> Envelope:
        """Return a made-up envelope as one of this world's organisation and clients."""
        whose = organisation or self.organisation
        event, told = envelope.event, envelope.event.subject
        subject = None if told is None else self.client(told, whose)
        data = event.data
        into = merged_into(event)
        if into is not None:
            inner = {"into": self.client(into, whose)}
            data = (
                {**data, "data": {**data["data"], **inner}}
                if "data" in data
                else {**data, **inner}
            )
        return replace(
            envelope, organisation=whose, event=replace(event, subject=subject, data=data)
        )

    def records(self, envelope: Envelope, topic: str = EVENTS) -> list[Outgoing]:
        """Return the records of an envelope: one, one per key, or one in every partition."""
        if envelope.client is not None:
            record = encode(envelope, topic)
            into = merged_into(envelope.event)
            if into is None:
                return [record]
            return [record, replace(record, key=key_of(envelope.organisation, into))]
        return [encode(envelope, topic, number) for number in range(PARTITIONS)]

    def tell(self, *envelopes: Envelope, organisation: str | None = None) -> None:
        """Publish facts in this order, and project them."""
        placed = [self.placed(envelope, organisation) for envelope in envelopes]
        self.publish(record for envelope in placed for record in self.records(envelope))

    def alert(self, *steps: Envelope) -> None:
        """Publish steps of alerts in this order, and project them."""
        placed = [replace(step, organisation=self.organisation) for step in steps]
        self.publish(encode(step, ALERTS) for step in placed)

    def publish(self, records: Iterable[Outgoing]) -> None:
        """Publish records and project them."""
        self.publisher.publish(list(records), DEADLINE_S)
        self.project()

    def project(self) -> None:
        """Step until nothing is left."""
        while self.runner.step(self.clock.now()):
            pass

    def key(self, organisation: str | None = None, **options: Any) -> dict[str, str]:
        """Return the header of a new key with the right to read."""
        token = self.office.a_token(organisation or self.organisation, "read", **options)
        return {"Authorization": f"Bearer {token}"}

    def get(self, path: str, key: Mapping[str, str] | None = None, **headers: str) -> TestResponse:
        """Ask over HTTP."""
        sent = {**(self.key() if key is None else key), **headers}
        return self.app.test_client().get(path, headers=sent)

    def timeline(self, reference: str = an.CLIENT, query: str = "", **options: Any) -> Any:
        """Return a client's timeline, as a caller with a key reads it."""
        path = f"/v1/clients/{self.client(reference)}/timeline{query}"
        response = self.get(path, self.key(**options))
        assert response.status_code == 200, response.text
        return response.json

    def caseload(self, query: str = "", **options: Any) -> list[str]:
        """Return the references of a page of the caseload, in its order."""
        response = self.get(f"/v1/clients{query}", self.key(**options))
        assert response.status_code == 200, response.text
        ids = [row["client"] for row in orjson.loads(response.data)["clients"]]
        known = self.office.registry.reveal(self.organisation, ids)
        return [known[one] for one in ids]


def an_alert_step(
    alert: str = "a1",
    step: str = "opened",
    *,
    client: str,
    at: datetime | None = None,
    number: int = 1,
    family: str = "consistency",
    evidence: Iterable[Envelope] = (),
    **stated: Any,
) -> Envelope:
    """Return a step of an alert as the topic of alerts holds it; ``client`` is the opaque id."""
    moment = an.on(20) if at is None else at
    body = {
        "id": alert,
        "client": client,
        "clinic": an.CLINIC,
        "therapist": an.THERAPIST,
        "rule": "session-gap",
        "rule_version": 1,
        "family": family,
        "urgency": "attention",
        "state": "open",
        "historical": False,
        "effective_at": format_time(moment),
        "known_at": format_time(moment),
        "cleared_at": None,
        "title": "no session for twice the agreed interval",
        "explanation": "The last session was 15 days ago; 7 were agreed.",
        "evidence": [_named(one) for one in evidence],
        "not_counted": [],
        "next_steps": ["Ask in supervision."],
        "history": [{"step": step, "at": format_time(moment)}] * number,
        **stated,
    }
    made = an.an_event(
        f"alert.{step}",
        moment,
        body,
        id=f"{alert}/{number}",
        client=client,
        source="urn:rapport:alerts",
        sender="rapport",
        recorded_at=moment + timedelta(seconds=number),
    )
    # The builder of events leaves out what is None; an alert says all its fields.
    return replace(made, event=replace(made.event, data=body))


def _named(one: Envelope) -> dict[str, str]:
    """Return an event as evidence names it."""
    return {
        "event": one.id,
        "type": one.event.type,
        "occurred_at": format_time(one.event.time),
    }

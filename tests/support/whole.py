"""The whole line in one process, under one clock: front door, stream, projections, alerts."""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from flask.testing import FlaskClient

from services.alerts import bootstrap as alerts
from services.cli import serve
from services.cli.catching_up import caught_up
from services.cli.simulation import Document
from services.ingest import bootstrap as ingest
from services.ingest.adapter import Origin
from services.ingest.adapters.cloudevents import CloudEvents
from services.ingest.admission import Authority
from services.ingest.files import read_ndjson
from services.ingest.importer import Importer
from services.ingest.ingest import Sender
from services.projections import bootstrap as projections
from shared.clock import Clock
from shared.config import Settings, load
from shared.ids import CLIENT, event_id
from shared.storage.accounts import Accounts
from shared.storage.engine import Database
from shared.storage.enrolment import Enrolment
from shared.storage.migrate import migrate
from shared.storage.recipients import Recipients
from shared.storage.registry import Registry
from shared.storage.sealing import Sealer, load_secret_key
from shared.stream.engines import open_stream

SECRET_KEY: Final = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
STEPS_LIMIT: Final = 5_000
"""Rounds of steps after which a line that is still busy is broken."""

_OPAQUE = re.compile(r"\b(?:cl|th|pe|org|src|rcp|rk)_[0-9a-f]{24}\b")


class WholeLine:
    """One installation with one organisation; a test closes it."""

    def __init__(self, folder: Path, clock: Clock, **variables: str) -> None:
        """Set it up on an empty folder and an empty database."""
        self.folder = folder
        self.clock = clock
        self.settings: Settings = load(
            {
                "RAPPORT_DATA_DIR": str(folder),
                "RAPPORT_SECRET_KEY": SECRET_KEY,
                "RAPPORT_PARTITIONS": "4",
                "RAPPORT_ALLOW_PRIVATE_WEBHOOKS": "true",
                **{f"RAPPORT_{name.upper()}": value for name, value in variables.items()},
            }
        )
        self.database = Database(self.settings.database)
        migrate(self.database)
        self.stream = open_stream(self.settings)
        self.stream.create_topics()
        sealer = Sealer(load_secret_key(self.settings, self.database))
        self.accounts = Accounts(self.database, sealer, clock)
        self.registry = Registry(self.database, sealer, clock)
        self.recipients = Recipients(self.database, sealer, clock)
        self.enrolment = enrolment = Enrolment(self.database, sealer, clock)
        self.organisation = enrolment.create_organisation("Whole").id
        self.source, self.secret = enrolment.create_source(self.organisation, "files")
        _, self.token = enrolment.create_key(self.organisation, ["read", "act"])
        self._ingest = ingest.build(self.settings, clock)
        self._projections = projections.build(self.settings, clock)
        self._alerts = alerts.build(self.settings, clock)
        self.workers = serve.workers(self.settings, clock)
        self.timelines: FlaskClient = projections.application(self._projections).test_client()
        self.inbox: FlaskClient = alerts.application(self._alerts).test_client()

    def close(self) -> None:
        """Release everything."""
        for worker in self.workers.values():
            worker.close()
        for parts in (self._ingest, self._projections, self._alerts):
            parts.close()
        self.stream.close()
        self.database.close()

    def restart(self) -> None:
        """Stop every worker and start it again, as a new release would."""
        for worker in self.workers.values():
            worker.close()
        self.workers = serve.workers(self.settings, self.clock)

    def take(self, documents: Iterable[Document]) -> None:
        """Import events as ``rapport import`` does; every line must be taken."""
        file = self.folder / "events.ndjson"
        file.write_text("".join(json.dumps(document) + "\n" for document in documents))
        sender = Sender(self.organisation, self.source, "import",
                        Authority(frozenset({"publish", "configure"})))  # fmt: skip
        origin = Origin("files")
        rejected: list[str] = []
        importer = Importer(self._ingest.ingest, sender, origin,
                            lambda line, why: rejected.append(f"{line.number}: {why}"),
                            lambda _: None)  # fmt: skip
        with file.open("rb") as data:
            importer.run(read_ndjson(data, CloudEvents(), origin).lines)
        assert rejected == []

    def settle(self, without: Collection[str] = ()) -> None:
        """Step every worker until all of them rest and the stream is handled to its end.

        Args:
            without: Names of workers that stand still meanwhile.
        """
        working = [one for name, one in self.workers.items() if name not in without]
        for _ in range(STEPS_LIMIT):
            busy = [worker.step(self.clock.now()) for worker in working]
            if not any(busy) and caught_up(self.stream, self.database):
                return
        raise AssertionError("the line does not come to rest")

    def client(self, reference: str) -> str:
        """Return the opaque id of a client."""
        found = self.registry.find(self.organisation, [(CLIENT, reference)])
        return found[CLIENT, reference]

    def get(self, through: FlaskClient, path: str, **query: str) -> Any:
        """Return the JSON of a call that must succeed."""
        answer = through.get(
            path, query_string=query, headers={"authorization": f"Bearer {self.token}"}
        )
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    def timeline(self, reference: str) -> dict[str, Any]:
        """Return a client's timeline."""
        found: dict[str, Any] = self.get(
            self.timelines, f"/v1/clients/{self.client(reference)}/timeline"
        )
        return found

    def alerts(self) -> list[dict[str, Any]]:
        """Return every alert, whatever its state, over all pages."""
        found: list[dict[str, Any]] = []
        query: dict[str, str] = {}
        while True:
            page = self.get(self.inbox, "/v1/alerts", limit="200", **query)
            found += page["alerts"]
            if page["next"] is None:
                return found
            query = {"cursor": page["next"]}

    def mapped_back(self, value: Any, documents: Sequence[Document]) -> str:
        """Return canonical JSON with every opaque id replaced by what it stands for."""
        subjects = {document["subject"] for document in documents if document.get("subject")}
        clients = {reference: self.client(reference) for reference in subjects}
        return mapped_back(self.registry, self.organisation, value, documents, clients)


def mapped_back(
    registry: Registry,
    organisation: str,
    value: Any,
    documents: Sequence[Document],
    clients: Mapping[str, str],
) -> str:
    """Return canonical JSON with every opaque id replaced by what it stands for.

    Args:
        registry: Knows the references of the organisation.
        organisation: Whose ids they are.
        value: Anything that is JSON.
        documents: The events whose ids may occur in it.
        clients: Reference → opaque id, for every subject of ``documents``.
    """
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    ids = sorted(set(_OPAQUE.findall(text)))
    known = registry.reveal(organisation, ids)
    text = _OPAQUE.sub(lambda found: known.get(found[0], found[0].split("_")[0]), text)
    for document in documents:
        subject = document.get("subject")
        client = None if subject is None else clients[subject]
        name = event_id(organisation, client, document["source"], document["id"])
        text = text.replace(name, f"{document['source']} {document['id']}")
    return text

"""Build the ingest service from the settings: the one place that picks real infrastructure."""

import atexit
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flask import Flask

from services.ingest import api, catalogue
from services.ingest.ingest import Ingest
from services.ingest.refusals import Refusals
from shared import logs
from shared.clock import Clock, SystemClock
from shared.config import Settings, load
from shared.storage.accounts import Accounts
from shared.storage.engine import Database
from shared.storage.registry import Registry
from shared.storage.sealing import Sealer, load_secret_key
from shared.stream.engines import open_stream
from shared.stream.ports import EVENTS, Publisher, Stream
from shared.web.app import create_app
from shared.web.blueprint import Blueprint

NAME: Final = "ingest"

ANSWER_WITHIN_S: Final = 5.0
"""Own: who sends waits no longer for a database than for the stream; with the time that connecting
takes it stays below the default of RAPPORT_PUBLISH_DEADLINE_MS."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the service is made of."""

    settings: Settings
    clock: Clock
    db: Database
    stream: Stream
    publisher: Publisher
    accounts: Accounts
    registry: Registry
    ingest: Ingest
    refusals: Refusals

    def close(self) -> None:
        """Let what is under way be published, then release everything."""
        self.publisher.close()
        self.stream.close()
        self.refusals.close()
        self.db.close()


def build(settings: Settings, clock: Clock | None = None) -> Parts:
    """Put the service together; it changes nothing until it is used.

    Args:
        settings: As they were read.
        clock: The present; the machine's own when None.

    Raises:
        ConfigurationError: when the secret key is not the one that the database was made with.
        DatabaseUnavailable, StreamUnavailable: when they do not answer.
    """
    clock = clock or SystemClock()
    db = Database(settings.database, answer_within_s=ANSWER_WITHIN_S)
    sealer = Sealer(load_secret_key(settings, db))
    registry = Registry(db, sealer, clock)
    stream = open_stream(settings)
    publisher = stream.publisher()
    return Parts(
        settings=settings,
        clock=clock,
        db=db,
        stream=stream,
        publisher=publisher,
        accounts=Accounts(db, sealer, clock),
        registry=registry,
        ingest=Ingest(
            registry,
            publisher,
            lambda: stream.partitions(EVENTS),
            clock,
            settings.publish_deadline_ms / 1000,
        ),
        refusals=Refusals(settings.database, clock),
    )


def blueprints(parts: Parts) -> Sequence[Blueprint]:
    """Return the calls of the service."""
    return (
        api.blueprint(parts.ingest, parts.accounts, parts.refusals, parts.clock),
        catalogue.blueprint(),
    )


def application(parts: Parts) -> Flask:
    """Return the service as a WSGI application of its own."""
    return create_app(
        NAME,
        blueprints(parts),
        parts.accounts,
        checks={"database": parts.db.healthy, "stream": parts.stream.healthy},
        max_body_bytes=parts.settings.max_body_bytes,
        metrics_dir=parts.settings.metrics_dir,
    )


def wsgi() -> Flask:
    """Make the application in a worker process of the HTTP server."""
    settings = load()
    logs.configure(settings.log_level)
    parts = build(settings)
    # The server drains its requests first; what they wait for must stay open until then.
    atexit.register(parts.close)
    return application(parts)

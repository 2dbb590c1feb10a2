"""Build the projections from the settings: the one place that picks real infrastructure."""

import atexit
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from flask import Flask
from sqlalchemy import Connection

from services.projections import api, lookups, read_models, register_api
from services.projections.projector import Projector
from services.projections.register import Register
from services.projections.timelines import Timelines
from shared import logs
from shared.clock import Clock, SystemClock
from shared.config import Settings, load
from shared.storage.accounts import Accounts
from shared.storage.engine import Database
from shared.storage.registry import Registry
from shared.storage.sealing import Sealer, load_secret_key
from shared.stream.engines import open_stream
from shared.stream.following import Following
from shared.stream.ports import Stream
from shared.stream.runner import Runner
from shared.web.app import create_app
from shared.web.blueprint import Blueprint

NAME: Final = "projections"


@dataclass(frozen=True, slots=True)
class Parts:
    """What the reading side is made of: it needs no stream."""

    settings: Settings
    db: Database
    accounts: Accounts
    registry: Registry
    timelines: Timelines

    def close(self) -> None:
        """Release everything."""
        self.db.close()


class Worker:
    """The consuming side: a runner, and the infrastructure that it alone uses."""

    def __init__(self, stream: Stream, db: Database, clock: Clock) -> None:
        """Create the tables where they are missing; the first step joins the group."""
        self._stream = stream
        self._db = db
        read_models.prepare(db)
        self._following = Following(
            db,
            read_models.number_serving,
            lambda generation: Runner(stream, db, Projector(generation), clock),
        )

    def step(self, now: datetime) -> bool:
        """Handle one batch; return whether there was anything to do."""
        return self._following.step(now)

    def close(self) -> None:
        """Leave the group and release everything."""
        self._following.close()
        self._stream.close()
        self._db.close()


def build(settings: Settings, clock: Clock | None = None) -> Parts:
    """Put the reading side together, and create its tables where they are missing.

    Raises:
        ConfigurationError: when the secret key is not the one that the database was made with.
        DatabaseUnavailable: when the database does not answer.
    """
    clock = clock or SystemClock()
    db = Database(settings.database)
    sealer = Sealer(load_secret_key(settings, db))
    read_models.prepare(db)
    registry = Registry(db, sealer, clock)
    return Parts(
        settings=settings,
        db=db,
        accounts=Accounts(db, sealer, clock),
        registry=registry,
        timelines=Timelines(db, registry),
    )


def blueprints(parts: Parts) -> Sequence[Blueprint]:
    """Return the calls of the service."""
    return (
        api.blueprint(parts.db, parts.timelines),
        lookups.blueprint(parts.registry, parts.timelines),
        register_api.blueprint(Register(parts.db)),
    )


def application(parts: Parts) -> Flask:
    """Return the service as a WSGI application of its own."""
    return create_app(
        NAME,
        blueprints(parts),
        parts.accounts,
        checks={"database": parts.db.healthy},
        max_body_bytes=parts.settings.max_body_bytes,
    )


def worker(settings: Settings, clock: Clock | None = None) -> Worker:
    """Return the worker that projects: ``step(now)`` and ``close()``.

    Raises:
        StreamUnavailable, DatabaseUnavailable: when they do not answer.
    """
    stream = open_stream(settings)
    return Worker(stream, Database(settings.database), clock or SystemClock())


def handler(db: Connection) -> Projector:
    """Return the handler of what serves, for trying again what it had to park.

    Raises:
        AnotherVersion: when other code filled what serves.
    """
    return Projector(read_models.number_serving(db))


def wsgi() -> Flask:
    """Make the application in a worker process of the HTTP server."""
    settings = load()
    logs.configure(settings.log_level)
    parts = build(settings)
    atexit.register(parts.close)
    return application(parts)

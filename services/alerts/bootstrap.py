"""Build the alerts service from the settings: the one place that picks real infrastructure."""

import atexit
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from flask import Flask
from sqlalchemy import Connection

from services.alerts import api, notes_api, rules_api, tables
from services.alerts.deliveries import Deliverer
from services.alerts.desk import Desk
from services.alerts.gauges import Gauges
from services.alerts.notes import Notes
from services.alerts.rule import Rule
from services.alerts.rules import CASELOAD_RULES, COMBINED_RULES, FEED_RULES, RULES
from services.alerts.ticker import Ticker
from services.alerts.watcher import Watcher
from services.alerts.webhook import Sender
from shared import logs
from shared.clock import Clock, SystemClock
from shared.config import Settings, load
from shared.storage.accounts import Accounts
from shared.storage.engine import Database
from shared.storage.sealing import Sealer, load_secret_key
from shared.stream.engines import open_stream
from shared.stream.following import Following
from shared.stream.ports import EVENTS, Publisher, Stream
from shared.stream.runner import Runner
from shared.web.app import create_app
from shared.web.blueprint import Blueprint

NAME: Final = "alerts"
EVERY_RULE: Final[tuple[Rule, ...]] = (
    *RULES,
    *COMBINED_RULES,
    *CASELOAD_RULES,
    *FEED_RULES,
)


class Worker(Protocol):
    """Something that works in steps."""

    def step(self, now: datetime) -> bool:
        """Do a bounded piece of work; return whether there was anything to do."""

    def close(self) -> None:
        """Release what it holds."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the reading side is made of."""

    settings: Settings
    clock: Clock
    db: Database
    stream: Stream
    publisher: Publisher
    accounts: Accounts
    notes: Notes

    def close(self) -> None:
        """Let what is under way be published, then release everything."""
        self.publisher.close()
        self.stream.close()
        self.db.close()


class Own:
    """A worker with the infrastructure that it alone uses: each runs on a thread of its own."""

    def __init__(self, worker: Worker, *infrastructure: Callable[[], None]) -> None:
        """Wrap a worker.

        Args:
            worker: Does the work.
            infrastructure: What to call after the worker was closed.
        """
        self._worker = worker
        self._infrastructure = infrastructure

    def step(self, now: datetime) -> bool:
        """Do a bounded piece of work; return whether there was anything to do."""
        return self._worker.step(now)

    def close(self) -> None:
        """Close the worker, then what it used."""
        self._worker.close()
        for close in self._infrastructure:
            close()


def build(settings: Settings, clock: Clock | None = None) -> Parts:
    """Put the reading side together, and create its tables where they are missing.

    Raises:
        ConfigurationError: when the secret key is not the one that the database was made with.
        DatabaseUnavailable, StreamUnavailable: when they do not answer.
    """
    clock = clock or SystemClock()
    db = Database(settings.database)
    sealer = Sealer(load_secret_key(settings, db))
    tables.prepare(db, EVERY_RULE)
    stream = open_stream(settings)
    accounts, notes = Accounts(db, sealer, clock), Notes(sealer, clock)
    return Parts(settings, clock, db, stream, stream.publisher(), accounts, notes)


def blueprints(parts: Parts) -> Sequence[Blueprint]:
    """Return the calls of the service."""
    deadline_s = parts.settings.publish_deadline_ms / 1000
    desk = Desk(parts.db, parts.publisher, parts.notes, parts.clock, deadline_s)
    return (
        api.blueprint(desk, EVERY_RULE),
        rules_api.blueprint(parts.db, EVERY_RULE),
        notes_api.blueprint(desk),
    )


def application(parts: Parts) -> Flask:
    """Return the service as a WSGI application of its own."""
    return create_app(
        NAME,
        blueprints(parts),
        parts.accounts,
        checks={"database": parts.db.healthy, "stream": parts.stream.healthy},
        max_body_bytes=parts.settings.max_body_bytes,
    )


def workers(settings: Settings, clock: Clock | None = None) -> Mapping[str, Worker]:
    """Return the workers, by name: who judges, who ticks, who delivers, who counts.

    Raises:
        ConfigurationError: when the secret key is not the one that the database was made with.
        DatabaseUnavailable, StreamUnavailable: when they do not answer.
    """
    clock = clock or SystemClock()
    made = {"alerts": _watching, "ticker": _ticking, "deliverer": _delivering, "gauges": _counting}
    return {name: make(settings, clock) for name, make in made.items()}


def handler(db: Connection, accounts: Accounts) -> Watcher:
    """Return the handler of what serves, for trying again what it had to park.

    Raises:
        AnotherVersion: when other rules judged what serves.
    """
    return Watcher(EVERY_RULE, accounts.recipients, tables.number_to_judge(db, EVERY_RULE))


def wsgi() -> Flask:
    """Make the application in a worker process of the HTTP server."""
    settings = load()
    logs.configure(settings.log_level)
    parts = build(settings)
    atexit.register(parts.close)
    return application(parts)


def _watching(settings: Settings, clock: Clock) -> Worker:
    db, accounts = _accounts(settings, clock)
    stream = open_stream(settings)

    def runner(generation: int) -> Runner:
        watcher = Watcher(EVERY_RULE, accounts.recipients, generation)
        return Runner(stream, db, watcher, clock)

    following = Following(db, lambda reading: tables.number_to_judge(reading, EVERY_RULE), runner)
    return Own(following, stream.close, db.close)


def _ticking(settings: Settings, clock: Clock) -> Worker:
    db, accounts = _accounts(settings, clock)
    stream = open_stream(settings)
    ticker = Ticker(
        db,
        stream.publisher(),
        lambda: stream.partitions(EVENTS),
        accounts.source,
        accounts.recipients,
        every=timedelta(minutes=settings.tick_minutes),
        deadline_s=settings.publish_deadline_ms / 1000,
    )
    return Own(ticker, stream.close, db.close)


def _delivering(settings: Settings, clock: Clock) -> Worker:
    db, accounts = _accounts(settings, clock)
    stream = open_stream(settings)
    deliverer = Deliverer(
        db,
        stream.publisher(),
        accounts.recipients,
        Sender(allow_private=settings.allow_private_webhooks),
        publish_deadline_s=settings.publish_deadline_ms / 1000,
    )
    return Own(deliverer, stream.close, db.close)


def _counting(settings: Settings, clock: Clock) -> Worker:
    db, _ = _accounts(settings, clock)
    return Own(Gauges(db), db.close)


def _accounts(settings: Settings, clock: Clock) -> tuple[Database, Accounts]:
    db = Database(settings.database)
    tables.prepare(db, EVERY_RULE)
    return db, Accounts(db, Sealer(load_secret_key(settings, db)), clock)

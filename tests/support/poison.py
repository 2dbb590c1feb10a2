"""What cannot be handled: records, a read model and a rule that fail for whom a test names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from services.alerts.rule import Verdict
from services.projections.read_model import Batch
from shared.alliance.history import Phase
from shared.clock import Clock
from shared.envelope import Envelope
from shared.errors import blamed_on
from shared.storage.engine import Database
from shared.stream import redrive
from shared.stream.codec import encode
from shared.stream.handling import Handler
from shared.stream.parking import TABLE
from shared.stream.ports import EVENTS, Outgoing
from shared.stream.redrive import Redrive, Retried
from tests.support.alert_rules import Cancelled


class Bug(Exception):
    """A mistake in a release; its text holds what must never be kept."""

    def __init__(self) -> None:
        super().__init__("Anna Karenina")


@dataclass
class Fragile:
    """Whom a release cannot handle; emptied, it is the release that mends it."""

    clients: set[str] = field(default_factory=set)
    events: set[str] = field(default_factory=set)

    def check(self, client: str | None, event: str = "") -> None:
        """Fail for a client, or for an event, that is named."""
        if client in self.clients or event in self.events:
            raise Bug


class NoTables:
    """A read model that keeps nothing."""

    name = "nothing"
    version = 1
    folds = False
    tables: tuple[Table, ...] = ()

    def query(self) -> None:
        """Know nothing."""


class FragileModel(NoTables):
    """A read model with a mistake in it."""

    def __init__(self, fragile: Fragile) -> None:
        """Fail for whom is named."""
        self._fragile = fragile

    def apply(self, db: Connection, batch: Batch) -> None:
        """Fail for facts of a client, or for a fact by its id."""
        for arrival in batch.new:
            self._fragile.check(arrival.envelope.client, arrival.envelope.event.id)


class FragileRule(Cancelled):
    """A rule with a mistake in it."""

    name = "test-fragile"
    reads = frozenset({"session.cancelled", "session.held", "session.missed"})

    def __init__(self, fragile: Fragile, since: datetime | None = None) -> None:
        """Fail for the clients that are named; with ``since`` only from that present on."""
        self._fragile = fragile
        self._since = since

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge as ``Cancelled`` does, if at all."""
        if self._since is None or until >= self._since:
            self._fragile.check(phase.client)
        found = super().judge(phase, settings, until)
        waits = self._since if self._since is not None and until < self._since else None
        return replace(found, due_at=waits)


def blamed(fragile: Fragile, organisation: str, client: str) -> None:
    """Fail as a handler does that knows whose fault it is."""
    with blamed_on(organisation, client):
        fragile.check(client)


def parked_rows(database: Database) -> Sequence[Row[Any]]:
    """Return every row of parked records, in order."""
    with database.read() as db:
        return db.execute(
            select(TABLE).order_by(
                TABLE.c.consumer, TABLE.c.client, TABLE.c.topic, TABLE.c.partition, TABLE.c.offset
            )
        ).all()


def states(database: Database, consumer: str | None = None) -> list[tuple[str, str]]:
    """Return client and state of every parked record."""
    return [
        (row.client, row.state)
        for row in parked_rows(database)
        if consumer in (None, row.consumer)
    ]


def retry(database: Database, handler: Handler, clock: Clock) -> list[Retried]:
    """Try everything that a consumer has parked, as the command does."""
    with database.read() as db:
        waiting = redrive.queues(db, consumer=handler.name)
    worker = Redrive(database, handler, clock)
    return [worker.retry(queue) for queue in waiting]


def without_data(envelope: Envelope) -> Envelope:
    """Return an event that no fold can compute with, as no ingest would let it through."""
    return replace(envelope, event=replace(envelope.event, data={}))


def spoiled(envelope: Envelope, **headers: bytes | None) -> Outgoing:
    """Return the record of an envelope with headers changed, or taken away."""
    sent = encode(envelope, EVENTS)
    changed = {**dict(sent.headers), **headers}
    kept = tuple((name, value) for name, value in changed.items() if value is not None)
    return replace(sent, headers=kept)

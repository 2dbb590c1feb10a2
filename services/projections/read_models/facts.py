"""Every fact once, the conflicts that had no effect, and the last tick of each partition."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    String,
    Table,
    func,
    select,
)

from services.projections.read_model import Batch, Chart
from shared import metrics
from shared.clock import from_micros, to_micros
from shared.envelope import Envelope
from shared.storage import facts
from shared.storage.engine import insert_or_nothing
from shared.storage.facts import Arrival
from shared.storage.positions import REBUILDABLE
from shared.stream.ports import EVENTS
from shared.stream.runner import Item

LATE_AFTER = timedelta(days=1)
"""Sessions are entered by the next day as a rule; what comes later is counted (own)."""

TICK = "clock.ticked"

FACTS = facts.facts_table(REBUILDABLE, "facts_v1")

CONFLICTS = Table(
    "conflicts_v1",
    REBUILDABLE,
    Column("organisation", String(40), primary_key=True),
    Column("client", String(40), primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("event", String(36), primary_key=True),
    Column("content", String(64), primary_key=True),
    Column("type", String(40), nullable=False),
    Column("sender", String(40), nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
)

TICKS = Table(
    "ticks_v1",
    REBUILDABLE,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("ticked_at", BigInteger, nullable=False),
)


class Facts:
    """The facts themselves: a timeline is folded from them when it is read."""

    name = "facts"
    version = 1
    tables = (FACTS, CONFLICTS, TICKS)

    def apply(self, db: Connection, batch: Batch) -> None:
        """Store what is new, and say in ``batch.new`` what that was."""
        events = batch.of(EVENTS)
        ticks = [item for item in events if item.envelope.event.type == TICK]
        arrivals = [item.arrival for item in events if item.envelope.event.type != TICK]
        stored = facts.store(db, FACTS, arrivals)
        _keep_conflicts(db, stored.conflicts)
        _keep_ticks(db, ticks)
        batch.new = stored.new
        metrics.DUPLICATES.labels(batch.consumer).inc(len(stored.duplicates))
        metrics.CONFLICTS.labels(batch.consumer).inc(len(stored.conflicts))
        metrics.LATE.labels(batch.consumer).inc(sum(map(_late, stored.new)))

    def query(self, db: Connection, organisation: str, client: str) -> Chart:
        """Return the chart of one client."""
        return self.charts(db, organisation, [client])[client]

    def charts(
        self, db: Connection, organisation: str, clients: Collection[str]
    ) -> dict[str, Chart]:
        """Return the charts of several clients; what they share is read once per partition."""
        own = facts.of_clients(db, FACTS, organisation, clients)
        places = {client: found[0].partition for client, found in own.items() if found}
        shared = {
            place: _envelopes(facts.of_many(db, FACTS, organisation, place))
            for place in sorted(set(places.values()))
        }
        return {
            client: Chart(
                organisation=organisation,
                client=client,
                partition=places.get(client),
                own=_envelopes(found),
                shared=shared[places[client]] if client in places else (),
            )
            for client, found in own.items()
        }

    def ticked_at(self, db: Connection, partition: int) -> datetime | None:
        """Return the last tick that a partition has seen."""
        found = db.execute(
            select(TICKS.c.ticked_at).where(TICKS.c.partition == partition)
        ).scalar_one_or_none()
        return None if found is None else from_micros(found)

    def conflicts(
        self, db: Connection, organisation: str, client: str, known_at: datetime | None = None
    ) -> dict[str, int]:
        """Return event id → how many other contents came under it by ``known_at``."""
        asked = select(CONFLICTS.c.event, func.count().label("contents")).where(
            CONFLICTS.c.organisation == organisation, CONFLICTS.c.client == client
        )
        if known_at is not None:
            asked = asked.where(CONFLICTS.c.recorded_at <= to_micros(known_at))
        return {row.event: row.contents for row in db.execute(asked.group_by(CONFLICTS.c.event))}


def _keep_conflicts(db: Connection, conflicts: Sequence[Arrival]) -> None:
    if not conflicts:
        return
    rows = [
        {
            "organisation": arrival.envelope.organisation,
            "client": arrival.envelope.client or facts.MANY,
            "partition": arrival.partition,
            "event": arrival.envelope.id,
            "content": arrival.envelope.content,
            "type": arrival.envelope.event.type,
            "sender": arrival.envelope.sender,
            "recorded_at": to_micros(arrival.envelope.recorded_at),
        }
        for arrival in conflicts
    ]
    db.execute(insert_or_nothing(db, CONFLICTS), rows)


def _keep_ticks(db: Connection, ticks: Sequence[Item]) -> None:
    newest: dict[int, int] = {}
    for item in ticks:
        place, at = item.record.partition, to_micros(item.envelope.event.time)
        newest[place] = max(at, newest.get(place, at))
    for place, at in sorted(newest.items()):
        db.execute(insert_or_nothing(db, TICKS).values(partition=place, ticked_at=at))
        db.execute(
            TICKS.update()
            .where(TICKS.c.partition == place, TICKS.c.ticked_at < at)
            .values(ticked_at=at)
        )


def _late(arrival: Arrival) -> bool:
    envelope = arrival.envelope
    took = envelope.recorded_at - envelope.event.time
    return took > LATE_AFTER and not envelope.event.backfill


def _envelopes(arrivals: Sequence[Arrival]) -> tuple[Envelope, ...]:
    return tuple(arrival.envelope for arrival in arrivals)

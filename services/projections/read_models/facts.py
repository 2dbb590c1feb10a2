"""Every fact once, the conflicts that had no effect, and the last tick of each partition."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    String,
    Subquery,
    Table,
    func,
    select,
)

from services.projections.read_model import Batch, Chart
from shared import metrics
from shared.alliance.calendar import local_date
from shared.alliance.clinics import surroundings
from shared.clock import EPOCH, from_micros, to_micros
from shared.envelope import Envelope
from shared.storage import facts, shared_facts, ties
from shared.storage.engine import insert_or_nothing
from shared.storage.facts import Arrival
from shared.storage.shared_facts import Remembered, sums_table
from shared.storage.table_sets import Catalogue
from shared.storage.ties import Ties, ties_table
from shared.stream.handling import Item
from shared.stream.ports import EVENTS

LATE_AFTER = timedelta(days=1)
"""Sessions are entered by the next day as a rule; what comes later is counted (own)."""

TICK = "clock.ticked"

SUMS = "facts_shared"
"""What says whether the facts about many clients are still the same."""


class _Shared:
    """The facts about many clients of an organisation, and what they come to."""

    def __init__(self, organisation: str, envelopes: Sequence[Envelope]) -> None:
        self.envelopes = tuple(envelopes)
        self.surroundings = surroundings(organisation, envelopes)


class Facts:
    """The facts themselves: a timeline is folded from them when it is read."""

    name = "facts"
    version = 1
    folds = False

    def __init__(self, catalogue: Catalogue) -> None:
        """Declare the tables of a generation."""
        self.rows = facts.facts_table(catalogue.metadata, catalogue.named("facts", self.version))
        self._conflicts = _conflicts_table(catalogue, self.version)
        self._ticks = _ticks_table(catalogue, self.version)
        self._sums = sums_table(catalogue.metadata, catalogue.named(SUMS, self.version))
        self._ties = ties_table(catalogue.metadata, catalogue.named("ties", self.version))
        self._shared = Remembered(self.rows, self._sums, _Shared)
        self.tables = (self.rows, self._conflicts, self._ticks, self._sums, self._ties)

    def apply(self, db: Connection, batch: Batch) -> None:
        """Store what is new, and say in ``batch.new`` what that was."""
        events = batch.of(EVENTS)
        ticks = [item for item in events if item.envelope.event.type == TICK]
        arrivals = [item.arrival for item in events if item.envelope.event.type != TICK]
        stored = facts.store(db, self.rows, arrivals)
        _keep_conflicts(db, self._conflicts, stored.conflicts)
        _keep_ticks(db, self._ticks, ticks)
        ties.note(db, self._ties, arrivals)
        batch.new = stored.new
        batch.copied = [one for one in arrivals if one.elsewhere]
        shared_facts.note(db, self._sums, stored.new)
        self._read_at_once(db, stored.new)
        metrics.DUPLICATES.labels(batch.consumer).inc(len(stored.duplicates))
        metrics.CONFLICTS.labels(batch.consumer).inc(len(stored.conflicts))
        metrics.LATE.labels(batch.consumer).inc(sum(map(_late, stored.new)))

    def _read_at_once(self, db: Connection, new: Sequence[Arrival]) -> None:
        """Read what concerns many where it arrives, even if it concerns nobody yet.

        What cannot be read must be found at that fact, not at the next client who meets it.
        """
        many = {(one.envelope.organisation, one.partition) for one in new
                if not one.envelope.client}  # fmt: skip
        for organisation, partition in sorted(many):
            around = self._shared.of(db, organisation, partition).surroundings
            for clinic in around.clinics.values():
                local_date(clinic, EPOCH)

    def query(self, db: Connection, organisation: str, client: str) -> Chart:
        """Return the chart of one client."""
        found = ties.of(db, self._ties, organisation, [client], lock=False)
        return self._charts(db, organisation, [client], found)[client]

    def charts(
        self, db: Connection, organisation: str, clients: Collection[str]
    ) -> Iterator[list[Chart]]:
        """Yield the charts of clients who changed, and of whomever mergers tie them to.

        They come a few at a time: what concerns a whole clinic concerns thousands. The database
        is being written to: whoever looks at any of those tied waits for the end, so that of two
        who fold the same client one sees what the other has stored.
        """
        found = ties.of(db, self._ties, organisation, clients, lock=True)
        wanted = sorted({*clients, *found.kin})
        for start in range(0, len(wanted), facts.FOLDED_AT_ONCE):
            some = wanted[start : start + facts.FOLDED_AT_ONCE]
            charts = self._charts(db, organisation, some, found)
            yield [charts[client] for client in some]

    def _charts(
        self, db: Connection, organisation: str, clients: Collection[str], tied: Ties
    ) -> dict[str, Chart]:
        """Return charts; what clients share is read once per partition."""
        wanted = sorted({*clients, *(one for who in clients for one in tied.kin.get(who, ()))})
        arrivals = facts.of_clients(db, self.rows, organisation, wanted)
        places = {client: found[0].partition for client, found in arrivals.items() if found}
        own = {
            client: tuple(arrival.envelope for arrival in found)
            for client, found in arrivals.items()
        }
        homes = dict(places)
        for client, kin in tied.kin.items():
            # Nothing may have come under the reference itself: its key has a partition though.
            known = sorted(homes[one] for one in kin if one in homes)
            if client not in homes and known:
                places[client] = tied.places.get(client, known[0])
        shared = self._shared.at(db, organisation, set(places.values()))
        nothing = _Shared(organisation, ())
        return {
            client: Chart(
                organisation=organisation,
                client=client,
                partition=places.get(client),
                own=own[client],
                shared=around.envelopes,
                around=around.surroundings,
                tied=tuple(
                    envelope
                    for one in sorted(tied.kin.get(client, ()))
                    if one != client
                    for envelope in own[one]
                ),
            )
            for client in wanted
            for around in [shared[places[client]] if client in places else nothing]
        }

    def ticks(self) -> Subquery:
        """Return partition → the last tick that it has seen."""
        return select(self._ticks).subquery("ticked")

    def ticked_at(self, db: Connection, partition: int) -> datetime | None:
        """Return the last tick that a partition has seen."""
        ticks = self._ticks.c
        found = db.execute(
            select(ticks.ticked_at).where(ticks.partition == partition)
        ).scalar_one_or_none()
        return None if found is None else from_micros(found)

    def conflicts(
        self, db: Connection, organisation: str, client: str, known_at: datetime | None = None
    ) -> dict[str, int]:
        """Return event id → how many other contents came under it by ``known_at``."""
        columns = self._conflicts.c
        asked = select(columns.event, func.count().label("contents")).where(
            columns.organisation == organisation, columns.client == client
        )
        if known_at is not None:
            asked = asked.where(columns.recorded_at <= to_micros(known_at))
        return {row.event: row.contents for row in db.execute(asked.group_by(columns.event))}


def _keep_conflicts(db: Connection, table: Table, conflicts: Sequence[Arrival]) -> None:
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
    db.execute(insert_or_nothing(db, table), rows)


def _keep_ticks(db: Connection, table: Table, ticks: Sequence[Item]) -> None:
    newest: dict[int, int] = {}
    for item in ticks:
        place, at = item.record.partition, to_micros(item.envelope.event.time)
        newest[place] = max(at, newest.get(place, at))
    for place, at in sorted(newest.items()):
        db.execute(insert_or_nothing(db, table).values(partition=place, ticked_at=at))
        db.execute(
            table.update()
            .where(table.c.partition == place, table.c.ticked_at < at)
            .values(ticked_at=at)
        )


def _late(arrival: Arrival) -> bool:
    envelope = arrival.envelope
    took = envelope.recorded_at - envelope.event.time
    return took > LATE_AFTER and not envelope.event.backfill


def _conflicts_table(catalogue: Catalogue, version: int) -> Table:
    return Table(
        catalogue.named("conflicts", version),
        catalogue.metadata,
        Column("organisation", String(40), primary_key=True),
        Column("client", String(40), primary_key=True),
        Column("partition", Integer, primary_key=True, autoincrement=False),
        Column("event", String(36), primary_key=True),
        Column("content", String(64), primary_key=True),
        Column("type", String(40), nullable=False),
        Column("sender", String(40), nullable=False),
        Column("recorded_at", BigInteger, nullable=False),
    )


def _ticks_table(catalogue: Catalogue, version: int) -> Table:
    return Table(
        catalogue.named("ticks", version),
        catalogue.metadata,
        Column("partition", Integer, primary_key=True, autoincrement=False),
        Column("ticked_at", BigInteger, nullable=False),
    )

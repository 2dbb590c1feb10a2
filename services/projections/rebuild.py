"""What a rebuild needs to know of the timelines: who reads, who folds, what is compared."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from contextlib import suppress

import orjson
from sqlalchemy import Connection, MetaData, Table, func, select

from services.projections import read_models
from services.projections.projector import Projector
from services.projections.read_model import Batch, Folding
from services.projections.read_models.facts import SUMS
from shared.errors import ClientFault
from shared.storage import facts
from shared.storage.comparing import Pair, clients_after
from shared.storage.generations import Generation
from shared.stream import parking
from shared.stream.parking import Who

FOLDED_AT_ONCE = 100
"""Clients of one transaction: what their facts take in memory is small, and so is what is lost
when it is interrupted (own)."""


class Candidate:
    """A generation of the timelines that is to serve next."""

    def __init__(self, generation: int, folded_at_once: int = FOLDED_AT_ONCE) -> None:
        """Fill the tables of a generation."""
        self._generation = generation
        self._consumer = read_models.catalogue(generation).consumer(read_models.TIMELINES.consumer)
        self._folded_at_once = folded_at_once
        self._models = read_models.of(generation)
        self._folding: Sequence[Folding] = (
            self._models.caseload,
            self._models.concerns,
            self._models.boundary_events,
        )

    def reader(self) -> Projector:
        """Return what keeps the facts and the steps of alerts, and folds nobody."""
        return Projector(self._generation, folding=False)

    def follower(self) -> Projector:
        """Return what does as the generation that serves."""
        return Projector(self._generation)

    def fold(self, db: Connection, cursor: str) -> tuple[str, int]:
        """Fold some clients after ``cursor``, each once."""
        after = tuple(orjson.loads(cursor)) if cursor else ("", "")
        page = clients_after(db, self._models.facts.rows, after, self._folded_at_once)
        by_organisation: dict[str, list[str]] = defaultdict(list)
        for organisation, client in page:
            if client != facts.MANY:
                by_organisation[organisation].append(client)
        held = parking.held(db, self._consumer).clients
        for organisation, clients in by_organisation.items():
            waiting = [one for one in clients if (organisation, one) in held]
            self._fold(db, organisation, [one for one in clients if one not in waiting], held)
            for client in waiting:
                # Perhaps it is held back because it cannot be folded: it is when it is retried.
                with suppress(ClientFault), db.begin_nested():
                    self._fold(db, organisation, [client], held)
        return (orjson.dumps(page[-1]).decode() if page else "", len(page))

    def _fold(
        self, db: Connection, organisation: str, clients: Sequence[str], held: Collection[Who]
    ) -> None:
        batch = Batch(self._consumer, (), held)
        for _, charts in batch.charts(db, self._models.facts.charts, {organisation: clients}):
            for model in self._folding:
                model.fold(db, organisation, charts)

    def clients(self, db: Connection) -> int:
        """Return how many clients have facts, and how many organisations have facts of many."""
        rows = self._models.facts.rows.c
        distinct = select(rows.organisation, rows.client).distinct().subquery()
        return db.execute(select(func.count()).select_from(distinct)).scalar_one()

    def pairs(self, db: Connection, old: Generation) -> Sequence[Pair]:
        """Return every table beside the same of another generation, the facts first."""
        mine = read_models.catalogue(self._generation)
        return [
            Pair(
                what.replace("_", " "),
                Table(old.tables[what], MetaData(), autoload_with=db),
                mine.metadata.tables[name],
            )
            for what, name in mine.names.items()
            # Sums say whether facts are the same, which are compared themselves.
            if what in old.tables and what != SUMS
        ]

    def held(self, db: Connection) -> frozenset[Who]:
        """Return who is held back: whoever is tied to them is folded all the same."""
        return parking.held(db, self._consumer).clients

    def settle(self, db: Connection) -> int:
        """Do nothing: nobody is told anything of a timeline."""
        del db
        return 0

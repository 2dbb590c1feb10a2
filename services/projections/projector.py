"""What the projections do with a batch: every read model, in the transaction of the positions."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection

from services.projections import read_models
from services.projections.read_model import TOPICS, Batch, ReadModel
from services.projections.read_models import TIMELINES
from shared.storage import generations
from shared.storage.table_sets import FIRST
from shared.stream.handling import Item
from shared.stream.parking import MANY, Who

CONSUMER = TIMELINES.consumer


class Projector:
    """Fold what comes from the stream into the read models."""

    topics = TOPICS

    def __init__(
        self, generation: int = FIRST, *, folding: bool = True, more: Sequence[ReadModel] = ()
    ) -> None:
        """Fill the tables of a generation.

        Args:
            generation: Which.
            folding: False leaves out what is folded client by client: a rebuild folds later.
            more: Read models that are applied after those of every generation.
        """
        self.name = read_models.catalogue(generation).consumer(TIMELINES.consumer)
        self._generation = generation
        models = read_models.of(generation)
        self._caseload = models.caseload
        self._boundary_events = models.boundary_events
        every: tuple[ReadModel, ...] = (*models, *more)
        self._read_models = tuple(one for one in every if folding or not one.folds)

    def handle(self, db: Connection, items: Sequence[Item], held: Collection[Who]) -> None:
        """Apply a batch to every read model; the runner commits.

        Raises:
            Superseded: when the generation was dropped.
        """
        generations.hold(db, TIMELINES.name, self._generation, "active", "building", "previous")
        batch = Batch(self.name, items, held)
        for read_model in self._read_models:
            read_model.apply(db, batch)

    def redo(self, db: Connection, item: Item, held: Collection[Who]) -> None:
        """Apply one record that had to wait: a read model knows no present."""
        self.handle(db, [item], held)

    def refresh(
        self, db: Connection, who: Who, partition: int, next_offset: int, *, last: bool
    ) -> None:
        """Fold one client anew: of what concerns many, nothing was folded for it meanwhile."""
        generations.hold(db, TIMELINES.name, self._generation, "active", "building", "previous")
        if who[1] != MANY:
            self._caseload.refresh(db, *who)
            self._boundary_events.refresh(db, *who)

    def clients_known(self, db: Connection) -> int:
        """Return how many clients are or were in care."""
        return self._caseload.size(db)

"""What the projections do with a batch: every read model, in the transaction of the positions."""

from collections.abc import Sequence

from sqlalchemy import Connection

from services.projections import read_models
from services.projections.read_model import TOPICS, Batch, ReadModel
from services.projections.read_models import TIMELINES
from shared.storage import generations
from shared.storage.generations import FIRST
from shared.stream.runner import Item

CONSUMER = TIMELINES.consumer


class Projector:
    """Fold what comes from the stream into the read models."""

    topics = TOPICS

    def __init__(self, generation: int = FIRST, *, folding: bool = True) -> None:
        """Fill the tables of a generation.

        Args:
            generation: Which.
            folding: False leaves out what is folded client by client: a rebuild folds later.
        """
        self.name = read_models.catalogue(generation).consumer(TIMELINES.consumer)
        self._generation = generation
        every: tuple[ReadModel, ...] = read_models.of(generation)
        self._read_models = tuple(one for one in every if folding or not one.folds)

    def handle(self, db: Connection, items: Sequence[Item]) -> None:
        """Apply a batch to every read model; the runner commits.

        Raises:
            Superseded: when the generation was dropped.
        """
        generations.hold(db, TIMELINES.name, self._generation, "active", "building", "previous")
        batch = Batch(self.name, items)
        for read_model in self._read_models:
            read_model.apply(db, batch)

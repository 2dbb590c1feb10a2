"""What the projections do with a batch: every read model, in the transaction of the positions."""

from collections.abc import Sequence

from sqlalchemy import Connection

from services.projections import read_models
from services.projections.read_model import TOPICS, Batch, ReadModel
from shared.storage.generations import FIRST
from shared.stream.runner import Item

CONSUMER = "projections.v1"
"""Names the positions and the group of the first generation."""


class Projector:
    """Fold what comes from the stream into the read models."""

    topics = TOPICS

    def __init__(self, generation: int = FIRST) -> None:
        """Fill the tables of a generation."""
        self.name = read_models.catalogue(generation).consumer(CONSUMER)
        self._read_models: tuple[ReadModel, ...] = read_models.of(generation)

    def handle(self, db: Connection, items: Sequence[Item]) -> None:
        """Apply a batch to every read model; the runner commits."""
        batch = Batch(self.name, items)
        for read_model in self._read_models:
            read_model.apply(db, batch)

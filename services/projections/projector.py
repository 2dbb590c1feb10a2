"""What the projections do with a batch: every read model, in the transaction of the positions."""

from collections.abc import Sequence

from sqlalchemy import Connection

from services.projections.read_model import TOPICS, Batch, ReadModel
from services.projections.read_models import READ_MODELS
from shared.stream.runner import Item

CONSUMER = "projections.v1"
"""Names the positions and the group; the next version reads beside this one under its own name."""


class Projector:
    """Fold what comes from the stream into the read models."""

    name = CONSUMER
    topics = TOPICS

    def __init__(self, read_models: Sequence[ReadModel] = READ_MODELS) -> None:
        """Apply ``read_models`` in their order; the facts come first."""
        self._read_models = tuple(read_models)

    def handle(self, db: Connection, items: Sequence[Item]) -> None:
        """Apply a batch to every read model; the runner commits."""
        batch = Batch(self.name, items)
        for read_model in self._read_models:
            read_model.apply(db, batch)

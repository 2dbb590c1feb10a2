"""The contract of the family ``read_models``: tables, ``apply``, ``query``, and a version.

A read model is one file in ``services/projections/read_models`` and one line in its visible tuple
``ReadModels``. It can be filled again from the stream at any time: it is made for a generation,
whose tables are its own, so that the next is built beside the one that serves and switched to.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection, Table

from shared.alliance.clinics import Surroundings
from shared.envelope import Envelope
from shared.storage.facts import Arrival
from shared.stream.handling import Item
from shared.stream.parking import Who
from shared.stream.ports import ALERTS, EVENTS


@dataclass(slots=True)
class Batch:
    """What one transaction brings.

    Attributes:
        consumer: Name of the consumer, for its metrics.
        items: Everything that was read, in the order of the stream.
        held: Clients who are held back: nothing is folded for them, whoever else a fact concerns.
        new: The facts among them that took effect for the first time. The read model ``facts``,
            first in the tuple, fills it in for those that follow.
    """

    consumer: str
    items: Sequence[Item]
    held: Collection[Who] = ()
    new: Sequence[Arrival] = ()

    def of(self, topic: str) -> list[Item]:
        """Return what came from one topic."""
        return [item for item in self.items if item.record.topic == topic]


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that a fold of one client needs.

    Attributes:
        organisation: Whose client it is.
        client: Opaque id.
        partition: Where the client's facts stand in the stream; None before the first of them.
        own: The client's facts, in no particular order.
        shared: The facts that concern many clients, as the client's partition holds them.
        around: What these come to.
    """

    organisation: str
    client: str
    partition: int | None
    own: tuple[Envelope, ...]
    shared: tuple[Envelope, ...]
    around: Surroundings


class ReadModel(Protocol):
    """One read model. Besides ``apply`` it has a ``query``, whose questions are its own."""

    @property
    def name(self) -> str:
        """Such as ``caseload``; the file is named after it."""

    @property
    def version(self) -> int:
        """Rises whenever ``apply`` would fill the tables otherwise."""

    @property
    def folds(self) -> bool:
        """Whether its rows are folded from all facts of a client; else each record is applied."""

    @property
    def tables(self) -> tuple[Table, ...]:
        """Its tables, each named ``<what>_v<version>``."""

    @property
    def query(self) -> Callable[..., Any]:
        """Read it; what can be asked differs from model to model."""

    def apply(self, db: Connection, batch: Batch) -> None:
        """Save what a batch changes. Applying the same batch twice changes nothing more."""


class Folding(ReadModel, Protocol):
    """A read model whose rows are folded client by client: a rebuild folds each of them once."""

    def fold(self, db: Connection, organisation: str, charts: Collection[Chart]) -> None:
        """Replace the rows of clients by what all their facts come to."""


TOPICS: tuple[str, ...] = (EVENTS, ALERTS)
"""What the projections read."""

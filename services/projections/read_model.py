"""The contract of the family ``read_models``: tables, ``apply``, ``query``, and a version.

A read model is one file in ``services/projections/read_models`` and one line in its visible tuple
``ReadModels``. It can be filled again from the stream at any time: it is made for a generation,
whose tables are its own, so that the next is built beside the one that serves and switched to.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, Table

from shared.alliance.clinics import Surroundings
from shared.alliance.mergers import MERGED, NONE, Mergers, mergers, together
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
        copied: What came under the key of another client, whom it ties to its own.
    """

    consumer: str
    items: Sequence[Item]
    held: Collection[Who] = ()
    new: Sequence[Arrival] = ()
    copied: Sequence[Arrival] = ()

    def touched(
        self, concerned: Callable[[Arrival], Iterable[str]], types: tuple[str, ...] = ("",)
    ) -> Mapping[str, set[str]]:
        """Return organisation → the clients whose rows may be otherwise.

        Args:
            concerned: A fact about many → whom it concerns; who is held back is left out.
            types: Beginnings of the types that matter; all of them when left out.
        """
        found: dict[str, set[str]] = defaultdict(set)
        for arrival in (*self.new, *self.copied):
            envelope = arrival.envelope
            organisation = envelope.organisation
            if not envelope.event.type.startswith(types):
                continue
            if envelope.client is not None:
                found[organisation].add(envelope.client)
                continue
            free = (one for one in concerned(arrival) if (organisation, one) not in self.held)
            found[organisation].update(free)
        return found

    def charts(
        self, db: Connection, read: "Charts", touched: Mapping[str, Collection[str]]
    ) -> "Iterator[tuple[str, list[Chart]]]":
        """Yield each organisation with charts to fold, a few at a time.

        Args:
            db: The transaction of the batch.
            read: Reads the charts.
            touched: Organisation → the clients whose rows may be otherwise.
        """
        for organisation, clients in sorted(touched.items()):
            for some in read(db, organisation, clients):
                yield organisation, self.foldable(some, clients)

    def foldable(self, charts: "Iterable[Chart]", changed: Collection[str]) -> "list[Chart]":
        """Return charts without those of clients who are held back and have not changed."""
        return [
            one
            for one in charts
            if one.client in changed or (one.organisation, one.client) not in self.held
        ]

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
        tied: The facts of everybody whom mergers ever tied to the client.
    """

    organisation: str
    client: str
    partition: int | None
    own: tuple[Envelope, ...]
    shared: tuple[Envelope, ...]
    around: Surroundings
    tied: tuple[Envelope, ...] = ()

    @property
    def every(self) -> tuple[Envelope, ...]:
        """The facts of the client and of everybody whom mergers ever tied to them."""
        return (*self.own, *self.tied)

    def read(
        self, *, known_at: datetime | None = None, valid_at: datetime | None = None
    ) -> tuple[tuple[Envelope, ...], Mergers]:
        """Return what is read at the client, and the mergers that decide it."""
        every = self.every
        if not any(one.event.type == MERGED for one in every):
            return self.own, NONE
        found = mergers(every, known_at=known_at, valid_at=valid_at)
        return together(every, found, self.client, known_at=known_at), found


Charts = Callable[[Connection, str, Collection[str]], Iterator[list[Chart]]]
"""Reads the charts of clients of an organisation who changed, a few at a time."""


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

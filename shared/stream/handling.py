"""What a consumer is handed, and what it must be able to do with it."""

from collections.abc import Collection, Sequence
from typing import Final, Protocol

from sqlalchemy import Connection

from shared.alliance.amendments import CORRECTED
from shared.alliance.mergers import MERGED
from shared.envelope import Envelope
from shared.storage.facts import Arrival
from shared.stream import codec
from shared.stream.parking import MANY, Who
from shared.stream.ports import Record
from shared.values import frozen

_COPIED: Final = frozenset({MERGED, CORRECTED})


@frozen
class Item:
    """A record and the envelope that it holds."""

    record: Record
    envelope: Envelope

    @property
    def who(self) -> Who:
        """Whose it is: the client, or the many of the organisation."""
        return (self.envelope.organisation, self.envelope.client or MANY)

    @property
    def arrival(self) -> Arrival:
        """The same, as a facts table takes it."""
        envelope = self.envelope
        # A merger, and what corrects it, stands under the keys of both clients, and is about one.
        copied = envelope.event.type in _COPIED and self.record.key != codec.key_of(
            envelope.organisation, envelope.client
        )
        return Arrival(self.record.partition, envelope, self.record.value, copied)


class Handler(Protocol):
    """What one consumer does with records.

    Attributes:
        name: Names the consumer's positions and its group; has the version in it.
        topics: What it reads.
    """

    name: str
    topics: tuple[str, ...]

    def handle(self, db: Connection, items: Sequence[Item], held: Collection[Who]) -> None:
        """Save the effect of ``items`` through ``db``; the runner commits.

        Must not touch anything outside ``db``: the transaction may be rolled back and the same
        records handed over again.

        Args:
            db: The transaction.
            items: In the order of the stream.
            held: Clients who are held back: nothing is judged or folded for them, whoever else
                a fact concerns.

        Raises:
            ClientFault: when one client cannot be judged or folded.
        """

    def redo(self, db: Connection, item: Item, held: Collection[Who]) -> None:
        """Save the effect of one record that had to wait, as ``handle`` would have.

        The stream has moved on since: time must not run backwards, nothing may be told of a
        state in between, and ``refresh`` follows in the same transaction.
        """

    def refresh(
        self, db: Connection, who: Who, partition: int, next_offset: int, *, last: bool
    ) -> None:
        """Fold or judge a client anew from all that is saved of it; ``MANY`` is nobody.

        Args:
            db: The transaction.
            who: Whom.
            partition: Where the client's facts stand.
            next_offset: How far the consumer has come there.
            last: False while more of the client's records wait: whether it can be done is seen,
                and nothing is told.

        Raises:
            Exception: whatever shows that it cannot be done.
        """

    def clients_known(self, db: Connection) -> int:
        """Return how many clients the consumer knows, about."""

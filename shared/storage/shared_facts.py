"""What an organisation's facts about many clients say, remembered while they are the same.

Every judgement and every fold stands on them, and reading them takes longer than judging: with a
thousand of them, 30 of the 36 ms that one fact took (measured). Each partition keeps a sum over
those it holds; what was read under the same sum is the same. It changes in the transaction that
stores them, whoever stores them, so neither a rollback nor another process can leave old words
behind.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache
from threading import Lock
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    bindparam,
    select,
)

from shared.clock import to_micros
from shared.envelope import Envelope
from shared.storage import facts
from shared.storage.engine import upsert_all
from shared.storage.facts import Arrival

MOST_FACTS: Final = 50_000
"""Own: so many are remembered at most, of all organisations; about a kilobyte each."""

_BITS: Final = 256

_Read = TypeVar("_Read")


def sums_table(metadata: MetaData, name: str) -> Table:
    """Declare the table of sums that belongs to a facts table."""
    return Table(
        name,
        metadata,
        Column("organisation", String(40), primary_key=True),
        Column("partition", Integer, primary_key=True, autoincrement=False),
        Column("sum", String(64), nullable=False),
    )


def note(db: Connection, sums: Table, new: Iterable[Arrival]) -> None:
    """Add what was just stored to the sums of its organisations.

    A sum, because it does not depend on the order in which facts came.
    """
    added: dict[tuple[str, int], int] = {}
    for arrival in new:
        if arrival.envelope.client is None:
            key = (arrival.envelope.organisation, arrival.partition)
            added[key] = added.get(key, 0) + _number(arrival)
    rows = []
    for (organisation, partition), number in sorted(added.items()):
        before = _sums(db, sums, organisation, [partition]).get(partition, "0")
        total = (int(before, base=16) + number) % 2**_BITS
        rows.append({"organisation": organisation, "partition": partition, "sum": f"{total:x}"})
    upsert_all(db, sums, rows)


class Remembered(Generic[_Read]):
    """Reads what organisations' facts about many say, and remembers those read last.

    Any number of threads may ask.
    """

    def __init__(
        self,
        rows: Table,
        sums: Table,
        read: Callable[[str, Sequence[Envelope]], _Read],
        most_facts: int = MOST_FACTS,
    ) -> None:
        """Remember nothing yet.

        Args:
            rows: The facts.
            sums: Their sums; an organisation without one is read each time.
            read: Organisation and its facts about many → what is remembered of them.
            most_facts: So many facts are remembered at most.
        """
        self._rows = rows
        self._sums = sums
        self._made = read
        self._most_facts = most_facts
        self._lock = Lock()
        self._known: OrderedDict[tuple[str, int], tuple[str, int, _Read]] = OrderedDict()

    def of(self, db: Connection, organisation: str, partition: int) -> _Read:
        """Return what an organisation's facts about many say, as a partition holds them now."""
        return self.at(db, organisation, [partition])[partition]

    def before(self, organisation: str, partition: int) -> _Read | None:
        """Return what was read last, which may be behind; None where nothing is remembered.

        It asks nothing: for what once said holds for ever.
        """
        with self._lock:
            known = self._known.get((organisation, partition))
        return None if known is None else known[2]

    def at(
        self, db: Connection, organisation: str, partitions: Collection[int]
    ) -> dict[int, _Read]:
        """Return the same for several partitions, by partition."""
        # The sums before the facts: one that is behind them is only read again.
        sums = _sums(db, self._sums, organisation, partitions)
        return {
            partition: self._read(db, organisation, partition, sums.get(partition))
            for partition in sorted(partitions)
        }

    def _read(self, db: Connection, organisation: str, partition: int, now: str | None) -> _Read:
        key = (organisation, partition)
        with self._lock:
            known = self._known.get(key)
            if known is not None and known[0] == now:
                self._known.move_to_end(key)
                return known[2]
        many = facts.of_many(db, self._rows, organisation, partition)
        made = self._made(organisation, [one.envelope for one in many])
        if now is not None:
            with self._lock:
                self._known[key] = (now, len(many), made)
                self._known.move_to_end(key)
                self._forget()
        return made

    def _forget(self) -> None:
        """Forget what was asked for longest ago, until the rest is few enough."""
        left = sum(count for _, count, _ in self._known.values())
        while left > self._most_facts:
            _, (_, count, _) = self._known.popitem(last=False)
            left -= count


def _number(arrival: Arrival) -> int:
    """Return a number that two stored facts share only where they say the same."""
    envelope = arrival.envelope
    event = envelope.event
    said = (event.type, event.version, to_micros(event.time), envelope.sender, envelope.id,
            to_micros(envelope.recorded_at), arrival.value)  # fmt: skip
    return int.from_bytes(hashlib.sha256(repr(said).encode()).digest(), "big")


def _sums(
    db: Connection, sums: Table, organisation: str, partitions: Collection[int]
) -> dict[int, str]:
    asked = {"whose": organisation, "at": sorted(partitions)}
    return {row.partition: row.sum for row in db.execute(_asked(sums), asked)}


@cache
def _asked(sums: Table) -> Select[Any]:
    return select(sums.c.partition, sums.c.sum).where(
        sums.c.organisation == bindparam("whose"),
        sums.c.partition.in_(bindparam("at", expanding=True)),
    )

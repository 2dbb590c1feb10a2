"""What an organisation's facts about many clients say, remembered while they are the same.

Every judgement stands on them, and reading them takes longer than judging: with a thousand of
them, 30 of the 36 ms that one fact took (measured). Each partition keeps a sum over those it
holds; what was read under the same sum is the same. It changes in the transaction that stores
them, whoever stores them, so neither a rollback nor another process can leave old words behind.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Collection, Iterable
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, Select, Table, bindparam, select

from services.alerts.judging import Organisation
from services.alerts.tables import Tables
from shared.clock import to_micros
from shared.storage import facts
from shared.storage.engine import upsert_all
from shared.storage.facts import Arrival

MOST_FACTS: Final = 50_000
"""Own: so many are remembered at most, of all organisations; about a kilobyte each."""

_BITS: Final = 256


def note(db: Connection, tables: Tables, new: Iterable[Arrival]) -> None:
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
        before = _sums(db, tables, organisation, [partition]).get(partition, "0")
        total = (int(before, base=16) + number) % 2**_BITS
        rows.append({"organisation": organisation, "partition": partition, "sum": f"{total:x}"})
    upsert_all(db, tables.shared, rows)


class Organisations:
    """Reads organisations, and remembers those read last."""

    def __init__(self, tables: Tables, most_facts: int = MOST_FACTS) -> None:
        """Remember nothing yet."""
        self._tables = tables
        self._most_facts = most_facts
        self._read: OrderedDict[tuple[str, int], tuple[str, Organisation]] = OrderedDict()

    def of(self, db: Connection, organisation: str, partition: int) -> Organisation:
        """Return what an organisation's facts about many say, as a partition holds them now."""
        return self.at(db, organisation, [partition])[partition]

    def at(
        self, db: Connection, organisation: str, partitions: Collection[int]
    ) -> dict[int, Organisation]:
        """Return the same for several partitions, by partition."""
        # The sums before the facts: one that is behind them is only read again.
        sums = _sums(db, self._tables, organisation, partitions)
        found: dict[int, Organisation] = {}
        for partition in sorted(partitions):
            now = sums.get(partition)
            key = (organisation, partition)
            known = self._read.pop(key, None)
            if known is None or now is None or known[0] != now:
                many = facts.of_many(db, self._tables.facts, organisation, partition)
                known = (now or "", Organisation(organisation, [one.envelope for one in many]))
            if now is not None:
                self._read[key] = known
                self._forget()
            found[partition] = known[1]
        return found

    def _forget(self) -> None:
        """Forget what was asked for longest ago, until the rest is few enough."""
        left = sum(len(one.facts) for _, one in self._read.values())
        while left > self._most_facts:
            _, (_, oldest) = self._read.popitem(last=False)
            left -= len(oldest.facts)


def _number(arrival: Arrival) -> int:
    """Return a number that two stored facts share only where they say the same."""
    envelope = arrival.envelope
    event = envelope.event
    said = (event.type, event.version, to_micros(event.time), envelope.sender, envelope.id,
            to_micros(envelope.recorded_at), arrival.value)  # fmt: skip
    return int.from_bytes(hashlib.sha256(repr(said).encode()).digest(), "big")


def _sums(
    db: Connection, tables: Tables, organisation: str, partitions: Collection[int]
) -> dict[int, str]:
    asked = {"whose": organisation, "at": sorted(partitions)}
    return {row.partition: row.sum for row in db.execute(_asked(tables.shared), asked)}


@cache
def _asked(shared: Table) -> Select[Any]:
    return select(shared.c.partition, shared.c.sum).where(
        shared.c.organisation == bindparam("whose"),
        shared.c.partition.in_(bindparam("at", expanding=True)),
    )

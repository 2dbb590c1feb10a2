"""Who is judged at once: one client, or everybody whom mergers ever tied to them.

A merger stands in the stream under two keys, which two watchers may read. It counts once both of
its records were read: until then each of the two judges its own client alone. Both take the same
lock, on the ties of the organisation, before they read any fact: so of two who judge those tied,
the second sees what the first has stored, be it the other record of the merger itself.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select

from services.alerts import marks
from services.alerts.ledger import STEPS
from services.alerts.store import Places
from services.alerts.tables import Tables
from shared.alliance.mergers import NONE, Mergers, merged_into, mergers
from shared.envelope import Envelope
from shared.storage import facts, positions, ties
from shared.storage.kept import installation
from shared.storage.replacing import CHUNK, Who
from shared.storage.ties import Ties
from shared.stream.ports import EVENTS


@dataclass(frozen=True, slots=True)
class Unit:
    """Clients who are judged at once.

    Attributes:
        organisation: Whose.
        places: Each of them → the partition of their facts.
        own: Each of them → everything that was sent about them.
        mergers: What stands among them, as far as both records of it were read.
        half_read: Whether a merger of theirs is read under one key only, so far.
    """

    organisation: str
    places: Mapping[str, int]
    own: Mapping[str, Sequence[Envelope]]
    mergers: Mergers = NONE
    half_read: bool = False

    @property
    def members(self) -> list[str]:
        """The clients, in a fixed order."""
        return sorted(self.places)

    @property
    def whose(self) -> dict[Who, int]:
        """The same, with the partitions of their facts."""
        return {(self.organisation, one): self.places[one] for one in self.members}

    @property
    def every(self) -> list[Envelope]:
        """Everything that was sent about any of them, but for mergers that are half read."""
        return [envelope for one in self.members for envelope in self.own[one]]

    def waits(self, held: Collection[Who], behind: Collection[int]) -> bool:
        """Return whether they cannot be judged now.

        What is missing of one of them would be taken for silence, and what was told of them be
        taken back.

        Args:
            held: Clients who are held back.
            behind: Partitions that are read again, and were judged further than they stand.
        """
        if len(self.places) == 1 and not self.half_read:
            return False  # Whoever asks has seen to it.
        # Where the other record of a half read merger stands is not known.
        again = behind if self.half_read else set(behind) & set(self.places.values())
        return bool(again) or any(who in held for who in self.whose)


def units(db: Connection, tables: Tables, organisation: str, whose: Places) -> list[Unit]:
    """Return the units that some clients of one organisation belong to, each once.

    Whoever else judges any of those tied waits for the end of this transaction.
    """
    clients = [client for _, client in whose]
    tied = ties.of(db, tables.ties, organisation, clients, lock=True)
    wanted = [*clients, *sorted(tied.kin.keys() - set(clients))]
    arrivals = facts.of_clients(db, tables.facts, organisation, wanted)
    own = {client: [one.envelope for one in found] for client, found in arrivals.items()}
    at = {client: found[0].partition for client, found in arrivals.items() if found}
    at = {**tied.places, **{client: place for (_, client), place in whose.items()}, **at}
    if not tied.kin:
        return [Unit(organisation, {one: at[one]}, {one: own[one]}) for one in clients]
    return [
        _unit(organisation, group, at, own, tied)
        for group in dict.fromkeys(_joined(own, tied).values())
        if not group.isdisjoint(clients)
    ]


def behind(db: Connection, consumer: str) -> frozenset[int]:
    """Return the partitions that were once judged further than they stand now.

    The marks first: a partition that moves on meanwhile is no further behind for it.
    """
    prefix = marks.mark_name(consumer, "")
    asked = select(installation).where(installation.c.name.startswith(prefix, autoescape=True))
    judged = {int(one.name.removeprefix(prefix)): int(one.value) for one in db.execute(asked)}
    at = positions.all_of(db, consumer)
    return frozenset(
        place
        for place, mark in judged.items()
        if (EVENTS, place) not in at or at[EVENTS, place].next_offset < mark
    )


def origins(db: Connection, organisation: str, alerts: Iterable[str]) -> dict[str, str]:
    """Return alert → the client of its first step: it belongs to whoever reads that one."""
    named = sorted(alerts)
    found: dict[str, str] = {}
    for start in range(0, len(named), CHUNK):
        some = {"whose": organisation, "some": named[start : start + CHUNK]}
        found |= {row.alert: row.client for row in db.execute(_FIRST_STEPS, some)}
    return found


_FIRST_STEPS: Final = select(STEPS.c.alert, STEPS.c.client).where(
    STEPS.c.organisation == bindparam("whose"),
    STEPS.c.alert.in_(bindparam("some", expanding=True)),
    STEPS.c.number == 1,
)


def _joined(own: Mapping[str, Sequence[Envelope]], tied: Ties) -> dict[str, frozenset[str]]:
    """Return client → those whom mergers tie to them of which both records were read."""
    groups = {client: frozenset({client}) for client in own}
    for client in tied.kin:
        for envelope in own[client]:
            into = merged_into(envelope.event)
            if into is not None and _counts(into, tied):
                both = groups[client] | groups[into]
                groups |= dict.fromkeys(both, both)
    return groups


def _counts(into: str, tied: Ties) -> bool:
    """Return whether a merger that stands among the facts was read under the other key too."""
    return into in tied.places


def _unit(
    organisation: str,
    group: frozenset[str],
    at: Mapping[str, int],
    own: Mapping[str, Sequence[Envelope]],
    tied: Ties,
) -> Unit:
    half_read = any(tied.kin.get(one, group) != group for one in group)
    if len(group) == 1:
        (one,) = group
        return Unit(organisation, {one: at[one]}, {one: own[one]}, half_read=half_read)
    said = {one: [each for each in own[one] if _read_whole(each, tied)] for one in group}
    every = (envelope for one in sorted(group) for envelope in said[one])
    places = {one: at[one] for one in group}
    return Unit(organisation, places, said, mergers(every), half_read)


def _read_whole(envelope: Envelope, tied: Ties) -> bool:
    into: Any = merged_into(envelope.event)
    return into is None or _counts(into, tied)

"""The checker of what must always hold: a journal and an installation in, violations in words out.

It reads the stream itself from its beginning, and believes no position, count or metric. It runs
the project's own code, never that of the tree under test.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Table, select

from services.alerts import tables
from services.alerts.intake import RAPPORT, TICK
from services.projections import read_models
from shared.envelope import Envelope
from shared.ids import event_id
from shared.storage.facts import MANY
from shared.storage.positions import positions
from shared.storage.table_sets import FIRST
from shared.stream.codec import decode
from shared.stream.ports import EVENTS
from tests.faults.apart import not_apart
from tests.faults.faultless import unlike_faultless
from tests.faults.folds import not_a_fold
from tests.faults.installation import Installation
from tests.faults.journal import Document, Journal, Sending
from tests.faults.notices import told_wrongly
from tests.faults.records import Contents, contents
from tests.support.receiver import Received

NAMED: Final = 5
"""So many of a kind are named in full; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a checker may take for granted about a run.

    Attributes:
        messages: What the receivers got; None where nobody was to be told.
        redeliveries: How many messages may have been repeated, because the answer to an earlier
            attempt was lost: at most one for each deliverer that died.
        faultless: Whether to compare with a fault-free run of the same journal; wrong where the
            same id was sent with different contents.
        redone: Whether consumers are where the stream ends (false where none was restarted).
    """

    messages: Sequence[Received] | None = None
    redeliveries: int = 0
    faultless: bool = True
    caught_up: bool = True


def violations(
    installation: Installation, journal: Journal, expected: Expectation | None = None
) -> list[str]:
    """Return everything that does not hold of an installation; call it when that has settled.

    Args:
        installation: Whose stream and database.
        journal: What was sent, the unknowns sent again.
        expected: What may be taken for granted.
    """
    expected = expected or Expectation()
    found = contents(installation)
    wrong = [*lost(installation, journal, found), *effects(installation, found)]
    if expected.caught_up:
        wrong += stood_still(installation)
        wrong += not_a_fold(installation, found)
    wrong += not_apart(installation, found)
    wrong += told_wrongly(installation, expected.messages, expected.redeliveries)
    if expected.faultless:
        wrong += unlike_faultless(installation, journal, found)
    return _named(wrong)


def lost(installation: Installation, journal: Journal, found: Contents) -> Iterator[str]:
    """Say where acknowledged ⊆ stream ⊆ acknowledged ∪ unknown does not hold (invariant 1)."""
    acknowledged: set[str] = set()
    unknown: set[str] = set()
    for one in journal.sendings():
        if one.state == "acknowledged":
            acknowledged |= {event for event, _ in one.accepted}
            yield from _misnamed(installation, one)
        elif one.state == "unknown":
            unknown |= {name for d in one.documents if (name := _name(installation, one, d))}
    there = {
        envelope.id
        for record in found.of(EVENTS)
        if (envelope := decode(record)).sender != RAPPORT
    }
    for event in sorted(acknowledged - there):
        yield f"lost: event {event} was acknowledged and is not in the stream"
    for event in sorted(there - acknowledged - unknown):
        yield f"invented: event {event} is in the stream and nobody sent it"


def effects(installation: Installation, found: Contents) -> Iterator[str]:
    """Say where an event has no effect, or more than one (invariant 5)."""
    expected: Counter[tuple[str, str, int]] = Counter()
    for record in found.of(EVENTS):
        envelope = decode(record)
        own = envelope.client is None or not _copied(envelope, record.key)
        if envelope.event.type != TICK and own:
            expected[envelope.id, envelope.client or MANY, record.partition] = 1
    kept = {"projections": read_models.of(FIRST).facts.rows, "alerts": tables.of(FIRST).facts}
    for service, table in kept.items():
        rows = _rows(installation, table)
        for key, times in sorted((rows - expected).items()):
            yield f"{service}: event {key[0]} has {times} effect(s) too many"
        for key in sorted(expected - rows):
            yield f"{service}: event {key[0]} is in the stream and has no effect"


def stood_still(installation: Installation) -> Iterator[str]:
    """Say which consumer is kept as standing elsewhere than at the end of the stream."""
    ends = {
        (place.topic, place.number): end
        for topic in {topic for topic, _ in _positions(installation)}
        for place, end in installation.stream.ends(topic).items()
    }
    with installation.db.read() as db:
        for row in db.execute(select(positions)):
            end = ends[row.topic, row.partition]
            if row.next_offset != end:
                yield (
                    f"position: {row.consumer} stands at {row.next_offset} of {row.topic}"
                    f" {row.partition}, which ends at {end}"
                )


def _positions(installation: Installation) -> set[tuple[str, int]]:
    with installation.db.read() as db:
        return {(row.topic, row.partition) for row in db.execute(select(positions))}


def _misnamed(installation: Installation, one: Sending) -> Iterator[str]:
    """Say where a 202 answer names other events than were sent."""
    wanted = [_name(installation, one, document) for document in one.documents]
    named = [event for event, _ in one.accepted]
    if wanted != named:
        yield f"answer: sending {one.number} was acknowledged under other ids than it has"


def _name(installation: Installation, one: Sending, document: Document) -> str | None:
    """Return the id of a sent event; None where its client was never registered."""
    client = None
    if document.get("subject") is not None:
        tenant = next(t for t in installation.tenants if t.organisation == one.organisation)
        client = installation.client(tenant, document["subject"])
        if client is None:
            return None
    return event_id(one.organisation, client, document["source"], document["id"])


def _copied(envelope: Envelope, key: bytes) -> bool:
    return key != f"{envelope.organisation}:{envelope.client}".encode()


def _rows(installation: Installation, table: Table) -> Counter[tuple[str, str, int]]:
    with installation.db.read() as db:
        rows = db.execute(select(table.c.event, table.c.client, table.c.partition))
        return Counter((row.event, row.client, row.partition) for row in rows)


def _named(wrong: Sequence[str]) -> list[str]:
    """Return violations, of each kind a few in full and the number of the others."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for one in wrong:
        kinds[one.partition(":")[0]].append(one)
    short: list[str] = []
    for kind, some in kinds.items():
        short += some[:NAMED]
        short += [f"{kind}: and {len(some) - NAMED} more"] if len(some) > NAMED else []
    return short

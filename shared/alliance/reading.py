"""The rules of reading (contract.md): from a set of envelopes to the facts that stand.

Pure, and a function of the *set*: any order of arrival and any duplication give the same result,
for sets without conflicting contents under one id (invariant 2).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from shared.alliance.amendments import AMENDMENTS, Amendments, Key, WaitingAmendment
from shared.envelope import Envelope
from shared.events import EVENT_TYPES, upcast
from shared.values import frozen

FIRST_WORDS: Final[Mapping[str, str]] = {name: name.partition(".")[0] for name in EVENT_TYPES}
"""Type → its first word: what it speaks of."""

PROCESSING: Final = "processing"
"""The scope of consent whose withdrawal leaves out what occurs until it is given again."""

ALERTS: Final = "alerts"
"""The scope of consent whose withdrawal keeps what happens from being told of."""


@frozen
class Fact:
    """An event as it stands after its amendments.

    Attributes:
        event: The event's id everywhere in Rapport.
        type: Name without prefix.
        occurred_at: The (corrected) ``time``.
        recorded_at: When the original was recorded.
        known_at: When it came to stand as it does: the latest ``recorded_at`` of the original and
            of the amendments that shape it, and of the mergers by which it came to its client.
        source: The CloudEvents source as sent.
        id: The CloudEvents id as sent.
        sender: The registered source (``src_…``) it came through.
        data: The (corrected) fields; references opaque; in the newest version of the type.
        backfill: True for history sent afterwards.
        corrected: True when a correction shapes it.
        client: Opaque id, or None for a fact that concerns many.
    """

    event: str
    type: str
    occurred_at: datetime
    recorded_at: datetime
    known_at: datetime
    source: str
    id: str
    sender: str
    data: Mapping[str, Any]
    backfill: bool = False
    corrected: bool = False
    client: str | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """Other content under an id already taken: counted, shown, without effect.

    Attributes:
        event: The id, everywhere in Rapport, of the event that was there first.
        type: Its type.
        occurred_at: Its time.
        contents: How many other contents came under its id.
    """

    event: str
    type: str
    occurred_at: datetime
    contents: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands after the rules of reading.

    Attributes:
        facts: In fold order: (occurred_at, rank of the type, source, id).
        waiting: Amendments that stand and have nothing to amend (yet), in their own order.
        conflicts: In fold order of the events that were there first.
    """

    facts: tuple[Fact, ...]
    waiting: tuple[WaitingAmendment, ...]
    conflicts: tuple[Conflict, ...]


def standing(
    envelopes: Iterable[Envelope],
    *,
    known_at: datetime | None = None,
    valid_at: datetime | None = None,
) -> Standing:
    """Return the facts that stand, in the newest version of their types.

    Args:
        envelopes: In any order, any number of times, as the stream holds them.
        known_at: Leaves out what was recorded later, before amendments are applied; None is
            everything.
        valid_at: Leaves out what stands but occurred later; None is everything.
    """
    firsts, conflicts = _first_recorded(envelopes, known_at)
    originals, amendments = _parted(firsts)
    facts = [fact for key, envelope in originals if (fact := _fact(key, envelope, amendments))]
    facts.sort(key=fold_order)
    facts = _with_consent(facts)
    if valid_at is not None:
        facts = [fact for fact in facts if fact.occurred_at <= valid_at]
    return Standing(tuple(facts), amendments.waiting() if amendments else (), conflicts)


def _first_recorded(
    envelopes: Iterable[Envelope], known_at: datetime | None
) -> tuple[dict[Key, Envelope], tuple[Conflict, ...]]:
    """Return the first of each id; what else came under it has no effect."""
    firsts: dict[Key, Envelope] = {}
    contested: dict[Key, list[Envelope]] = {}
    for envelope in envelopes:
        if known_at is not None and envelope.recorded_at > known_at:
            continue
        event = envelope.event
        key = (envelope.organisation, event.subject, event.source, event.id)
        first = firsts.setdefault(key, envelope)
        if first is not envelope:
            contested.setdefault(key, [first]).append(envelope)
    conflicts = []
    for key, rivals in contested.items():
        firsts[key] = first = min(rivals, key=first_recorded)
        contents = len({rival.content for rival in rivals}) - 1
        if contents:
            event = first.event
            conflict = Conflict(first.id, event.type, event.time, contents)
            conflicts.append((as_sent(first), conflict))
    return firsts, tuple(conflict for _, conflict in sorted(conflicts, key=lambda one: one[0]))


def _parted(
    firsts: Mapping[Key, Envelope],
) -> tuple[list[tuple[Key, Envelope]], Amendments | None]:
    """Part the events, each in the newest version of its type, from what amends any of them."""
    originals: list[tuple[Key, Envelope]] = []
    amendments: dict[Key, Envelope] = {}
    for key, first in firsts.items():
        event = upcast(first.event)
        envelope = first if event is first.event else replace(first, event=event)
        if event.type in AMENDMENTS:
            amendments[key] = envelope
        else:
            originals.append((key, envelope))
    return originals, Amendments(amendments) if amendments else None


def as_sent(envelope: Envelope) -> tuple[datetime, int, str, str]:
    """Return the place of an event in fold order before any amendment."""
    event = envelope.event
    return (event.time, EVENT_TYPES[event.type].rank, event.source, event.id)


def first_recorded(envelope: Envelope) -> tuple[datetime, bool, str, str]:
    """Order what came under one id; the last three only make ties independent of any order."""
    return (envelope.recorded_at, envelope.event.backfill, envelope.content, envelope.sender)


def _fact(key: Key, envelope: Envelope, amendments: Amendments | None) -> Fact | None:
    event = envelope.event
    occurred_at, data, corrected = event.time, event.data, False
    known_at = envelope.recorded_at if envelope.read_since is None else envelope.known_since
    if amendments is not None and amendments.may_touch(key):
        shape = amendments.shape(key, envelope)
        if shape is None:
            return None
        occurred_at, data, corrected = shape.occurred_at, shape.data, shape.corrected
        known_at = known_at if shape.since is None else max(known_at, shape.since)
    return Fact(
        envelope.id,
        event.type,
        occurred_at,
        envelope.recorded_at,
        known_at,
        event.source,
        event.id,
        envelope.sender,
        data,
        event.backfill,
        corrected,
        event.subject,
    )


def fold_order(fact: Fact) -> tuple[datetime, int, str, str, str]:
    """Return the fold order; whose fact it is only parts what is equal in everything else."""
    return (fact.occurred_at, EVENT_TYPES[fact.type].rank, fact.source, fact.id, fact.client or "")


def _with_consent(facts: list[Fact]) -> list[Fact]:
    """Leave out what occurred while consent to processing was withdrawn.

    What is left out lies strictly between the withdrawal and the next giving. The words of
    consent themselves always stay, and what concerns many clients does.
    """
    gaps: dict[str | None, list[tuple[datetime, datetime | None]]] = {}
    for fact in facts:
        if FIRST_WORDS[fact.type] != "consent" or fact.data["scope"] != PROCESSING:
            continue
        spans = gaps.setdefault(fact.client, [])
        withdrawn = bool(spans) and spans[-1][1] is None
        if fact.type == "consent.withdrawn" and not withdrawn:
            spans.append((fact.occurred_at, None))
        elif fact.type == "consent.given" and withdrawn:
            spans[-1] = (spans[-1][0], fact.occurred_at)
    if not gaps:
        return facts
    return [fact for fact in facts if not _in_a_gap(fact, gaps.get(fact.client, []))]


def _in_a_gap(fact: Fact, gaps: list[tuple[datetime, datetime | None]]) -> bool:
    if fact.client is None or fact.type.startswith("consent."):
        return False
    return any(
        start < fact.occurred_at and (until is None or fact.occurred_at < until)
        for start, until in gaps
    )

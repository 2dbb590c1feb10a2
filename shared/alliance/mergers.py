"""References that turned out to stand for one client: what is read where. Pure.

A merger is a word about references, not about the person: it is amended under the reference that
it was sent with, and stands whatever consent says. Of several words on one reference the last in
fold order counts. A circle has no effect: each of its references goes on by itself.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal

import orjson

from shared.alliance.amendments import AMENDMENTS, CORRECTED, WaitingAmendment
from shared.alliance.reading import Fact, first_recorded, fold_order, standing
from shared.envelope import TYPE_PREFIX, Envelope, Event

MERGED: Final = "client.merged"

Without = Literal["circle", "later_word"]
"""Why a merger that stands has no effect."""


@dataclass(frozen=True, slots=True)
class Merger:
    """A merger that stands.

    Attributes:
        fact: Its ``client`` is merged into ``data["into"]``.
        without: Why it has no effect; None where it has.
    """

    fact: Fact
    without: Without | None

    @property
    def client(self) -> str:
        """The reference that is merged."""
        return self.fact.client or ""

    @property
    def into(self) -> str:
        """The reference under which the client goes on."""
        return str(self.fact.data["into"])


@dataclass(frozen=True, slots=True)
class Mergers:
    """What stands among references that were ever tied to each other.

    Attributes:
        stand: In fold order.
        into: Merged reference → the one that its merger names; only those with effect.
        waiting: Amendments of mergers that have nothing to amend (yet), by reference.
    """

    stand: tuple[Merger, ...] = ()
    into: Mapping[str, str] = field(default_factory=dict)
    waiting: Mapping[str, tuple[WaitingAmendment, ...]] = field(default_factory=dict)

    def read_at(self, client: str) -> str:
        """Return where a client's facts are read: at itself, unless it is merged."""
        while client in self.into:  # No circle has an effect, so this ends.
            client = self.into[client]
        return client

    def moved_at(self, client: str) -> datetime | None:
        """Return when it was known that a client is read where it is; None: at itself."""
        latest: datetime | None = None
        said = {one.client: one.fact.known_at for one in self.stand if one.without is None}
        while client in self.into:
            latest = said[client] if latest is None else max(latest, said[client])
            client = self.into[client]
        return latest

    def read_together(self, client: str) -> frozenset[str]:
        """Return whose facts are read at a client; nobody's at one that is merged."""
        if client in self.into:
            return frozenset()
        return frozenset({client, *(one for one in self.into if self.read_at(one) == client)})

    def shown_at(self, client: str) -> tuple[Merger, ...]:
        """Return the mergers that a client's timeline shows: all that touch what is read there."""
        here = self.read_together(client) or {client}
        return tuple(one for one in self.stand if here & {one.client, one.into})


NONE: Final = Mergers()
"""Of nearly every client: nothing was ever merged."""


def merged_into(event: Event) -> str | None:
    """Return whom an event merges its client into: a merger, or what corrects one."""
    data: Mapping[str, Any] = event.data
    if event.subject is None:
        return None
    if event.type == CORRECTED and _speaks_of_one(data["target"]):
        data = data["data"]
    elif event.type != MERGED:
        return None
    return str(data["into"])


def mergers(
    envelopes: Iterable[Envelope],
    *,
    known_at: datetime | None = None,
    valid_at: datetime | None = None,
) -> Mergers:
    """Return the mergers among the facts of clients: a function of the set of envelopes.

    Args:
        envelopes: Everything about clients that any merger ever tied to each other.
        known_at: As the stream stood then; None is everything.
        valid_at: Up to what occurred then; None is everything.
    """
    by_client: dict[str, list[Envelope]] = defaultdict(list)
    for envelope in envelopes:
        event = envelope.event
        if event.subject is not None and event.type in _SPEAKING:
            by_client[event.subject].append(envelope)
    found: list[Fact] = []
    last: dict[str, Fact] = {}
    waiting: dict[str, tuple[WaitingAmendment, ...]] = {}
    for client, some in by_client.items():
        read = standing(some, known_at=known_at, valid_at=valid_at)
        found += read.facts
        if read.facts:
            last[client] = read.facts[-1]
        waiting[client] = tuple(one for one in read.waiting if _speaks_of_one(one.target))
    named = {client: str(fact.data["into"]) for client, fact in last.items()}
    circles = {client for client in named if _returns(client, named)}
    return Mergers(
        tuple(
            Merger(fact, _without(fact, last, circles)) for fact in sorted(found, key=fold_order)
        ),
        {client: into for client, into in named.items() if client not in circles},
        waiting,
    )


def together(
    envelopes: Iterable[Envelope],
    found: Mergers,
    client: str,
    *,
    known_at: datetime | None = None,
) -> tuple[Envelope, ...]:
    """Return everything that is read at a client, as if it had been sent about that one alone.

    Each event keeps its id, and is known of this client since the merger was: what was judged
    before stays what it was. What came under one (source, id) is one event, of which the first
    recorded counts; if it says the same under another reference, that is no conflict. The
    mergers themselves, and what amends them, are left out.

    Args:
        envelopes: Everything about clients that any merger ever tied to each other.
        found: What stands among them.
        client: At whom it is read.
        known_at: As the stream stood then; None is everything.
    """
    here = found.read_together(client)
    by_client: dict[str, list[Envelope]] = defaultdict(list)
    for one in envelopes:
        if one.event.subject in here and (known_at is None or one.recorded_at <= known_at):
            by_client[one.event.subject or ""].append(one)
    read = [one for some in by_client.values() for one in _without_mergers(some)]
    since = {one: found.moved_at(one) for one in by_client}
    return tuple(_at(client, one, since[one.event.subject or ""]) for one in _one_event_each(read))


_SPEAKING: Final = frozenset({MERGED, *AMENDMENTS})


def _without(fact: Fact, last: Mapping[str, Fact], circles: set[str]) -> Without | None:
    client = fact.client or ""
    if last[client] is not fact:
        return "later_word"
    return "circle" if client in circles else None


def _returns(client: str, named: Mapping[str, str]) -> bool:
    """Return whether the way from a client leads back to it."""
    seen: set[str] = set()
    at = client
    while at in named and at not in seen:
        seen.add(at)
        at = named[at]
        if at == client:
            return True
    return False


def _without_mergers(envelopes: Sequence[Envelope]) -> list[Envelope]:
    """Return the facts of one client without mergers, what amends them, and so on."""
    left = list(envelopes)
    names: set[tuple[str, str]] = set()
    while True:
        out = [one for one in left if one.event.type == MERGED or _amends(one, names)]
        if not out:
            return left
        names |= {(one.event.source, one.event.id) for one in out}
        gone = {id(one) for one in out}
        left = [one for one in left if id(one) not in gone]


def _amends(one: Envelope, names: set[tuple[str, str]]) -> bool:
    """Return whether an event amends a merger, or one of the amendments named."""
    event = one.event
    if event.type not in AMENDMENTS:
        return False
    target = event.data["target"]
    if _speaks_of_one(target):
        return True
    of_an_amendment = _name(target) in AMENDMENTS
    return of_an_amendment and (target.get("source") or event.source, target["id"]) in names


def _speaks_of_one(target: Mapping[str, Any]) -> bool:
    return _name(target) == MERGED


def _name(target: Mapping[str, Any]) -> str:
    return str(target.get("type", "")).removeprefix(TYPE_PREFIX)


def _one_event_each(envelopes: Sequence[Envelope]) -> list[Envelope]:
    """Leave out what says, under another reference, what was said before under the same id."""
    by_name: dict[tuple[str, str], list[Envelope]] = defaultdict(list)
    for one in envelopes:
        by_name[one.event.source, one.event.id].append(one)
    found: list[Envelope] = []
    for several in by_name.values():
        if len({one.event.subject for one in several}) == 1:
            found += several
            continue
        said: dict[bytes, list[Envelope]] = defaultdict(list)
        for one in several:
            said[_said(one)].append(one)
        found += [min(same, key=first_recorded) for same in said.values()]
    return found


def _said(envelope: Envelope) -> bytes:
    """Return what an event says, whoever it says it of; not what ingest wrote in."""
    event = envelope.event
    data = {name: value for name, value in event.data.items() if name != "instrument_version"}
    return orjson.dumps([event.type, event.time, data], option=orjson.OPT_SORT_KEYS)


def _at(client: str, envelope: Envelope, since: datetime | None) -> Envelope:
    if envelope.event.subject == client:
        return envelope
    moved = replace(envelope.event, subject=client)
    return replace(envelope, event=moved, kept_id=envelope.id, read_since=since)

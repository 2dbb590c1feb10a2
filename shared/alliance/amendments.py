"""Which corrections and retractions stand, and what they make of an event (contract.md).

Pure, and a function of the set of amendments: never of the order in which they came.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from shared.clock import parse_time
from shared.envelope import TYPE_PREFIX, Envelope

CORRECTED: Final = "record.corrected"
RETRACTED: Final = "record.retracted"
AMENDMENTS: Final = frozenset({CORRECTED, RETRACTED})

KINDS: Final[Mapping[str, str]] = {
    "session": "session",
    "rating": "rating",
    "goal": "goal",
    "boundary": "boundary_event",
    "rupture": "rupture",
    "assignment": "assignment",
}
"""First word of a type → the kind of thing it speaks of, which is also the field of its ref."""

Because = Literal["target_not_seen", "circle", "not_amendable"]


Key = tuple[str, str | None, str, str]
"""What makes two envelopes the same event: organisation, client, source, id."""


class ThingName(NamedTuple):
    """Everything that speaks of one session, rating, goal, …"""

    organisation: str
    client: str | None
    kind: str
    ref: str


@dataclass(frozen=True, slots=True)
class WaitingAmendment:
    """An amendment that stands and changes nothing (yet).

    Attributes:
        event: Its id everywhere in Rapport.
        target: What it names, as sent.
        because: ``target_not_seen``; ``circle`` when amendments retract each other;
            ``not_amendable`` for a correction of an amendment (its original is to be amended).
    """

    event: str
    type: str
    occurred_at: datetime
    target: Mapping[str, str]
    because: Because = "target_not_seen"


@dataclass(frozen=True, slots=True)
class Shape:
    """What amendments make of an event that stands.

    Attributes:
        since: Latest recorded time of what shapes it; None where nothing does.
    """

    occurred_at: datetime
    data: Mapping[str, Any]
    since: datetime | None
    corrected: bool


@dataclass(slots=True, eq=False)
class _Amendment:
    """An amendment, and what is found out about it."""

    envelope: Envelope
    target: Key | ThingName
    target_type: str
    retracted_by: list["_Amendment"] = field(default_factory=list)
    undecided: int = 0
    stands: bool | None = None
    hits: bool = False

    @property
    def corrects(self) -> bool:
        return self.envelope.event.type == CORRECTED

    @property
    def order(self) -> tuple[datetime, str, str]:
        """The latest standing one in this order counts."""
        event = self.envelope.event
        return (event.time, event.source, event.id)


class Amendments:
    """All amendments among a set of events, each decided: it stands or it does not."""

    def __init__(self, amendments: Mapping[Key, Envelope]) -> None:
        """Decide all, each event given once under its key."""
        self._all = {key: _read(key, envelope) for key, envelope in amendments.items()}
        self._of_event: dict[Key, list[_Amendment]] = {}
        self._of_thing: dict[ThingName, list[_Amendment]] = {}
        for amendment in sorted(self._all.values(), key=lambda one: one.order):
            if isinstance(amendment.target, ThingName):
                self._of_thing.setdefault(amendment.target, []).append(amendment)
            else:
                self._of_event.setdefault(amendment.target, []).append(amendment)
        self._link()
        self._decide()

    def may_touch(self, key: Key) -> bool:
        """Return False, cheaply, where no amendment can concern an event."""
        return key in self._of_event or bool(self._of_thing)

    def shape(self, key: Key, envelope: Envelope) -> Shape | None:
        """Return what the amendments make of an event; None when it is retracted."""
        event = envelope.event
        counting, since = self._counting(key, event.type)
        if counting is None:
            occurred_at, data = event.time, event.data
        elif counting.corrects:
            body = counting.envelope.event.data
            moved = body.get("corrected_time")
            occurred_at = event.time if moved is None else parse_time(moved)
            data = body["data"]
        else:
            # Its thing may be taken back as well; that one waits for nothing either.
            self._swept(key, event.type, event.data)
            return None
        swept, swept_since = self._swept(key, event.type, data)
        if swept:
            return None
        latest = [moment for moment in (since, swept_since) if moment is not None]
        return Shape(occurred_at, data, max(latest, default=None), counting is not None)

    def waiting(self) -> tuple[WaitingAmendment, ...]:
        """Return, in order, what stands without effect; ask after every event was shaped."""
        idle = (one for one in self._all.values() if one.stands is not False and not one.hits)
        return tuple(_waiting(one) for one in sorted(idle, key=lambda one: one.order))

    def _link(self) -> None:
        """Find each retraction of an amendment; a correction of one has no effect."""
        for key, amendment in self._all.items():
            for other in self._of_event.get(key, ()):
                if other.target_type == amendment.envelope.event.type and not other.corrects:
                    amendment.retracted_by.append(other)
            amendment.undecided = len(amendment.retracted_by)

    def _decide(self) -> None:
        """Decide from the free ends inwards; what is left retracts itself in a circle.

        An amendment stands unless a retraction of it stands. Worked off as a queue, because a
        chain of retractions may be of any length.
        """
        queue = [one for one in self._all.values() if not one.undecided]
        for one in queue:
            one.stands = True
        while queue:
            one = queue.pop()
            target = None if one.corrects else self._amended_by(one)
            if target is None:
                continue
            one.hits = True
            target.undecided -= 1
            if target.stands is None and (one.stands or not target.undecided):
                target.stands = not one.stands
                queue.append(target)

    def _amended_by(self, one: _Amendment) -> _Amendment | None:
        target = self._all.get(one.target) if not isinstance(one.target, ThingName) else None
        return target if target and target.envelope.event.type == one.target_type else None

    def _counting(self, key: Key, type: str) -> tuple[_Amendment | None, datetime | None]:
        """Return the latest standing amendment of an event, and since when it is the latest."""
        since: datetime | None = None
        counting: _Amendment | None = None
        for one in reversed(self._of_event.get(key, ())):
            if one.target_type != type:
                continue
            if one.stands:
                one.hits = True
                counting = counting or one
            if counting is None or counting is one:
                since = _later(since, _latest_word(one))
        return counting, since

    def _swept(self, key: Key, type: str, data: Mapping[str, Any]) -> tuple[bool, datetime | None]:
        """Return whether everything of the event's thing is retracted, else since when not."""
        kind = KINDS.get(type.partition(".")[0]) if self._of_thing else None
        if kind is None or data.get(kind) is None:
            return False, None
        since: datetime | None = None
        swept = False
        thing = ThingName(key[0], key[1], kind, data[kind])
        for one in self._of_thing.get(thing, ()):
            since = _later(since, _latest_word(one))
            if one.stands:
                one.hits = swept = True
        return swept, since


def _read(key: Key, envelope: Envelope) -> _Amendment:
    organisation, client, source, _ = key
    target = envelope.event.data["target"]
    if "kind" in target:
        thing = ThingName(organisation, client, target["kind"], target["ref"])
        return _Amendment(envelope, thing, "")
    named = (organisation, client, target.get("source") or source, target["id"])
    return _Amendment(envelope, named, target["type"].removeprefix(TYPE_PREFIX))


def _latest_word(amendment: _Amendment) -> datetime:
    """Return when the last of an amendment and of all that retracts it was recorded."""
    seen: set[int] = set()
    ahead = [amendment]
    latest = amendment.envelope.known_since
    while ahead:
        one = ahead.pop()
        if id(one) not in seen:
            seen.add(id(one))
            latest = max(latest, one.envelope.known_since)
            ahead.extend(one.retracted_by)
    return latest


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else max(one, other)


def _waiting(one: _Amendment) -> WaitingAmendment:
    envelope = one.envelope
    because: Because = "target_not_seen"
    if one.stands is None:
        because = "circle"
    elif one.corrects and one.target_type in AMENDMENTS:
        because = "not_amendable"
    event = envelope.event
    return WaitingAmendment(
        envelope.id, event.type, event.time, dict(event.data["target"]), because
    )

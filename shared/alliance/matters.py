"""Which facts belong to one boundary matter, and whom it concerns (invariant 10). Pure.

Every version of a matter counts: a correction that takes a name away, or a retraction, does not
open the matter to the person it once named; one that names another matter, or a merger, makes two
matters one. What cannot be placed (an amendment whose target has not arrived, a step of a matter
never noted) concerns nobody knows whom: no key that belongs to a person may know of it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.alliance.amendments import AMENDMENTS, CORRECTED, RETRACTED
from shared.alliance.reading import first_recorded
from shared.envelope import Envelope

BOUNDARY: Final = "boundary."
NOTED: Final = "boundary.noted"
CONCERNED: Final = (BOUNDARY, CORRECTED, RETRACTED)
"""Types that may belong to a boundary matter begin so."""

UNKNOWN: Final = "*"
"""Whom it concerns is not known (yet): nobody whose key belongs to a person reads it."""


Named = Mapping[tuple[str, str], Sequence[Envelope]]
"""(source, id) → the events of that name."""


@dataclass(frozen=True, slots=True)
class Matters:
    """The boundary matters among the facts of one client.

    Attributes:
        refs: Event id → the matter that it belongs to; None where it cannot be placed. Events
            that belong to no boundary matter are absent.
        concerns: Matter → everybody whom any version of it ever named. A matter that was never
            noted is absent.
        protected: Matters whose reporter any version of them protects.
        presumed: Matter → everybody named in it, and its therapists: whom it may concern where
            it was never noted.
    """

    refs: Mapping[str, str | None]
    concerns: Mapping[str, frozenset[str]]
    protected: frozenset[str]
    presumed: Mapping[str, frozenset[str]]

    def cleared(self, event: str, person: str) -> bool:
        """Return whether the bearer of a key bound to ``person`` may know of an event."""
        if event not in self.refs:
            return True
        named = self.concerned(event)
        return named is not None and person not in named

    def concerned(self, event: str) -> frozenset[str] | None:
        """Return whom the matter of an event ever named; None where that is not known."""
        ref = self.refs.get(event)
        return None if ref is None else self.concerns.get(ref)

    def kept_from(self, events: Iterable[str]) -> frozenset[str]:
        """Return from whom each of some events is kept: who must not know that there are any.

        Among them is ``UNKNOWN`` where they are kept from everybody whose key belongs to a person.
        """
        found = {event: self.concerned(event) for event in events}
        if not found or not found.keys() <= self.refs.keys():
            return frozenset()
        named = [people for people in found.values() if people is not None]
        return frozenset.intersection(*named) if named else frozenset({UNKNOWN})

    def people(self, events: Iterable[str]) -> frozenset[str]:
        """Return whom the boundary events among ``events`` concern.

        Of one that was never noted that is not known: its therapists are presumed, and
        ``UNKNOWN`` is among them.
        """
        found: set[str] = set()
        for event in events:
            if event in self.refs:
                ref = self.refs[event]
                named = None if ref is None else self.concerns.get(ref)
                found |= (self.presumed.get(ref or "", frozenset()) | {UNKNOWN}
                          if named is None else named)  # fmt: skip
        return frozenset(found)


_NO_MATTERS: Final = Matters({}, {}, frozenset(), {})


def matters(envelopes: Iterable[Envelope]) -> Matters:
    """Sort the boundary matters out of the facts of one client."""
    facts = list(envelopes)
    if not any(one.event.type.startswith(CONCERNED) for one in facts):
        return _NO_MATTERS
    same = _Same()
    refs = _placed(facts, same)
    concerns: dict[str, set[str]] = defaultdict(set)
    presumed: dict[str, set[str]] = defaultdict(set)
    protected: set[str] = set()
    arrived: set[str] = set()
    for envelope in facts:
        ref = refs.get(envelope.id)
        said = None if ref is None else _fields(envelope)
        if ref is None or said is None:
            continue
        root = same.root(ref)
        presumed[root] |= {said[name] for name in ("therapist", "concerns") if said.get(name)}
        if "area" not in said:  # Only a noted boundary event has one.
            continue
        concerns[root] |= {said["concerns"]} if said.get("concerns") else set()
        if said.get("reporter_protected"):
            protected.add(root)
        if envelope.event.type == NOTED:
            arrived.add(root)
    return Matters(
        refs={event: None if ref is None else same.root(ref) for event, ref in refs.items()},
        concerns={ref: frozenset(concerns[ref]) for ref in arrived},
        protected=frozenset(protected),
        presumed={ref: frozenset(people) for ref, people in presumed.items()},
    )


def noted_fields(envelope: Envelope) -> Mapping[str, Any] | None:
    """Return the fields of a noted boundary event, as sent or as corrected."""
    said = _fields(envelope)
    return said if said is not None and "area" in said else None


def by_names(envelopes: Iterable[Envelope]) -> Named:
    """Return (source, id) → the events of that name: several where clients were merged."""
    found: dict[tuple[str, str], list[Envelope]] = defaultdict(list)
    for one in envelopes:
        found[one.event.source, one.event.id].append(one)
    return found


def target_of(envelope: Envelope, by_name: Named) -> Envelope | None:
    """Return what an amendment amends in the end, if that has arrived.

    That is an event; or, where a thing was taken back as a whole, what took it back.
    """
    seen: set[str] = set()
    at: Envelope | None = envelope
    while at is not None and at.event.type in AMENDMENTS and at.id not in seen:
        seen.add(at.id)
        target = at.event.data["target"]
        if "kind" in target:
            break
        name = (target.get("source") or at.event.source, target["id"])
        at = _meant(at, by_name.get(name, ()))
    return None if at is envelope else at


def _meant(amendment: Envelope, several: Sequence[Envelope]) -> Envelope | None:
    """Return which of several events of one name an amendment means.

    Clients who were merged may have used one id for different events: then it means one of the
    type that it names, and of its own client before another's.
    """
    if len(several) < 2:
        return next(iter(several), None)
    named = type_of_target(amendment.event.data)
    fitting = [one for one in several if one.event.type == named] or several
    own = [one for one in fitting if one.event.subject == amendment.event.subject]
    return min(own or fitting, key=first_recorded)


def taken_back(envelope: Envelope) -> set[tuple[str, str]]:
    """Return the thing that an event takes back as a whole, if it does."""
    target = envelope.event.data["target"] if envelope.event.type == RETRACTED else {}
    return {(target["kind"], target["ref"])} if "kind" in target else set()


def type_of_target(data: Mapping[str, Any]) -> str:
    """Return the type that an amendment says its target has."""
    return str(data["target"].get("type", "")).removeprefix("rapport.")


class _Same:
    """Matters that are one: a correction renamed it, or it was merged into another."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def root(self, ref: str) -> str:
        while ref in self._parent:
            ref = self._parent[ref]
        return ref

    def join(self, one: str, other: str) -> None:
        first, second = self.root(one), self.root(other)
        if first != second:
            self._parent[max(first, second)] = min(first, second)


def _placed(facts: Sequence[Envelope], same: _Same) -> dict[str, str | None]:
    """Return event id → matter, following amendments of amendments to what they amend."""
    by_name = by_names(facts)
    refs: dict[str, str | None] = {}
    for envelope in facts:
        if not envelope.event.type.startswith(CONCERNED):
            continue
        target = target_of(envelope, by_name)
        said = _said(envelope) + ([] if target is None else _said(target))
        for ref in said[1:]:
            same.join(said[0], ref)
        if said:
            refs[envelope.id] = said[0]
        elif _speaks_of_boundaries(envelope, target):
            refs[envelope.id] = None
    return refs


def _said(envelope: Envelope) -> list[str]:
    """Return the matters that an event names itself."""
    event = envelope.event
    if event.type == RETRACTED:
        target = event.data["target"]
        return [target["ref"]] if target.get("kind") == "boundary_event" else []
    said = _fields(envelope) or {}
    return [ref for ref in (said.get("boundary_event"), said.get("merged_into")) if ref]


def _fields(envelope: Envelope) -> Mapping[str, Any] | None:
    """Return the fields of a boundary event, as sent or as corrected."""
    event = envelope.event
    if event.type.startswith(BOUNDARY):
        return event.data
    if event.type != CORRECTED:
        return None
    inner: Mapping[str, Any] = event.data["data"]
    return inner if inner.get("boundary_event") else None


def _speaks_of_boundaries(envelope: Envelope, target: Envelope | None) -> bool:
    """Return whether an event that names no matter may belong to one nevertheless."""
    if envelope.event.type not in AMENDMENTS:
        return envelope.event.type.startswith(BOUNDARY)
    if target is not None and taken_back(target):
        return False
    if target is not None and target.event.type not in AMENDMENTS:
        return target.event.type.startswith(BOUNDARY)
    named = type_of_target(envelope.event.data)
    return named.startswith(BOUNDARY) or named in AMENDMENTS

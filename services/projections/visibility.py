"""Who may see which boundary matter: decided on the facts, before anything is folded from them.

A key may belong to a person. Boundary matters that concern that person are then left out of every
timeline before it is folded, so that no figure, amendment or alert can give them away (invariant
10). The reporter of a matter is left out for everybody where the reporter is protected: a key has
no role, and only governance and safeguarding may know.

Every version of a matter counts: a correction that takes a name away, or a retraction, does not
open the matter to the person it once named. What cannot be placed (an amendment whose target has
not arrived, a step of a matter never noted) is shown to no person-bound key at all.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from shared.alliance.amendments import AMENDMENTS, CORRECTED, KINDS, RETRACTED
from shared.alliance.reading import standing
from shared.envelope import Envelope

BOUNDARY = "boundary."
NOTED = "boundary.noted"
CONCERNED = (BOUNDARY, CORRECTED, RETRACTED)
"""Types that may belong to a boundary matter begin so."""


@dataclass(frozen=True, slots=True)
class Matters:
    """The boundary matters among the facts of one client.

    Attributes:
        refs: Event id → the matter that it belongs to; None where it cannot be placed. Events
            that belong to no boundary matter are absent.
        concerns: Matter → everybody whom any version of it ever named. A matter that was never
            noted is absent.
        protected: Matters whose reporter any version of them protects.
    """

    refs: Mapping[str, str | None]
    concerns: Mapping[str, frozenset[str]]
    protected: frozenset[str]

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


_NO_MATTERS: Final = Matters({}, {}, frozenset())


def matters(envelopes: Iterable[Envelope]) -> Matters:
    """Sort the boundary matters out of the facts of one client."""
    facts = list(envelopes)
    if not any(one.event.type.startswith(CONCERNED) for one in facts):
        return _NO_MATTERS
    same = _Same()
    refs = _placed(facts, same)
    concerns: dict[str, set[str]] = defaultdict(set)
    protected: set[str] = set()
    arrived: set[str] = set()
    for envelope in facts:
        noted = _noted(envelope)
        ref = None if noted is None else refs.get(envelope.id)
        if ref is None or noted is None:
            continue
        concerns[same.root(ref)] |= {noted["concerns"]} if noted.get("concerns") else set()
        if noted.get("reporter_protected"):
            protected.add(same.root(ref))
        if envelope.event.type == NOTED:
            arrived.add(same.root(ref))
    return Matters(
        refs={event: None if ref is None else same.root(ref) for event, ref in refs.items()},
        concerns={ref: frozenset(concerns[ref]) for ref in arrived},
        protected=frozenset(protected),
    )


def visible(
    envelopes: Sequence[Envelope], known: Matters, person: str | None
) -> tuple[Envelope, ...]:
    """Return what a caller may see: without matters about them, without protected reporters."""
    if not known.refs:
        return tuple(envelopes)
    return tuple(
        _without_reporter(envelope, known)
        for envelope in envelopes
        if person is None or known.cleared(envelope.id, person)
    )


def within(envelopes: Sequence[Envelope], clinics: frozenset[str]) -> tuple[Envelope, ...]:
    """Return what happened in some clinics; nothing when nothing about the client did.

    What a fact's clinic is, its corrections decide. Consent is the client's own word, and counts
    everywhere. An amendment goes with what it amends, whichever clinic sent it.
    """
    corrected = {fact.event: fact.data.get("clinic") for fact in standing(envelopes).facts}
    by_name = {(one.event.source, one.event.id): one for one in envelopes}
    about = {one.id: _target(one, by_name) or one for one in envelopes}

    def happened_there(envelope: Envelope) -> bool:
        meant = about[envelope.id]
        return corrected.get(meant.id, meant.event.data.get("clinic")) in clinics

    there = {one.id for one in envelopes if happened_there(one)}
    things = {thing for one in envelopes if one.id in there for thing in _things(one)}
    there |= {one.id for one in envelopes if not things.isdisjoint(_taken_back(about[one.id]))}
    if all(one.id not in there or _everywhere(one) for one in envelopes):
        return ()
    return tuple(one for one in envelopes if one.id in there or _everywhere(one))


def _things(envelope: Envelope) -> set[tuple[str, str]]:
    """Return the thing, as kind and reference, that an event speaks of, or its correction does."""
    event, data = envelope.event, envelope.event.data
    corrects = event.type == CORRECTED
    spoken = _type_of_target(data) if corrects else event.type
    kind = KINDS.get(spoken.partition(".")[0], "")
    ref = (data["data"] if corrects else data).get(kind)
    return {(kind, ref)} if ref else set()


def _taken_back(envelope: Envelope) -> set[tuple[str, str]]:
    """Return the thing that an event takes back as a whole, if it does."""
    target = envelope.event.data["target"] if envelope.event.type == RETRACTED else {}
    return {(target["kind"], target["ref"])} if "kind" in target else set()


def _everywhere(envelope: Envelope) -> bool:
    return envelope.event.type.startswith("consent.")


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
    by_name = {(f.event.source, f.event.id): f for f in facts}
    refs: dict[str, str | None] = {}
    for envelope in facts:
        if not envelope.event.type.startswith(CONCERNED):
            continue
        target = _target(envelope, by_name)
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
    if event.type.startswith(BOUNDARY):
        found = [event.data.get("boundary_event"), event.data.get("merged_into")]
    elif event.type == CORRECTED:
        inner = event.data["data"]
        found = [inner.get("boundary_event"), inner.get("merged_into")]
    elif event.type == RETRACTED and event.data["target"].get("kind") == "boundary_event":
        found = [event.data["target"].get("ref")]
    else:
        found = []
    return [ref for ref in found if ref]


def _target(envelope: Envelope, by_name: Mapping[tuple[str, str], Envelope]) -> Envelope | None:
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
        at = by_name.get((target.get("source") or at.event.source, target["id"]))
    return None if at is envelope else at


def _speaks_of_boundaries(envelope: Envelope, target: Envelope | None) -> bool:
    """Return whether an event that names no matter may belong to one nevertheless."""
    if envelope.event.type not in AMENDMENTS:
        return envelope.event.type.startswith(BOUNDARY)
    if target is not None and _taken_back(target):
        return False
    if target is not None and target.event.type not in AMENDMENTS:
        return target.event.type.startswith(BOUNDARY)
    named = _type_of_target(envelope.event.data)
    return named.startswith(BOUNDARY) or named in AMENDMENTS


def _type_of_target(data: Mapping[str, Any]) -> str:
    return str(data["target"].get("type", "")).removeprefix("rapport.")


def _noted(envelope: Envelope) -> Mapping[str, Any] | None:
    """Return the fields of a noted boundary event, as sent or as corrected."""
    event = envelope.event
    if event.type == NOTED:
        return event.data
    if event.type == CORRECTED:
        inner: Mapping[str, Any] = event.data["data"]
        return inner if "boundary_event" in inner and "area" in inner else None
    return None


def _without_reporter(envelope: Envelope, known: Matters) -> Envelope:
    noted = _noted(envelope)
    if noted is None or known.refs.get(envelope.id) not in known.protected:
        return envelope
    hidden = {**noted, "reported_by": None}
    event = envelope.event
    data = hidden if event.type == NOTED else {**event.data, "data": hidden}
    return replace(envelope, event=replace(event, data=data))

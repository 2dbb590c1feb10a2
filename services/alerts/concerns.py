"""Whom boundary events concern, so that nobody reads what is about them (invariant 10). Pure.

Every version of a matter counts: a correction that takes a name away does not open the matter to
the person it once named; one that names another matter, or a merger, makes two matters one.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from shared.envelope import Envelope

UNKNOWN: Final = "*"
"""Whom it concerns is not known (yet): nobody whose key belongs to a person reads it."""

_BOUNDARY: Final = "boundary."
_CORRECTED: Final = "record.corrected"


class Concerns:
    """The boundary events among the facts of one client, and whom they concern."""

    def __init__(self, envelopes: Iterable[Envelope]) -> None:
        """Read the envelopes; those of other matters say nothing here."""
        self._same: dict[str, str] = {}
        self._refs: dict[str, str] = {}
        self._names: dict[tuple[str, str], str] = {}
        said = [(one, data) for one in envelopes if (data := _said(one)) is not None]
        for envelope, data in said:
            self._place(envelope, data)
        for envelope, data in said:
            self._join(envelope, data)
        self._people: dict[str, set[str]] = defaultdict(set)
        self._therapists: dict[str, set[str]] = defaultdict(set)
        for _, data in said:
            self._read(data)

    def of(self, events: Iterable[str]) -> frozenset[str]:
        """Return whom the boundary events among ``events`` concern.

        Of one that was never noted that is not known: its therapists are presumed, and
        ``UNKNOWN`` is among them.
        """
        refs = {self._root(self._refs[event]) for event in events if event in self._refs}
        found = (self._of_one(ref) for ref in refs)
        return frozenset().union(*found)

    def _of_one(self, ref: str) -> Collection[str]:
        if ref in self._people:
            return self._people[ref]
        return {*self._therapists[ref], UNKNOWN}

    def _place(self, envelope: Envelope, data: Mapping[str, Any]) -> None:
        event = envelope.event
        if event.type.startswith(_BOUNDARY):
            self._refs[envelope.id] = data["boundary_event"]
            self._names[event.source, event.id] = data["boundary_event"]

    def _join(self, envelope: Envelope, data: Mapping[str, Any]) -> None:
        """Make one of the matters that an event, its correction or a merger names."""
        others = [data.get("merged_into") or data["boundary_event"]]
        if envelope.event.type == _CORRECTED:
            target = envelope.event.data["target"]
            name = (target.get("source") or envelope.event.source, target["id"])
            others.append(self._names.get(name, others[0]))
        for other in others:
            first, second = self._root(data["boundary_event"]), self._root(other)
            if first != second:
                self._same[max(first, second)] = min(first, second)

    def _root(self, ref: str) -> str:
        while ref in self._same:
            ref = self._same[ref]
        return ref

    def _read(self, data: Mapping[str, Any]) -> None:
        ref = self._root(data["boundary_event"])
        if "area" in data:  # Only a noted boundary event has one.
            self._people[ref] |= {data["concerns"]} if data.get("concerns") else set()
        if data.get("therapist"):
            self._therapists[ref].add(data["therapist"])


def _said(envelope: Envelope) -> Mapping[str, Any] | None:
    """Return the fields of a boundary event, as sent or as corrected."""
    event = envelope.event
    if event.type.startswith(_BOUNDARY):
        return event.data
    if event.type != _CORRECTED:
        return None
    inner: Mapping[str, Any] = event.data["data"]
    return inner if inner.get("boundary_event") else None

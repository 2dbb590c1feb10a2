"""Whom boundary events concern, so that nobody reads what is about them (invariant 10). Pure.

Every version of a matter counts: a correction that takes a name away does not open the matter to
the person it once named.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Final

from shared.envelope import Envelope

UNKNOWN: Final = "*"
"""Whom it concerns is not known (yet): nobody whose key belongs to a person reads it."""

_BOUNDARY: Final = "boundary."
_CORRECTED: Final = "record.corrected"


class Concerns:
    """The boundary events among the facts of one client, and whom they concern."""

    def __init__(self, envelopes: Iterable[Envelope]) -> None:
        """Read the envelopes; those of other matters say nothing here."""
        self._refs: dict[str, str] = {}
        self._people: dict[str, set[str]] = defaultdict(set)
        self._therapists: dict[str, set[str]] = defaultdict(set)
        for envelope in envelopes:
            self._read(envelope)

    def of(self, events: Iterable[str]) -> frozenset[str]:
        """Return whom the boundary events among ``events`` concern.

        Of one that was never noted that is not known: its therapists are presumed, and
        ``UNKNOWN`` is among them.
        """
        refs = {self._refs[event] for event in events if event in self._refs}
        found = (self._of_one(ref) for ref in refs)
        return frozenset().union(*found)

    def _of_one(self, ref: str) -> Collection[str]:
        if ref in self._people:
            return self._people[ref]
        return {*self._therapists[ref], UNKNOWN}

    def _read(self, envelope: Envelope) -> None:
        event = envelope.event
        boundary = event.type.startswith(_BOUNDARY)
        if not boundary and event.type != _CORRECTED:
            return
        data = event.data if boundary else event.data["data"]
        ref = data.get("boundary_event")
        if ref is None:
            return
        if boundary:
            self._refs[envelope.id] = ref
        if "area" in data:  # Only a noted boundary event has one.
            self._people[ref] |= {data["concerns"]} if data.get("concerns") else set()
        if data.get("therapist"):
            self._therapists[ref].add(data["therapist"])

"""What comes in: facts stored once, whom they concern, and when each source was heard last."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from services.alerts import caseloads, sightings, store
from services.alerts.alert import ACTIONS
from services.alerts.organisations import Organisations
from services.alerts.rule import Rule
from services.alerts.seen import SEEN, WORDS, Sight, said_anyway
from services.alerts.tables import Tables
from shared import metrics
from shared.alliance.amendments import AMENDMENTS
from shared.alliance.calendar import local_date
from shared.alliance.mergers import merged_into
from shared.clock import EPOCH
from shared.envelope import Envelope
from shared.storage import facts, shared_facts, ties
from shared.storage.facts import Arrival, Stored
from shared.storage.replacing import Who
from shared.stream.handling import Item

TICK: Final = "clock.ticked"
RAPPORT: Final = "rapport"
"""The sender of what Rapport writes itself: no source, so it is never silent."""

FIRST: Final = 0
"""The partition in which feeds are judged: they concern no client, and stand in every one."""

FEED_TYPES: Final = frozenset({"feed.silent", "feed.resumed"})

ORDERS: Final = frozenset({"rule.configured", "clinic.configured", SEEN, *AMENDMENTS})
"""What may change how rules are judged, without a client."""

LATE_AFTER: Final = timedelta(days=1)


class Intake:
    """Stores what comes; judges nothing."""

    def __init__(
        self, name: str, tables: Tables, rules: Sequence[Rule], organisations: Organisations
    ) -> None:
        """Store nothing yet.

        Args:
            name: The consumer's, for its metrics.
            tables: Of the generation that is filled.
            rules: Those about phases: what concerns many must be such that they can read it.
            organisations: Reads what concerns many.
        """
        self._name = name
        self._tables = tables
        self._rules = rules
        self._organisations = organisations

    def take(self, db: Connection, batch: Sequence[Item]) -> dict[Who, int]:
        """Store the facts of a batch; return whom they concern, each with its partition."""
        stored = self.store(db, batch)
        self._count(stored)
        return _tied(batch) | {
            who: arrival.partition
            for arrival in stored.new
            for who in self._concerned(db, arrival.partition, arrival.envelope)
        }

    def store(self, db: Connection, batch: Sequence[Item]) -> Stored:
        """Store the facts of a batch, and who sent them; ticks are no facts."""
        told = [one for one in batch if one.envelope.event.type != TICK]
        arrivals = [one.arrival for one in told]
        ties.note(db, self._tables.ties, arrivals)
        stored = facts.store(db, self._tables.facts, arrivals)
        shared_facts.note(db, self._tables.shared, stored.new)
        store.note_senders(
            db,
            self._tables,
            (
                (one.record.partition, one.envelope)
                for one in told
                if one.envelope.sender != RAPPORT
            ),
        )
        self._read_at_once(db, stored.new)
        self._note_seen(db, stored.new)
        return stored

    def _read_at_once(self, db: Connection, new: Sequence[Arrival]) -> None:
        """Read what concerns many where it arrives, even if it concerns nobody yet.

        What cannot be read must be found at that fact, not at the next client who meets it.
        """
        for organisation, partition in sorted({(one.envelope.organisation, one.partition)
                                               for one in new
                                               if one.envelope.client is None}):  # fmt: skip
            around = self._organisations.of(db, organisation, partition)
            around.history_after("")
            for clinic in around.around.clinics.values():
                local_date(clinic, EPOCH)
            for rule in self._rules:
                around.orders(rule, "")

    def _note_seen(self, db: Connection, new: Sequence[Arrival]) -> None:
        """Remember what was seen from a clinic, until the stream itself says that it was."""
        said: dict[tuple[str, int], frozenset[Sight]] = {}
        fresh: dict[tuple[str, str, str], datetime] = {}
        for arrival in new:
            envelope, event = arrival.envelope, arrival.envelope.event
            if event.type not in WORDS:
                continue
            place = (envelope.organisation, arrival.partition)
            if place not in said:
                around = self._organisations.before(*place)
                said[place] = around.seen if around else frozenset()
            sight = (event.data["clinic"], event.type)
            if sight not in said[place]:
                key = (envelope.organisation, *sight)
                fresh[key] = min(envelope.recorded_at, fresh.get(key, envelope.recorded_at))
        sightings.note(db, self._tables, fresh)

    def _concerned(self, db: Connection, partition: int, envelope: Envelope) -> set[Who]:
        """Return who is to be judged again because of an event."""
        organisation, event = envelope.organisation, envelope.event
        if event.subject is not None:
            return {(organisation, event.subject)}
        data = event.data
        if event.type in FEED_TYPES:
            found = store.clients_of(
                db, self._tables, organisation, partition, clinics=data["clinics"]
            )
            if partition == FIRST:
                found |= caseloads.therapists(db, self._tables, organisation)
                found.add((organisation, data["source"]))
            return found
        if event.type in ACTIONS:
            about = store.client_of(db, self._tables, organisation, data["alert"])
            return {(organisation, about)} if about and partition == FIRST else set()
        if event.type == "therapist.away":
            # What the cover holds belongs to the covered phase: both are read anew.
            both = {data["therapist"], data.get("cover") or data["therapist"]}
            found = store.clients_of(db, self._tables, organisation, partition, therapists=both)
            return found | self._caseload(organisation, partition, data)
        if event.type == SEEN and self._arms_nothing(db, organisation, partition, data):
            return set()
        return self._at_a_clinic(db, partition, envelope)

    def _arms_nothing(
        self, db: Connection, organisation: str, partition: int, data: Mapping[str, Any]
    ) -> bool:
        """Return whether what was seen changes nobody's orders: thousands are judged for less."""
        around = self._organisations.of(db, organisation, partition)
        return said_anyway(around.facts, data["clinic"], data["type"])

    def _at_a_clinic(self, db: Connection, partition: int, envelope: Envelope) -> set[Who]:
        """Return whom an event concerns that is about a clinic, or about all of them."""
        organisation, event = envelope.organisation, envelope.event
        data = event.data
        everywhere = data.get("clinic") is None or event.type in AMENDMENTS
        clinics = None if everywhere else {data["clinic"]}
        found = store.clients_of(db, self._tables, organisation, partition, clinics=clinics)
        if event.type in ORDERS and partition == FIRST:
            found |= caseloads.therapists(db, self._tables, organisation)
        if event.type == "supervision.held":
            found |= self._caseload(organisation, partition, data)
        return found

    def _caseload(self, organisation: str, partition: int, data: Mapping[str, Any]) -> set[Who]:
        """Return whose caseload a fact about a therapist concerns: judged in one partition."""
        return {(organisation, data["therapist"])} if partition == FIRST else set()

    def _count(self, stored: Stored) -> None:
        metrics.DUPLICATES.labels(self._name).inc(len(stored.duplicates))
        metrics.CONFLICTS.labels(self._name).inc(len(stored.conflicts))
        late = (one.envelope for one in stored.new if not one.envelope.event.backfill)
        metrics.LATE.labels(self._name).inc(
            sum(one.recorded_at - one.event.time > LATE_AFTER for one in late)
        )


def _tied(batch: Sequence[Item]) -> dict[Who, int]:
    """Return into whom clients are merged, by the records that stand under their keys."""
    copied = [one.arrival for one in batch if one.arrival.elsewhere]
    return {
        (one.envelope.organisation, into): one.partition
        for one in copied
        if (into := merged_into(one.envelope.event)) is not None
    }

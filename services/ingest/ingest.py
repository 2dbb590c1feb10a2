"""The way in: drafts → admitted events → records in the stream. Knows nothing of HTTP."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from services.ingest.adapter import Ignored, Reading
from services.ingest.admission import Admitted, Authority, Refusal, admit
from shared.alliance.mergers import merged_into
from shared.clock import Clock
from shared.envelope import Envelope, Event
from shared.errors import Fault, Refused, StreamUnavailable
from shared.events import Reference, references, with_references
from shared.ids import CLIENT, event_id
from shared.metrics import ACCEPTED, IGNORED, PUBLISH_FAILURES, PUBLISH_SECONDS
from shared.storage.registry import Registry, Wanted
from shared.stream.broadcast import copies
from shared.stream.codec import encode, key_of
from shared.stream.ports import EVENTS, Outgoing, Publisher
from shared.values import frozen

MAX_FAULTS: Final = 1_000
"""Faults named in one refusal (own); one more says how many were left out."""


@dataclass(frozen=True, slots=True)
class Sender:
    """On whose behalf something is sent; comes from the credential, never from the payload.

    Attributes:
        organisation: Opaque id.
        source: Opaque id (``src_…``) of the registered source.
        way: How it came in.
        authority: What the credential allows.
    """

    organisation: str
    source: str
    way: Literal["api", "webhook", "import"]
    authority: Authority


@frozen
class Accepted:
    """An event that the stream has acknowledged.

    Attributes:
        id: The event's id everywhere in Rapport.
        client: The client's opaque id; None for an event that concerns many.
    """

    id: str
    client: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request.

    Attributes:
        accepted: In the order of the body.
        ignored: What the payload held beyond our use.
        refused: What was left out; always empty unless good ones were to be taken alone.
    """

    accepted: tuple[Accepted, ...]
    ignored: tuple[Ignored, ...]
    refused: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """What admission says of a whole reading."""

    admitted: tuple[Admitted, ...]
    ignored: tuple[Ignored, ...]
    refused: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Records ready for the stream, and what can be said once it has acknowledged them."""

    sender: Sender
    records: tuple[Outgoing, ...]
    outcome: Outcome


class Ingest:
    """Takes what senders tell. Safe to call from many threads at once."""

    def __init__(
        self,
        registry: Registry,
        publisher: Publisher,
        partitions: Callable[[], int],
        clock: Clock,
        deadline_s: float,
    ) -> None:
        """Take nothing yet.

        Args:
            registry: Turns references into opaque ids.
            publisher: Of the stream.
            partitions: Asks the stream how many partitions the topic of events has.
            clock: Says when an event was taken.
            deadline_s: How long one publication may wait for its acknowledgement.
        """
        self._registry = registry
        self._publisher = publisher
        self._ask_partitions = partitions
        self._partitions = 0
        self._clock = clock
        self._deadline_s = deadline_s

    def take(self, reading: Reading, sender: Sender, *, skip: bool = False) -> Outcome:
        """Take a reading; return only when the stream has acknowledged every event of it.

        Args:
            reading: What an adapter read.
            sender: On whose behalf.
            skip: Whether the good events are taken when others are refused.

        Raises:
            Refused: naming every fault, when one event is refused and ``skip`` is false.
            StreamUnavailable: when some were not acknowledged; sending all again is safe.
            DatabaseUnavailable: when an unknown reference could not be registered.
        """
        return self.publish(self.prepare(reading, sender, skip=skip))

    def judge(self, reading: Reading, sender: Sender, *, skip: bool = False) -> Judged:
        """Say what would be taken, and change nothing at all.

        Raises:
            Refused: as ``take`` does.
        """
        now = self._clock.now()
        verdicts = [admit(draft, sender.authority, now) for draft in reading.drafts]
        refused = [Refusal(fault.pointer, (fault,)) for fault in reading.faults]
        refused += [verdict for verdict in verdicts if isinstance(verdict, Refusal)]
        if any(fault.pointer == "" for fault in reading.faults) or (refused and not skip):
            raise Refused(bounded(refused))
        admitted = tuple(verdict for verdict in verdicts if isinstance(verdict, Admitted))
        return Judged(admitted, reading.ignored, tuple(refused))

    def prepare(self, reading: Reading, sender: Sender, *, skip: bool = False) -> Prepared:
        """Do everything that ``take`` does but publish.

        Raises:
            Refused, DatabaseUnavailable: as ``take`` does.
            StreamUnavailable: when the stream does not say how many partitions it has.
        """
        judged = self.judge(reading, sender, skip=skip)
        envelopes = self._envelopes(judged.admitted, sender)
        return Prepared(
            sender,
            tuple(record for envelope in envelopes for record in self._records(envelope)),
            Outcome(
                tuple(Accepted(envelope.id, envelope.client) for envelope in envelopes),
                judged.ignored,
                judged.refused,
            ),
        )

    def publish(self, prepared: Prepared) -> Outcome:
        """Publish what was prepared; return only when the stream has acknowledged all of it.

        Raises:
            StreamUnavailable: as ``take`` does.
        """
        if prepared.records:
            began = time.perf_counter()
            try:
                self._publisher.publish(prepared.records, self._deadline_s)
            except StreamUnavailable:
                PUBLISH_FAILURES.inc()
                raise
            finally:
                PUBLISH_SECONDS.observe(time.perf_counter() - began)
        ACCEPTED.labels(prepared.sender.way).inc(len(prepared.outcome.accepted))
        for ignored in prepared.outcome.ignored:
            IGNORED.labels(ignored.what).inc()
        return prepared.outcome

    def content_hash(self, organisation: str, canonical: bytes) -> str:
        """Return the keyed hash that names an event which came without an id."""
        return self._registry.content_hash(organisation, canonical)

    def _envelopes(self, admitted: Sequence[Admitted], sender: Sender) -> list[Envelope]:
        named = [references(one.event.type, one.event.data, one.event.version) for one in admitted]
        wanted = [
            reference
            for one, found in zip(admitted, named, strict=True)
            for reference in _wanted(one.event, found)
        ]
        # Registered before anything is published: no record names an id that could be forgotten.
        opaque = self._registry.opaque(sender.organisation, wanted)
        taken_at = self._clock.now()
        envelopes = []
        for each, found in zip(admitted, named, strict=True):
            event = _made_opaque(each.event, found, opaque)
            envelopes.append(
                Envelope(
                    organisation=sender.organisation,
                    sender=sender.source,
                    event=event,
                    content=self._registry.content_hash(sender.organisation, each.content),
                    recorded_at=taken_at,
                    # Made once, for the record and for the answer.
                    kept_id=event_id(sender.organisation, event.subject, event.source, event.id),
                )
            )
        return envelopes

    def _records(self, envelope: Envelope) -> Sequence[Outgoing]:
        if envelope.client is None:
            return copies(envelope, self._partition_count())
        record = encode(envelope, EVENTS)
        into = merged_into(envelope.event)
        if into is None:
            return [record]
        # Both clients' partitions must know of it.
        return [record, replace(record, key=key_of(envelope.organisation, into))]

    def _partition_count(self) -> int:
        # Partitions are never added in place, so asking once is enough.
        if not self._partitions:
            self._partitions = self._ask_partitions()
        return self._partitions


def _wanted(event: Event, found: Sequence[Reference]) -> Iterator[Wanted]:
    if event.subject is not None:
        yield CLIENT, event.subject
    for reference in found:
        yield reference.register, reference.text


def _made_opaque(event: Event, found: Sequence[Reference], opaque: Mapping[Wanted, str]) -> Event:
    subject = None if event.subject is None else opaque[CLIENT, event.subject]
    data = with_references(event.type, event.data, opaque, event.version, found=found)
    return replace(event, subject=subject, data=data)


def bounded(refusals: Sequence[Refusal]) -> list[Fault]:
    """Return the faults of refusals, at most ``MAX_FAULTS``, and how many more there are."""
    every = [fault for refusal in refusals for fault in refusal.faults]
    left_out = len(every) - MAX_FAULTS
    if left_out <= 0:
        return every
    return [*every[:MAX_FAULTS], Fault("", f"{left_out} more faults follow.", "more_faults")]

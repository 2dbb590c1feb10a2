"""What rules about a therapist's whole caseload read, and how it is extracted. Pure.

Of every client with a therapist no more than an extract is kept for it: opaque ids, times, and
the events that are evidence.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from shared.alliance.attendance import Outcome, excuse, lapses, outcomes
from shared.alliance.calendar import covers
from shared.alliance.history import History, Phase, Span
from shared.alliance.reading import PROCESSING, Fact
from shared.clock import format_time, parse_time
from shared.values import frozen

ALERTS: Final = "alerts"
"""The scope of consent whose withdrawal keeps what happens from being told of."""

SICKNESS_WINDOW: Final = 8
SICKNESS_GRACE: Final = 1
"""Own, as for a single client: the first sickness among so many bookings does not count."""


@frozen
class Stay:
    """A stretch in which a client was with the therapist, at a clinic."""

    clinic: str
    opened_at: datetime
    closed_at: datetime | None


@frozen
class Extract:
    """One client, as far as rules about the therapist's caseload need to know.

    Attributes:
        cancelled: What kept sessions from being held, by clinic or therapist, in fold order.
        excused: When the same happened for a reason that never counts, and the reason.
    """

    client: str
    therapist: str
    stays: tuple[Stay, ...]
    cancelled: tuple[Fact, ...]
    excused: tuple[tuple[datetime, str], ...]


@frozen
class NoCare:
    """Stands for the course of care where an alert is about none."""

    ref: str = ""


@frozen
class Caseload:
    """The clients of one therapist.

    Attributes:
        therapist: Opaque id.
        extracts: Each client's.
    """

    organisation: str
    therapist: str
    extracts: tuple[Extract, ...]
    care: NoCare = NoCare()
    closed_at: datetime | None = None

    @property
    def client(self) -> str:
        """What stands where other alerts have the client."""
        return self.therapist

    @property
    def stays(self) -> list[Stay]:
        """Every client's, in time."""
        every = [stay for one in self.extracts for stay in one.stays]
        return sorted(every, key=lambda stay: (stay.opened_at, stay.clinic))

    @property
    def clinics(self) -> tuple[str, ...]:
        """Return where the therapist sees clients; where nobody is in care, where it was last."""
        every = self.stays
        now = {stay.clinic for stay in every if stay.closed_at is None}
        return tuple(sorted(now or {stay.clinic for stay in every[-1:]}))


def extracts(history: History) -> list[Extract]:
    """Return what is extracted of one client for each of their therapists."""
    by_therapist: dict[str, list[Phase]] = {}
    for phase in history.phases:
        if phase.therapist:
            by_therapist.setdefault(phase.therapist, []).append(phase)
    return [
        _extract(history, therapist, phases) for therapist, phases in sorted(by_therapist.items())
    ]


def _extract(history: History, therapist: str, phases: Sequence[Phase]) -> Extract:
    unwanted = history.withdrawn.get(ALERTS, ())
    counted: list[Fact] = []
    excused: list[tuple[datetime, str]] = []
    for phase in phases:
        standing = [one for one in outcomes(phase) if one.until is None]
        standing.sort(key=lambda one: (one.session.due_at, one.session.ref))
        for at, outcome in enumerate(standing):
            if not outcome.by_provider or any(covers(one, outcome.since) for one in unwanted):
                continue
            window = standing[max(0, at + 1 - SICKNESS_WINDOW) : at + 1]
            if outcome in lapses(phase, window, SICKNESS_GRACE)[0]:
                counted.append(outcome.fact)
            else:
                excused.append((outcome.since, _excuse(phase, outcome)))
    return Extract(
        history.client,
        therapist,
        tuple(_stay(phase, history.withdrawn.get(PROCESSING, ())) for phase in phases),
        tuple(sorted(counted, key=lambda fact: (fact.occurred_at, fact.source, fact.id))),
        tuple(sorted(excused)),
    )


def _excuse(phase: Phase, outcome: Outcome) -> str:
    return excuse(phase, outcome.session) or "sickness"


def _stay(phase: Phase, withdrawn: Sequence[Span]) -> Stay:
    """Return a stay; who has withdrawn consent to processing has left the caseload then."""
    ends = [span.start for span in withdrawn if span.until is None]
    ends += [phase.closed_at] if phase.closed_at is not None else []
    return Stay(phase.clinic.ref, phase.opened_at, min(ends, default=None))


def written(extract: Extract) -> bytes:
    """Return an extract as it is stored; the same gives the same bytes."""
    said = {
        "stays": [[one.clinic, _text(one.opened_at), _text(one.closed_at)]
                  for one in extract.stays],
        "cancelled": [_fact_said(fact) for fact in extract.cancelled],
        "excused": [[_text(at), reason] for at, reason in extract.excused],
    }  # fmt: skip
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)


def read(client: str, therapist: str, body: bytes) -> Extract:
    """Return an extract from how it is stored."""
    said = orjson.loads(body)
    return Extract(
        client,
        therapist,
        tuple(
            Stay(clinic, parse_time(opened), None if closed is None else parse_time(closed))
            for clinic, opened, closed in said["stays"]
        ),
        tuple(_fact(client, one) for one in said["cancelled"]),
        tuple((parse_time(at), reason) for at, reason in said["excused"]),
    )


def caseload(organisation: str, therapist: str, every: Iterable[Extract]) -> Caseload:
    """Return the clients of one therapist, in an order that no id of ours decides."""
    ordered = sorted(every, key=lambda one: (written(one), one.client))
    return Caseload(organisation, therapist, tuple(ordered))


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)


def _fact_said(fact: Fact) -> dict[str, Any]:
    return {
        "event": fact.event,
        "type": fact.type,
        "occurred_at": format_time(fact.occurred_at),
        "recorded_at": format_time(fact.recorded_at),
        "known_at": format_time(fact.known_at),
        "source": fact.source,
        "id": fact.id,
        "sender": fact.sender,
        "backfill": fact.backfill,
    }


def _fact(client: str, said: Mapping[str, Any]) -> Fact:
    return Fact(
        said["event"],
        said["type"],
        parse_time(said["occurred_at"]),
        parse_time(said["recorded_at"]),
        parse_time(said["known_at"]),
        said["source"],
        said["id"],
        said["sender"],
        {},
        said["backfill"],
        client=client,
    )

"""What rules about a therapist's whole caseload read, and how it is stored. Pure.

Of every client with a therapist no more than an extract is kept for it: opaque ids, times, and
the events that are evidence.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import orjson

from shared.alliance.clinics import Surroundings
from shared.alliance.history import Span
from shared.alliance.reading import Fact
from shared.alliance.things import Clinic
from shared.clock import format_time, parse_time
from shared.values import frozen

NOWHERE: Final = Clinic("")
"""Stands for the calendar of a caseload in several clinics: days in UTC."""


@frozen
class Stay:
    """A stretch in which a client was with the therapist, at a clinic."""

    clinic: str
    opened_at: datetime
    closed_at: datetime | None


@frozen
class Gap:
    """A stretch in which a clock stands still; without an end it lasts so far."""

    start: datetime
    until: datetime | None


@frozen
class Matter:
    """A boundary event, as far as it is needed; of who reported it nothing is.

    Attributes:
        fact: By which it was noted.
        severities: Since when it had which severity, in time; None where none was given.
    """

    client: str
    clinic: str
    fact: Fact
    noted_at: datetime
    severities: tuple[tuple[datetime, int | None], ...]
    closed_at: datetime | None

    def since_severity(self, least: int) -> datetime | None:
        """Return since when it has had at least a severity; None where it has not (any more)."""
        since: datetime | None = None
        for at, severity in self.severities:
            if severity is None or severity < least:
                since = None
            elif since is None:
                since = at
        return since


@frozen
class Extract:
    """One client, as far as rules about the therapist's caseload need to know.

    Attributes:
        cancelled: What kept sessions from being held, by clinic or therapist, in fold order.
        excused: When the same happened for a reason that never counts, and the reason.
        first_seen: The first session held.
        supervision: That was held about this client.
        matters: Boundary events with this client that concern the therapist.
    """

    client: str
    therapist: str
    stays: tuple[Stay, ...]
    cancelled: tuple[Fact, ...]
    excused: tuple[tuple[datetime, str], ...]
    first_seen: Fact | None = None
    supervision: tuple[Fact, ...] = ()
    matters: tuple[Matter, ...] = ()


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
        calendar: Whose days and weeks are counted: the clinic's; of several, in UTC, unless they
            have one time zone.
        held: Supervision that was held about no one client.
        away: Announced absences.
    """

    organisation: str
    therapist: str
    extracts: tuple[Extract, ...]
    calendar: Clinic
    held: tuple[Fact, ...] = ()
    away: tuple[Span, ...] = ()
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
        there = now or {stay.clinic for stay in every[-1:]}
        return tuple(sorted(there or {one.clinic for one in self.matters}))

    @property
    def matters(self) -> list[Matter]:
        """Every boundary event that concerns the therapist, in time."""
        every = [matter for one in self.extracts for matter in one.matters]
        return sorted(every, key=lambda one: (one.noted_at, one.fact.source, one.fact.id))

    @property
    def supervision(self) -> list[Fact]:
        """All supervision that was held, in time."""
        every = [*self.held, *(fact for one in self.extracts for fact in one.supervision)]
        return sorted(every, key=in_time)

    @property
    def first_seen(self) -> Fact | None:
        """The first session held with any client."""
        seen = [one.first_seen for one in self.extracts if one.first_seen is not None]
        return min(seen, key=in_time, default=None)

    @property
    def gaps(self) -> list[Gap]:
        """Stretches without a client in care, after the first."""
        found: list[Gap] = []
        end: datetime | None = None
        for number, stay in enumerate(self.stays):
            if number and end is None:
                break
            if number and end is not None and stay.opened_at > end:
                found.append(Gap(end, stay.opened_at))
            end = None if stay.closed_at is None else max(end or stay.closed_at, stay.closed_at)
        return found if end is None else [*found, Gap(end, None)]

    @property
    def facts(self) -> list[Fact]:
        """Everything that it stands on, in time."""
        first = [] if self.first_seen is None else [self.first_seen]
        cancelled = [fact for one in self.extracts for fact in one.cancelled]
        matters = [one.fact for one in self.matters]
        return sorted([*first, *cancelled, *matters, *self.supervision], key=in_time)


def in_time(fact: Fact) -> tuple[datetime, str, str]:
    """Return the order among what is extracted: in time, ties by the sender's own words."""
    return (fact.occurred_at, fact.source, fact.id)


def written(extract: Extract) -> bytes:
    """Return an extract as it is stored; the same gives the same bytes."""
    said = {
        "stays": [[one.clinic, _text(one.opened_at), _text(one.closed_at)]
                  for one in extract.stays],
        "cancelled": [_fact_said(fact) for fact in extract.cancelled],
        "excused": [[_text(at), reason] for at, reason in extract.excused],
        "first_seen": None if extract.first_seen is None else _fact_said(extract.first_seen),
        "supervision": [_fact_said(fact) for fact in extract.supervision],
        "matters": [
            {
                "clinic": one.clinic,
                "fact": _fact_said(one.fact),
                "noted_at": _text(one.noted_at),
                "severities": [[_text(at), severity] for at, severity in one.severities],
                "closed_at": _text(one.closed_at),
            }
            for one in extract.matters
        ],
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
        None if said["first_seen"] is None else _fact(client, said["first_seen"]),
        tuple(_fact(client, one) for one in said["supervision"]),
        tuple(_matter(client, one) for one in said["matters"]),
    )


def _matter(client: str, said: Mapping[str, Any]) -> Matter:
    closed = said["closed_at"]
    return Matter(
        client,
        said["clinic"],
        _fact(client, said["fact"]),
        parse_time(said["noted_at"]),
        tuple((parse_time(at), severity) for at, severity in said["severities"]),
        None if closed is None else parse_time(closed),
    )


def caseload(
    organisation: str,
    therapist: str,
    every: Iterable[Extract],
    around: Surroundings,
) -> Caseload:
    """Return the clients of one therapist, in an order that no id of ours decides."""
    ordered = tuple(sorted(every, key=lambda one: (written(one), one.client)))
    held = around.supervision.get(therapist, ())
    away = tuple(absence.span for absence in around.away.get(therapist, ()))
    found = Caseload(organisation, therapist, ordered, NOWHERE, held, away)
    zones = {around.clinic(ref).timezone for ref in found.clinics}
    if len(zones) != 1:
        return found
    return replace(found, calendar=replace(NOWHERE, timezone=zones.pop()))


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
        "clinic": fact.data.get("clinic"),
    }


def _fact(client: str, said: Mapping[str, Any]) -> Fact:
    clinic = said.get("clinic")  # An earlier version did not keep it.
    return Fact(
        said["event"],
        said["type"],
        parse_time(said["occurred_at"]),
        parse_time(said["recorded_at"]),
        parse_time(said["known_at"]),
        said["source"],
        said["id"],
        said["sender"],
        {} if clinic is None else {"clinic": clinic},
        said["backfill"],
        client=client,
    )

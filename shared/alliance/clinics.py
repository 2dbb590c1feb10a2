"""What is known of the clinics around a client: time zone, calendar, absences. Pure.

Dates are the clinic's own: inclusive, in its time zone, UTC until it is configured.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from shared.alliance.reading import Fact, standing
from shared.alliance.settings import CONFIGURED
from shared.alliance.things import Clinic, Span
from shared.envelope import Envelope

_T = TypeVar("_T")

AROUND_TYPES: Final = frozenset(
    {
        "clinic.configured",
        "clinic.closed",
        "feed.seen",
        "therapist.away",
        "supervision.held",
        "rule.configured",
        "record.corrected",
        "record.retracted",
    }
)
"""Types without a subject that a fold reads; whoever loads facts for it needs no others."""


@dataclass(frozen=True, slots=True)
class Absence:
    """An announced absence of a therapist.

    Attributes:
        therapist: Opaque id of who is away.
        cover: Opaque id of who stands in, if anybody does.
        span: From the start of its first day to the end of its last.
    """

    therapist: str
    cover: str | None
    span: Span

    def covers(self, moment: datetime) -> bool:
        """Return whether the absence lasts at ``moment``."""
        return self.span.start <= moment and (self.span.until is None or moment < self.span.until)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the facts that concern many clients say; the same for every client of a partition.

    Attributes:
        clinics: By ref; those that were never configured or closed are not in it.
        away: Therapist → absences, in order.
        covered: Cover → the absences that they cover, in order.
        supervision: Therapist → supervision held about no one client, in fold order.
        rules: How rules were set, in fold order.
    """

    clinics: Mapping[str, Clinic] = field(default_factory=dict)
    away: Mapping[str, tuple[Absence, ...]] = field(default_factory=dict)
    covered: Mapping[str, tuple[Absence, ...]] = field(default_factory=dict)
    supervision: Mapping[str, tuple[Fact, ...]] = field(default_factory=dict)
    rules: tuple[Fact, ...] = ()

    def clinic(self, ref: str) -> Clinic:
        """Return what is known of a clinic; defaults for one nobody described."""
        return self.clinics.get(ref) or Clinic(ref)


def surroundings(
    organisation: str,
    envelopes: Iterable[Envelope],
    *,
    known_at: datetime | None = None,
    valid_at: datetime | None = None,
) -> Surroundings:
    """Return what an organisation's facts without a subject say.

    Envelopes of another organisation or about one client are left out.
    """
    facts = standing(
        (
            envelope
            for envelope in envelopes
            if envelope.organisation == organisation
            and envelope.event.subject is None
            and envelope.event.type in AROUND_TYPES
        ),
        known_at=known_at,
        valid_at=valid_at,
    ).facts
    clinics = _described(facts)
    absences: list[Absence] = []
    for fact in facts:
        ref = fact.data.get("clinic", "")  # A rule may be set for no clinic in particular.
        clinic = clinics.get(ref) or Clinic(ref)
        if fact.type == "clinic.closed":
            closures = (*clinic.closures, dates(clinic, fact, fact.data["reason"]))
            clinics[ref] = replace(clinic, closures=closures)
        elif fact.type == "feed.seen":
            clinics[ref] = replace(clinic, seen=clinic.seen | {fact.data["type"]})
        elif fact.type == "therapist.away":
            span = dates(clinic, fact, fact.data["kind"])
            absences.append(Absence(fact.data["therapist"], fact.data.get("cover"), span))
    ordered = {
        ref: replace(clinic, closures=tuple(sorted(clinic.closures, key=lambda one: one.start)))
        for ref, clinic in clinics.items()
    }
    absences.sort(key=lambda absence: absence.span.start)
    return Surroundings(
        ordered,
        _grouped((absence.therapist, absence) for absence in absences),
        _grouped((absence.cover, absence) for absence in absences if absence.cover),
        _grouped(
            (fact.data["therapist"], fact) for fact in facts if fact.type == "supervision.held"
        ),
        tuple(fact for fact in facts if fact.type == CONFIGURED),
    )


def _described(facts: Iterable[Fact]) -> dict[str, Clinic]:
    """Return the clinics as they were configured: their calendars date what else is said."""
    clinics: dict[str, Clinic] = {}
    for fact in facts:
        if fact.type == "clinic.configured":
            ref = fact.data["clinic"]
            clinics[ref] = _configured(clinics.get(ref) or Clinic(ref), fact)
    return clinics


def dates(clinic: Clinic, fact: Fact, reason: str) -> Span:
    """Return the span that a fact's inclusive dates ``from`` and ``until`` mean in a clinic.

    Without ``from`` it starts when the fact occurred; without ``until`` it is open-ended.
    """
    first, last = fact.data.get("from"), fact.data.get("until")
    start = fact.occurred_at if first is None else day_start(clinic, date.fromisoformat(first))
    if last is None:
        return Span(start, None, reason, fact)
    after = date.fromisoformat(last) + timedelta(days=1)
    return Span(start, day_start(clinic, after), reason, fact)


def day_start(clinic: Clinic, day: date) -> datetime:
    """Return when a day begins in the clinic's time zone; at the ends of the calendar, in UTC."""
    try:
        return datetime.combine(day, time.min, ZoneInfo(clinic.timezone)).astimezone(UTC)
    except OverflowError:
        return datetime.combine(day, time.min, UTC)


def _configured(clinic: Clinic, fact: Fact) -> Clinic:
    """Return the clinic as the latest word on each field says: what is left out stays."""
    data: Mapping[str, Any] = fact.data
    sends, holidays = data.get("sends"), data.get("holidays")
    return replace(
        clinic,
        timezone=data["timezone"],
        working_days=tuple(data.get("working_days") or clinic.working_days),
        holidays=(
            clinic.holidays
            if holidays is None
            else frozenset(date.fromisoformat(day) for day in holidays)
        ),
        sends=clinic.sends if sends is None else frozenset(sends),
        facts=(*clinic.facts, fact),
    )


def _grouped(pairs: Iterable[tuple[str, _T]]) -> dict[str, tuple[_T, ...]]:
    groups: dict[str, list[_T]] = {}
    for name, member in pairs:
        groups.setdefault(name, []).append(member)
    return {name: tuple(group) for name, group in groups.items()}

"""The life of boundary events: state, deadline of assessment, patterns, and the register. Pure.

Rules, timelines and the register look at the same functions, so that none of them says otherwise.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from shared.alliance.amendments import AMENDMENTS
from shared.alliance.calendar import days_from, end_of_working_day, local_date
from shared.alliance.clinics import Surroundings
from shared.alliance.matters import BOUNDARY, NOTED, Matters
from shared.alliance.reading import Fact, standing
from shared.alliance.registers import boundary_event
from shared.alliance.settings import settings_of
from shared.alliance.things import BoundaryEvent, Clinic
from shared.envelope import Envelope
from shared.ids import derived_id

MAIN: Final = "main"

STATES: Final = ("noted", "assessed", "acted_on", "closed")
"""The steps of a life, in their order."""

ASSESSED_IN: Final[Mapping[str, int]] = {
    "severity_2_working_days": 5,
    "severity_3_working_days": 2,
    "severity_4_working_days": 0,
}
"""Own, not validated: working days in which an event of a severity is assessed (domain.md 4)."""

UNASSESSED: Final = "boundary-unassessed"
"""The rule of ``rule.configured`` that holds them where an organisation sets its own."""

KINDS: Final = 3
WITHIN_WEEKS: Final = 8
"""Own, not validated: so many kinds within so many weeks are a pattern."""

NONE_AFTER_ALL: Final = frozenset({"not_a_boundary_matter", "merged"})
"""Outcomes that say that there was no (other) boundary event: it never counts in a pattern."""

_MOMENT: Final = timedelta(microseconds=1)

_SETTLING: Final = ("boundary.assessed", "boundary.closed")


def name_of(organisation: str, client: str, ref: str) -> str:
    """Return the opaque id of a boundary event; the sender's reference stands in no address."""
    return derived_id("boundary_event", organisation, client, ref)


def state_of(event: BoundaryEvent) -> str:
    """Return how far the life of a boundary event has come: one of ``STATES``."""
    if event.closed_at is not None:
        return "closed"
    if event.actions:
        return "acted_on"
    return "assessed" if event.assessments else "noted"


@dataclass(frozen=True, slots=True)
class Deadline:
    """By when a boundary event is to be assessed.

    Attributes:
        due_at: The end of the working day.
        due_on: That day, in the clinic's zone.
        noted: The report that set it.
        severity: What that report said.
        working_days: How many there were; 0 is the end of its own day.
        settled_at: When it was first assessed, or closed; None while neither.
    """

    due_at: datetime
    due_on: date
    noted: Fact
    severity: int | None
    working_days: int
    settled_at: datetime | None

    @property
    def missed(self) -> bool:
        """Whether it was settled late, or not at all (so far)."""
        return self.settled_at is None or self.settled_at > self.due_at


def deadline(
    event: BoundaryEvent, clinic: Clinic, days: Mapping[str, int] = ASSESSED_IN
) -> Deadline | None:
    """Return the deadline of a boundary event's assessment; None where it has none.

    Severity 0 and 1 have none; none given counts as 2. Noted again before anybody settled it, the
    earliest of the deadlines holds: a graver report shortens it, a milder one does not stretch it.

    Args:
        event: The boundary event.
        clinic: In whose zone and working days: that of ``clinic_of``.
        days: Working days per severity, as ``ASSESSED_IN``.
    """
    notes = [fact for fact in event.facts if fact.type == NOTED]
    settled_at = min(
        (fact.occurred_at for fact in event.facts if fact.type in _SETTLING), default=None
    )
    counting = [one for one in notes if settled_at is None or one.occurred_at <= settled_at]
    found = [
        Deadline(due_at, local_date(clinic, due_at - _MOMENT), one, severity, n, settled_at)
        for one in counting or notes[:1]
        for severity in [one.data.get("severity")]
        if (n := _working_days(severity, days)) is not None
        for due_at in [end_of_working_day(clinic, one.occurred_at, n)]
    ]
    return min(found, key=lambda one: one.due_at, default=None)


def _working_days(severity: int | None, days: Mapping[str, int]) -> int | None:
    if severity is not None and severity < 2:
        return None
    return days[f"severity_{2 if severity is None else severity}_working_days"]


@dataclass(frozen=True, slots=True)
class Pattern:
    """Boundary events of several kinds with one client within a short time.

    Attributes:
        events: In order; the last of them made it a pattern, or went on with it.
        kinds: Of how many kinds they are.
    """

    events: tuple[BoundaryEvent, ...]
    kinds: int


def clinic_of(event: BoundaryEvent) -> str:
    """Return by whose calendar a boundary event is judged: the clinic's where it was noted first.

    Where the client is in care may change while nobody looks at it; by when it is to be assessed
    must not, and the register may say nothing that its own matter does not.
    """
    noted = next((fact for fact in event.facts if fact.type == NOTED), event.facts[0])
    ref: str = noted.data["clinic"]
    return ref


def patterns(
    events: Sequence[BoundaryEvent],
    clinics: Callable[[str], Clinic],
    kinds: int = KINDS,
    within_weeks: float = WITHIN_WEEKS,
) -> Iterator[Pattern]:
    """Yield the pattern that each noted event makes with those shortly before it, if it does.

    Args:
        events: Of one client with one therapist.
        clinics: Ref → the clinic. Weeks are counted back by the clock of the one where the latest
            of them was noted: the same hour there, also where it was changed in between.
        kinds: How many kinds make a pattern.
        within_weeks: How far back it reaches from each event.
    """
    noted = sorted(
        ((one.noted_at, one.facts[0].source, one.facts[0].id, one) for one in events
         if one.noted_at is not None and one.outcome not in NONE_AFTER_ALL),
        key=lambda one: one[:3],
    )  # fmt: skip
    for at, (latest, _, _, event) in enumerate(noted):
        since = days_from(clinics(clinic_of(event)), latest, -7 * within_weeks)
        recent = tuple(one for noted_at, _, _, one in noted[: at + 1] if noted_at >= since)
        areas = {one.area for one in recent}
        if len(areas) >= kinds:
            yield Pattern(recent, len(areas))


@dataclass(frozen=True, slots=True)
class Entry:
    """One boundary event as it stands in the register.

    What it says depends on the facts of its own matter alone (and on the clinic's calendar, and
    the client's consent): of another matter, which a reader may not know of, nothing shows.

    Attributes:
        id: Opaque.
        deadline: Of its assessment, by the calendar of the clinic where it was noted.
        calendar: That clinic.
        clinics: Every clinic in which something of the whole matter happened.
        concerned: Everybody whom any version of the matter named; None: not known, never noted.
        protected: Whether who reported it is to be hidden.
        merged: Ids of the boundary events that were merged into it.
    """

    id: str
    event: BoundaryEvent
    deadline: Deadline | None
    calendar: Clinic
    clinics: frozenset[str]
    concerned: frozenset[str] | None
    protected: bool
    merged: tuple[str, ...]


def register(
    organisation: str,
    client: str,
    own: Sequence[Envelope],
    known: Matters,
    around: Surroundings,
) -> tuple[Entry, ...]:
    """Return the boundary events of one client, by their references.

    Args:
        organisation: Whose client it is.
        client: Opaque id.
        own: Everything that the stream holds about the client.
        known: The matters among it.
        around: What the clinics say of themselves.
    """
    if not known.refs:
        return ()
    events = _events(own)
    roots = {ref: known.refs.get(one.facts[0].event) for ref, one in events.items()}
    found = []
    for ref, event in events.items():
        calendar = around.clinic(clinic_of(event))
        root = roots[ref] or ref
        found.append(
            Entry(
                id=name_of(organisation, client, ref),
                event=event,
                deadline=_deadline_at(event, around, calendar),
                calendar=calendar,
                clinics=frozenset(
                    fact.data["clinic"]
                    for other, one in events.items()
                    if roots[other] == roots[ref]
                    for fact in one.facts
                ),
                concerned=known.concerns.get(root),
                protected=root in known.protected,
                merged=tuple(
                    name_of(organisation, client, other)
                    for other, one in events.items()
                    if one.merged_into == ref and other != ref
                ),
            )
        )
    return tuple(found)


def _deadline_at(event: BoundaryEvent, around: Surroundings, calendar: Clinic) -> Deadline | None:
    """Return a deadline under the settings in force when it falls due, as the rule judges it.

    Where they were changed so that it falls due in time under neither, the newer count.
    """
    said = [
        one for one in around.rules
        if one.data["rule"] == UNASSESSED and one.data.get("clinic") in (None, calendar.ref)
    ]  # fmt: skip
    due: Deadline | None = None
    for n in range(len(said) + 1):
        days = settings_of(UNASSESSED, ASSESSED_IN, calendar.ref, said[:n])
        due = deadline(event, calendar, days)
        since, until = said[n - 1 : n], said[n : n + 1]
        if due is None or (
            all(one.occurred_at <= due.due_at for one in since)
            and all(due.due_at < one.occurred_at for one in until)
        ):
            break
    return due


def _events(own: Sequence[Envelope]) -> dict[str, BoundaryEvent]:
    """Return the boundary events that stand, by their references."""
    lives: dict[str, list[Fact]] = {}
    for fact in standing(one for one in own if _matters(one)).facts:
        if fact.type.startswith(BOUNDARY):
            lives.setdefault(fact.data["boundary_event"], []).append(fact)
    return {ref: _event(ref, facts) for ref, facts in sorted(lives.items())}


def _matters(envelope: Envelope) -> bool:
    """Return whether a fact can say anything of a boundary event."""
    kind = envelope.event.type
    return kind.startswith((BOUNDARY, "consent.")) or kind in AMENDMENTS


def _event(ref: str, facts: Sequence[Fact]) -> BoundaryEvent:
    """Return a boundary event where it began: in that course of care, with that therapist."""
    first: Mapping[str, Any] = facts[0].data
    return boundary_event(ref, facts, first.get("care") or MAIN, first.get("therapist") or "")

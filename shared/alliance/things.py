"""The things that facts speak of: sessions, ratings, boundary events, cares, clinics, phases."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal, TypeVar

from shared.alliance.reading import Fact
from shared.alliance.scoring import Score
from shared.instrument import Instrument
from shared.values import frozen

Party = Literal["client", "therapist", "clinic", "nobody", "unknown"]
SessionState = Literal["scheduled", "held", "missed", "cancelled"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Move:
    """A session's start, or who holds it, was changed.

    Attributes:
        at: When the change was made.
        by: Who asked for it.
        from_start: The start before.
        to_start: The start after.
        fact: Its evidence.
    """

    at: datetime
    by: Party
    from_start: datetime
    to_start: datetime
    fact: Fact


@frozen
class Session:
    """One therapy session, by the last word that counts (fold order).

    Attributes:
        ref: The sender's reference of the session, unique within the client.
        state: What became of it.
        state_at: Since when it has been in that state (occurred_at of the deciding fact).
        due_at: Planned start: the latest booking, else when it started, was missed or cancelled.
        planned_minutes: Contact time planned, if known.
        started_at: Actual start, for a held session.
        ended_at: Actual end, for a held session.
        by: Who cancelled or missed it; None otherwise.
        reason: Why it was cancelled or missed.
        moves: Every change of its start, in order.
        facts: Every fact that shaped it, in fold order; the last decided its state.
        without_effect: Facts that speak of it and change nothing: a booking sent again, a booking
            of what has been held.
    """

    ref: str
    clinic: str
    therapist: str
    care: str
    state: SessionState
    state_at: datetime
    due_at: datetime
    planned_minutes: int | None
    started_at: datetime | None
    ended_at: datetime | None
    by: Party | None
    reason: str | None
    modality: str | None
    kind: str | None
    co_therapists: tuple[str, ...]
    session_number: int | None
    client_arrival: str | None
    ended_early_by: str | None
    time_precision: str
    moves: tuple[Move, ...]
    facts: tuple[Fact, ...]
    without_effect: tuple[Fact, ...] = ()


@frozen
class Rating:
    """One filled-in questionnaire, scored by the version it carries.

    Attributes:
        ref: The rating's own reference, or the event id where the sender gave none.
        instrument: The instrument it was filled in on; None when that version is unknown here.
        instrument_key: Its key as sent.
        version: Its version.
        score: What it scores, or why it has none; risk items are read in any case.
        fact: Its evidence: the last word on it.
        in_group: True when it was given for a group session: never in the individual trend.
        facts: Every fact that speaks of it, in fold order.
    """

    ref: str
    instrument: Instrument | None
    instrument_key: str
    version: str
    rater: str
    respondent: str | None
    session: str | None
    language: str | None
    occurred_at: datetime
    clinic: str | None
    therapist: str
    care: str
    score: Score
    fact: Fact
    in_group: bool = False
    facts: tuple[Fact, ...] = ()

    @property
    def series(self) -> tuple[str, str, str, str, str, bool]:
        """What must be equal for two ratings to be compared; a change starts a new baseline."""
        return (
            self.instrument_key,
            self.version,
            self.rater,
            self.respondent or "",
            self.language or "",
            self.in_group,
        )


@dataclass(frozen=True, slots=True)
class Assessment:
    """A judgement of a boundary event by a named role; the latest counts."""

    at: datetime
    assessment: str
    severity: int
    by: str
    aggravators: tuple[str, ...]
    fact: Fact


@dataclass(frozen=True, slots=True)
class BoundaryEvent:
    """A boundary event from noted to closed.

    Attributes:
        ref: The sender's reference.
        severity: Latest judged severity, else the provisional one, else None (0–4).
        concerns: Opaque id of the member of staff it is about, who never reads it.
        closed_at: Since when it is closed; None while open or reopened.
        noted_at: None when only later steps of its life have arrived.
    """

    ref: str
    clinic: str
    therapist: str
    care: str
    noted_at: datetime | None
    happened_on: date | None
    area: str | None
    about: str | None
    concerns: str | None
    reported_by: str | None
    reporter_protected: bool
    severity: int | None
    assessments: tuple[Assessment, ...]
    actions: tuple[tuple[datetime, str], ...]
    closed_at: datetime | None
    outcome: str | None
    merged_into: str | None
    reopened_at: datetime | None
    facts: tuple[Fact, ...]
    harm_physical: str | None = None
    harm_psychological: str | None = None
    discussed_with_client: bool | None = None
    session: str | None = None


@dataclass(frozen=True, slots=True)
class Rupture:
    """A strain in the alliance, noted and perhaps repaired.

    Attributes:
        repaired_at: First repair with a resolution of at least 3 (of 5) since it was last noted;
            None while unrepaired.
        resolution: The latest resolution reported (1–5).
    """

    ref: str
    clinic: str
    therapist: str
    care: str
    noted_at: datetime | None
    kind: str | None
    noted_by: str | None
    intensity: int | None
    session: str | None
    repaired_at: datetime | None
    resolution: int | None
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time for a stated reason: a pause, a closure, an absence, withdrawn consent.

    ``until`` None means open-ended (so far).
    """

    start: datetime
    until: datetime | None
    reason: str
    fact: Fact


@dataclass(frozen=True, slots=True)
class Care:
    """One course of care, as it is now: started again after an end, it is open.

    Attributes:
        ref: ``main`` when the sender names none.
        clinic: The latest clinic named in it.
        referred_at: Referral, if known.
        started_at: Acceptance, if known.
        ended_at: End; None while open.
        agreed_interval_days: Latest agreed interval between sessions, if any.
        measures: What was agreed to be measured, and how often, as sent.
        pauses: Pauses, in order.
        transfers: Transfers to another therapist, in order.
        facts: Every ``care.*`` fact of it, in fold order.
        held: Sessions that were held in it, with whomever, in time.
        urgency: How soon the client was to be seen, by the latest referral that says so.
    """

    ref: str
    clinic: str
    referred_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    end_reason: str | None
    agreed_interval_days: int | None
    planned_sessions: int | None
    therapy: str | None
    pauses: tuple[Span, ...]
    facts: tuple[Fact, ...]
    measures: tuple[Mapping[str, Any], ...] = ()
    transfers: tuple[Fact, ...] = ()
    held: tuple[Session, ...] = ()
    urgency: str | None = None


@dataclass(frozen=True, slots=True)
class Clinic:
    """What is known of a clinic.

    Attributes:
        ref: Its reference.
        timezone: IANA name; ``UTC`` until configured.
        working_days: ``mon`` … ``sun``; Monday to Friday until configured.
        holidays: Dates in the clinic's zone.
        sends: What its systems are known to send; None until configured.
        seen: Types that were ever seen from it, as ``feed.seen`` says.
        closures: Closures announced.
        facts: The facts that configured it, in fold order.
    """

    ref: str
    timezone: str = "UTC"
    working_days: tuple[str, ...] = ("mon", "tue", "wed", "thu", "fri")
    holidays: frozenset[date] = frozenset()
    sends: frozenset[str] | None = None
    seen: frozenset[str] = frozenset()
    closures: tuple[Span, ...] = ()
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class Phase:
    """A client with one therapist in one course of care: the unit of judgement.

    Opens with the first fact that names the therapist; closes with ``care.transferred`` to
    another or ``care.ended``. Baselines, charts and "last n" never cross it.

    Attributes:
        therapist: Opaque id; ``""`` for facts that belong to no therapist's phase.
        closed_at: None while open.
        close_reason: The reason given in the fact that closed it; ``unknown`` when none was.
        closed_by: ``care.transferred`` or ``care.ended``.
        sessions: Of this phase (a cover's sessions too), by ``due_at`` then ref.
        ratings: Of this phase, in fold order.
        away: Announced absences of its therapist, as facts of the clinic.
        supervision: Supervision that its therapist had while it was open.
        facts: Every fact of the phase, in fold order.
        first: Whether its course of care began with it.
        apart: Whether it holds boundary matters alone: nothing else is with its therapist.
        clinics: What is known of any clinic, by its ref.
    """

    organisation: str
    client: str
    clinic: Clinic
    care: Care
    therapist: str
    opened_at: datetime
    closed_at: datetime | None
    close_reason: str | None
    sessions: tuple[Session, ...]
    ratings: tuple[Rating, ...]
    boundary_events: tuple[BoundaryEvent, ...]
    ruptures: tuple[Rupture, ...]
    away: tuple[Span, ...]
    facts: tuple[Fact, ...]
    closed_by: Fact | None = None
    supervision: tuple[Fact, ...] = ()
    first: bool = True
    apart: bool = False
    clinics: Mapping[str, Clinic] = field(default_factory=dict)
    _derived: dict[Callable[["Phase"], Any], Any] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def derived(self, how: Callable[["Phase"], _T]) -> _T:
        """Return what ``how`` makes of the phase, made once: several rules ask for the same."""
        if how not in self._derived:
            self._derived[how] = how(self)
        made: _T = self._derived[how]
        return made

    def clinic_called(self, ref: str) -> Clinic:
        """Return what is known of a clinic, which need not be the one where the client is."""
        return self.clinics.get(ref) or Clinic(ref)

    @property
    def in_care(self) -> bool:
        """Whether the client is in care here.

        What still comes after the end and names no therapist, such as a last questionnaire, is a
        phase of nobody; without a session it brings nobody back into care, nor does a boundary
        matter.
        """
        of_none = self.apart or not self.therapist
        afterwards = of_none and self.care.ended_at is not None and not self.sessions
        return self.closed_at is None and not afterwards

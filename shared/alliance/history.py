"""From the facts that stand to what a rule and a timeline look at: things, cares, phases. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.alliance.amendments import WaitingAmendment
from shared.alliance.cares import care
from shared.alliance.clinics import Surroundings, surroundings
from shared.alliance.phases import BOUNDARY, PhaseDraft, Placed, Thing, place
from shared.alliance.reading import FIRST_WORDS, Conflict, Fact, standing
from shared.alliance.registers import boundary_event, rating, rupture
from shared.alliance.sessions import session
from shared.alliance.things import (
    Assessment,
    BoundaryEvent,
    Care,
    Clinic,
    Move,
    Party,
    Phase,
    Rating,
    Rupture,
    Session,
    SessionState,
    Span,
)
from shared.envelope import Envelope

__all__ = [
    "Assessment",
    "BoundaryEvent",
    "Care",
    "Clinic",
    "Conflict",
    "History",
    "Move",
    "Party",
    "Phase",
    "Rating",
    "Rupture",
    "Session",
    "SessionState",
    "Span",
    "WaitingAmendment",
    "fold",
    "fold_within",
]


@dataclass(frozen=True, slots=True)
class History:
    """Everything that stands about one client.

    Attributes:
        cares: By their first mention.
        phases: In order of opening.
        withdrawn: Scope of consent → spans in which it was withdrawn.
        given: Scope of consent → ``given`` or ``withdrawn``, the latest word.
        facts: Everything that stands, in fold order.
        waiting: Amendments that stand and have nothing to amend (yet).
        others: First word of the type → facts that have no thing of their own yet (goals, plans,
            contacts …), in fold order.
        conflicts: Other contents under an id already taken.
        clinics: Every clinic that a fact names, by first mention.
        rules: How the organisation's rules were set, in fold order.
    """

    organisation: str
    client: str
    cares: tuple[Care, ...]
    phases: tuple[Phase, ...]
    withdrawn: Mapping[str, tuple[Span, ...]]
    given: Mapping[str, str]
    facts: tuple[Fact, ...]
    waiting: tuple[WaitingAmendment, ...] = ()
    others: Mapping[str, tuple[Fact, ...]] = field(default_factory=dict)
    conflicts: tuple[Conflict, ...] = ()
    clinics: tuple[Clinic, ...] = ()
    rules: tuple[Fact, ...] = ()

    @property
    def current(self) -> tuple[Phase, ...]:
        """What is said of the present rests on these: the phases in care, else all.

        Not on one apart, of boundary matters alone, where there is any other.
        """
        phases = tuple(one for one in self.phases if not one.apart) or self.phases
        return tuple(one for one in phases if one.in_care) or phases


def fold(
    organisation: str,
    client: str,
    client_envelopes: Iterable[Envelope],
    clinic_envelopes: Iterable[Envelope] = (),
    *,
    known_at: datetime | None = None,
    valid_at: datetime | None = None,
) -> History:
    """Return the history of one client: a function of the set of envelopes (invariant 2).

    Args:
        organisation: Whose client it is; envelopes of another organisation are left out.
        client: Opaque id; envelopes about another client are left out.
        client_envelopes: What the stream holds about the client, in any order.
        clinic_envelopes: What it holds without a subject in the client's partition.
        known_at: As the stream stood then; None is everything.
        valid_at: Up to what occurred then; None is everything.
    """
    around = surroundings(organisation, clinic_envelopes, known_at=known_at, valid_at=valid_at)
    return fold_within(
        around, organisation, client, client_envelopes, known_at=known_at, valid_at=valid_at
    )


def fold_within(
    around: Surroundings,
    organisation: str,
    client: str,
    client_envelopes: Iterable[Envelope],
    *,
    known_at: datetime | None = None,
    valid_at: datetime | None = None,
) -> History:
    """Return the same, with the surroundings read once for the many clients of a batch."""
    read = standing(
        (
            envelope
            for envelope in client_envelopes
            if envelope.organisation == organisation and envelope.event.subject == client
        ),
        known_at=known_at,
        valid_at=valid_at,
    )
    placed = place(read.facts, around)
    things = _things(placed)
    cares = _cares(placed, things, around)
    withdrawn, given = _consents(read.facts)
    return History(
        organisation,
        client,
        tuple(cares.values()),
        _phases(organisation, client, placed, things, cares, around),
        withdrawn,
        given,
        read.facts,
        read.waiting,
        _others(read.facts),
        read.conflicts,
        tuple(around.clinic(ref) for ref in _clinics(read.facts)),
        around.rules,
    )


def _clinics(facts: Sequence[Fact]) -> Iterable[str]:
    return dict.fromkeys([fact.data["clinic"] for fact in facts if "clinic" in fact.data])


_WITH_A_THING = frozenset({"session", "care", "boundary", "rupture", "consent"})


def _others(facts: Sequence[Fact]) -> dict[str, tuple[Fact, ...]]:
    found: dict[str, list[Fact]] = {}
    for fact in facts:
        word = FIRST_WORDS[fact.type]
        if word not in _WITH_A_THING and fact.type != "rating.given":
            found.setdefault(word, []).append(fact)
    return {word: tuple(facts) for word, facts in found.items()}


def _consents(facts: Sequence[Fact]) -> tuple[dict[str, tuple[Span, ...]], dict[str, str]]:
    given: dict[str, str] = {}
    withdrawn: dict[str, list[Span]] = {}
    for fact in facts:
        if FIRST_WORDS[fact.type] != "consent":
            continue
        scope, word = fact.data["scope"], fact.type.removeprefix("consent.")
        spans = withdrawn.setdefault(scope, [])
        if word == "withdrawn" and given.get(scope) != "withdrawn":
            spans.append(Span(fact.occurred_at, None, scope, fact))
        elif word == "given" and given.get(scope) == "withdrawn":
            begun = spans.pop()
            spans.append(Span(begun.start, fact.occurred_at, scope, begun.fact))
        given[scope] = word
    return {scope: tuple(spans) for scope, spans in withdrawn.items()}, given


def _cares(
    placed: Placed, things: Mapping[int, "_Things"], around: Surroundings
) -> dict[str, Care]:
    latest: dict[str, tuple[bool, int, str]] = {}
    for phase in placed.phases:
        number, fact = _shaping(phase)[-1]
        said = (not phase.apart, number, fact.data["clinic"])
        latest[phase.care] = max(latest.get(phase.care, said), said)
    held: dict[str, list[Session]] = {}
    for phase in placed.phases:
        sessions = things[id(phase)].sessions
        held.setdefault(phase.care, []).extend(one for one in sessions if one.state == "held")
    refs = dict.fromkeys((*(phase.care for phase in placed.phases), *placed.cares))
    cares: dict[str, Care] = {}
    for ref in refs:
        facts: Sequence[Fact] = placed.cares.get(ref, [])
        clinic = latest[ref][2] if ref in latest else facts[-1].data["clinic"]
        seen = sorted(held.get(ref, ()), key=lambda one: (one.started_at or one.state_at, one.ref))
        cares[ref] = care(ref, facts, clinic, around.clinics, seen)
    return cares


def _phases(
    organisation: str,
    client: str,
    placed: Placed,
    things: Mapping[int, "_Things"],
    cares: Mapping[str, Care],
    around: Surroundings,
) -> tuple[Phase, ...]:
    began: dict[str, PhaseDraft] = {}
    for draft in sorted(placed.phases, key=lambda one: one.apart):
        began.setdefault(draft.care, draft)
    return tuple(
        _phase(
            organisation,
            client,
            draft,
            things[id(draft)],
            cares[draft.care],
            around,
            first=began[draft.care] is draft,
        )
        for draft in placed.phases
    )


def _things(placed: Placed) -> dict[int, "_Things"]:
    """Return the things of each phase, in fold order."""
    things = {id(phase): _Things() for phase in placed.phases}
    groups = _group_sessions(placed.things)
    for thing in placed.things:
        home = thing.phase
        if home is not None:
            things[id(home)].add(thing, (home.care, home.therapist), groups)
    return things


def _phase(
    organisation: str,
    client: str,
    draft: PhaseDraft,
    things: "_Things",
    its_care: Care,
    around: Surroundings,
    *,
    first: bool,
) -> Phase:
    facts = [fact for _, fact in draft.numbered]
    here = (fact.data["clinic"] for _, fact in reversed(_shaping(draft)) if "clinic" in fact.data)
    clinic = next(here, "")
    closed = draft.closed_by
    return Phase(
        organisation=organisation,
        client=client,
        clinic=around.clinic(clinic),
        care=its_care,
        therapist=draft.therapist,
        opened_at=draft.opened_at,
        closed_at=closed.occurred_at if closed else None,
        close_reason=closed.data.get("reason", "unknown") if closed else None,
        sessions=tuple(sorted(things.sessions, key=lambda one: (one.due_at, one.ref))),
        ratings=tuple(sorted(things.ratings, key=_said_at)),
        boundary_events=tuple(things.boundary_events),
        ruptures=tuple(things.ruptures),
        away=tuple(absence.span for absence in around.away.get(draft.therapist, ())),
        facts=tuple(facts),
        closed_by=closed,
        supervision=tuple(
            held
            for held in around.supervision.get(draft.therapist, ())
            if draft.opened_at <= held.occurred_at
            and (closed is None or held.occurred_at <= closed.occurred_at)
        ),
        first=first,
        apart=draft.apart,
        clinics=around.clinics,
    )


def _shaping(draft: PhaseDraft) -> Sequence[tuple[int, Fact]]:
    """Return what says where a phase is: a boundary matter says so only of one apart."""
    if draft.apart:
        return draft.numbered
    return [one for one in draft.numbered if FIRST_WORDS[one[1].type] != BOUNDARY]


def _said_at(rating: Rating) -> tuple[datetime, str, str]:
    """Return the fold order among ratings, by their last word."""
    return (rating.fact.occurred_at, rating.fact.source, rating.fact.id)


def _group_sessions(things: Sequence[Thing]) -> frozenset[str | None]:
    """Return the sessions whose latest word on their kind is that they are group sessions."""
    sessions = (thing for thing in things if thing.kind == "session")
    return frozenset(thing.ref for thing in sessions if _last_kind(thing.facts) == "group")


def _last_kind(facts: Sequence[Fact]) -> str | None:
    return next((fact.data["kind"] for fact in reversed(facts) if "kind" in fact.data), None)


@dataclass(slots=True)
class _Things:
    """What belongs to one phase, while it is gathered in fold order."""

    sessions: list[Session] = field(default_factory=list)
    ratings: list[Rating] = field(default_factory=list)
    boundary_events: list[BoundaryEvent] = field(default_factory=list)
    ruptures: list[Rupture] = field(default_factory=list)

    def add(self, thing: Thing, where: tuple[str, str], groups: frozenset[str | None]) -> None:
        """Build a thing from its facts; kinds without a form of their own stay facts.

        Args:
            thing: What it is.
            where: Care and therapist of its phase.
            groups: Refs of group sessions.
        """
        ref, facts = thing.ref or "", thing.facts
        if thing.kind == "session":
            self.sessions.append(session(ref, facts, *where))
        elif thing.kind == "rating":
            given_in = facts[-1].data.get("session")
            self.ratings.append(rating(facts, *where, given_in is not None and given_in in groups))
        elif thing.kind == "boundary_event":
            self.boundary_events.append(boundary_event(ref, facts, *where))
        elif thing.kind == "rupture":
            self.ruptures.append(rupture(ref, facts, *where))

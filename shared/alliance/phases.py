"""Which phase each fact belongs to (design.md section 4, unit of judgement). Pure.

A phase opens with the first fact that names its therapist and closes with ``care.transferred`` to
another or ``care.ended``. Where the documents are silent:

- Everything about one boundary event, rupture, goal, assignment or rating stays where it began.
- A closed phase takes what still comes about it. A new one opens when care starts again, or when
  a new session is booked or held that is no review or follow-up.
- Consent, client and record facts are about the client, not about a phase.
- A boundary matter opens and moves nothing: it stands with the therapist whom it names, and where
  nothing else does, in a phase apart. So what else is said of the client is the same whether or
  not there is one, and gives it away to nobody from whom it is kept.
- Co-therapists open no phase: a session is judged once, with the therapist who leads it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any, Final

from shared.alliance.amendments import KINDS
from shared.alliance.clinics import Surroundings
from shared.alliance.reading import FIRST_WORDS, Fact
from shared.alliance.sessions import named_therapist
from shared.clock import parse_time

MAIN: Final = "main"
NOBODY: Final = ""

OUTSIDE: Final = frozenset({"consent", "client", "record", "alert"})
"""First words of the types that belong to no phase."""

OPENS_AGAIN: Final = frozenset({"care.referred", "care.started", "care.resumed"})
AFTERWARDS: Final = frozenset({"review", "follow_up"})
BOUNDARY: Final = "boundary"


@dataclass(slots=True, eq=False)
class PhaseDraft:
    """A phase while facts are placed.

    Attributes:
        numbered: Its facts in fold order, with their place in the order of all.
        opened: Place in fold order of the fact that opened it.
        apart: Whether it holds boundary matters alone.
    """

    care: str
    therapist: str
    opened_at: datetime
    opened: int
    closed_by: Fact | None = None
    numbered: list[tuple[int, Fact]] = field(default_factory=list)
    apart: bool = False


Place = tuple[PhaseDraft | None, str | None]
"""Where facts belong, which for some is only known at the end: in the phase of the session that is
named second, where it has one; else in the phase."""


@dataclass(slots=True, eq=False)
class Thing:
    """One session, rating, boundary event … of the client, and where it belongs.

    Attributes:
        ref: None for a rating without a reference of its own.
        phase: None until every fact was placed.
    """

    kind: str
    ref: str | None
    place: Place
    phase: PhaseDraft | None = None
    facts: list[Fact] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Placed:
    """Every fact in its place.

    Attributes:
        phases: In order of opening.
        things: In fold order of their first facts, boundary events last; each has its phase.
        cares: Course of care → its ``care.*`` facts.
    """

    phases: list[PhaseDraft]
    things: list[Thing]
    cares: dict[str, list[Fact]]


def place(facts: Sequence[Fact], around: Surroundings) -> Placed:
    """Place every fact of one client, given in fold order."""
    placing = _Placing(facts, around)
    matters = [one for one in enumerate(facts) if not placing.read(*one)]
    for number, fact in matters:
        placing.put_beside(number, fact)
    return placing.finish()


class _Placing:
    def __init__(self, facts: Sequence[Fact], around: Surroundings) -> None:
        self._around = around
        self._named = _therapists_of_sessions(facts)
        self._phases: list[PhaseDraft] = []
        self._open: dict[str, list[PhaseDraft]] = {}
        self._latest: dict[tuple[str, str], PhaseDraft] = {}
        self._things: list[Thing] = []
        self._by_ref: dict[tuple[str, str], Thing] = {}
        self._homes: dict[str, PhaseDraft] = {}
        self._care_of: dict[str, str] = {}
        self._placed: list[tuple[int, Fact, Place]] = []
        self._cares: dict[str, list[Fact]] = {}

    def read(self, number: int, fact: Fact) -> bool:
        """Place a fact, the next in fold order; return False for one of a boundary matter."""
        word = FIRST_WORDS[fact.type]
        if word == "session":
            self._session(number, fact)
        elif word == "care":
            self._care(number, fact)
        elif word not in OUTSIDE and word != BOUNDARY:
            self._other(number, fact, word)
        return word != BOUNDARY

    def put_beside(self, number: int, fact: Fact) -> None:
        """Place a fact of a boundary matter, after everything else."""
        ref = fact.data["boundary_event"]
        thing = self._by_ref.get((KINDS[BOUNDARY], ref))
        if thing is None:
            thing = self._add(KINDS[BOUNDARY], ref, self._beside(number, fact))
        self._put(number, fact, thing.place)
        thing.facts.append(fact)

    def finish(self) -> Placed:
        for thing in self._things:
            thing.phase = self._resolved(thing.place)
        # Matters were placed last, and stand where they belong in time.
        for number, fact, there in sorted(self._placed, key=itemgetter(0)):
            self._resolved(there).numbered.append((number, fact))
        used = [phase for phase in self._phases if _says_something(phase)]
        for phase in used:
            phase.apart = all(_is_a_matter(one) for one in phase.numbered)
            phase.opened, phase.opened_at = _opening(phase)
        used.sort(key=lambda phase: (phase.opened_at, phase.opened))
        return Placed(used, self._things, self._cares)

    def _resolved(self, there: Place) -> PhaseDraft:
        phase, session = there
        if session is not None:
            phase = self._homes.get(session, phase)
        if phase is None:
            raise RuntimeError("a session that names a therapist has no phase")
        return phase

    # Care ---------------------------------------------------------------------------------------
    def _care(self, number: int, fact: Fact) -> None:
        care = fact.data.get("care") or MAIN
        self._cares.setdefault(care, []).append(fact)
        if fact.type == "care.transferred":
            self._transferred(number, fact, care)
        elif fact.type == "care.ended":
            for phase in list(self._open.get(care, ())) or [self._last(number, fact, care)]:
                self._close(number, fact, phase)
        else:
            therapist = fact.data.get("therapist")
            again = fact.type in OPENS_AGAIN
            if therapist is None:
                phase = self._current(number, fact, care)
            else:
                phase = self._phase(number, fact, care, therapist, again)
            self._put(number, fact, (phase, None))

    def _transferred(self, number: int, fact: Fact, care: str) -> None:
        """Close the phase of whom it names, or every other one, and open the new therapist's."""
        to, named = fact.data["to_therapist"], fact.data.get("therapist")
        left = {named, NOBODY} if named is not None and named != to else None
        if left is not None and named is not None:
            self._phase(number, fact, care, named, again=False)
        for phase in list(self._open.get(care, ())):
            if phase.therapist != to and (left is None or phase.therapist in left):
                self._close(number, fact, phase)
        self._put(number, fact, (self._phase(number, fact, care, to, again=True), None))

    def _close(self, number: int, fact: Fact, phase: PhaseDraft) -> None:
        if phase.closed_by is None:
            phase.closed_by = fact
            self._open[phase.care].remove(phase)
        self._put(number, fact, (phase, None))

    # Sessions -----------------------------------------------------------------------------------
    def _session(self, number: int, fact: Fact) -> None:
        data = fact.data
        ref = data["session"]
        thing = self._by_ref.get(("session", ref))
        care = data.get("care") or self._care_of.get(ref, MAIN)
        therapist = named_therapist(fact)
        if therapist is None:
            phase = self._current(number, fact, care)
            self._put(number, fact, (phase, ref))
        else:
            covered = None
            if therapist in self._around.covered:
                covered = self._covered(fact, thing, care, therapist)
            again = thing is None and _is_new_work(fact)
            phase = covered or self._phase(number, fact, care, therapist, again)
            self._homes[ref] = phase
            self._put(number, fact, (phase, None))
        self._care_of[ref] = care
        if thing is None:
            thing = self._add("session", ref, (phase, ref))
        thing.facts.append(fact)

    def _covered(
        self, fact: Fact, thing: Thing | None, care: str, therapist: str
    ) -> PhaseDraft | None:
        """Return the open phase of the therapist whom this one covers at the session's time."""
        moment = _session_time(fact, thing)
        for absence in self._around.covered[therapist]:
            phase = self._latest.get((care, absence.therapist))
            if phase is not None and phase.closed_by is None and absence.covers(moment):
                return phase
        return None

    # Everything else ----------------------------------------------------------------------------
    def _other(self, number: int, fact: Fact, word: str) -> None:
        kind = None if fact.type == "rating.skipped" else KINDS.get(word)
        ref = fact.data.get(kind) if kind else None
        thing = self._by_ref.get((kind, ref)) if kind and ref else None
        there = thing.place if thing else self._first(number, fact)
        self._put(number, fact, there)
        if kind is not None:
            thing = thing or self._add(kind, ref, there)
            thing.facts.append(fact)

    def _first(self, number: int, fact: Fact) -> Place:
        """Return where a fact belongs that continues no thing."""
        data: Any = fact.data
        session, therapist = data.get("session"), data.get("therapist")
        care = data.get("care") or self._care_of.get(session, MAIN)
        named = self._named.get(session, ())
        if named and (therapist is None or therapist in named):
            return (None, session)
        if therapist is None:
            return (self._current(number, fact, care), session)
        return (self._phase(number, fact, care, therapist, again=False), None)

    def _beside(self, number: int, fact: Fact) -> Place:
        """Return where a matter belongs: with whom it names, else in a phase apart."""
        data: Any = fact.data
        session, therapist = data.get("session"), data["therapist"]
        if therapist in self._named.get(session, ()):
            return (None, session)
        care = data.get("care") or self._care_of.get(session, MAIN)
        theirs = [one for one in self._phases if (one.care, one.therapist) == (care, therapist)]
        before = [one for one in theirs if one.opened <= number]
        if not theirs:
            theirs = [PhaseDraft(care, therapist, fact.occurred_at, number)]
            self._phases += theirs
        return (before[-1] if before else theirs[0], None)

    def _add(self, kind: str, ref: str | None, there: Place) -> Thing:
        thing = Thing(kind, ref, there)
        self._things.append(thing)
        if ref is not None:
            self._by_ref[kind, ref] = thing
        return thing

    # Phases -------------------------------------------------------------------------------------
    def _put(self, number: int, fact: Fact, there: Place) -> None:
        self._placed.append((number, fact, there))

    def _phase(
        self, number: int, fact: Fact, care: str, therapist: str, again: bool
    ) -> PhaseDraft:
        """Return the therapist's phase in a care, opened now if need be."""
        phase = self._latest.get((care, therapist))
        if phase is None or (phase.closed_by is not None and again):
            phase = PhaseDraft(care, therapist, fact.occurred_at, number)
            self._phases.append(phase)
            self._latest[care, therapist] = phase
            self._open.setdefault(care, []).append(phase)
        return phase

    def _current(self, number: int, fact: Fact, care: str) -> PhaseDraft:
        """Return the latest open phase in a care, else the one with an empty therapist."""
        open_now = self._open.get(care)
        return open_now[-1] if open_now else self._phase(number, fact, care, NOBODY, again=True)

    def _last(self, number: int, fact: Fact, care: str) -> PhaseDraft:
        """Return the latest phase of a care in which none is open."""
        phases = [phase for phase in self._phases if phase.care == care]
        return phases[-1] if phases else self._phase(number, fact, care, NOBODY, again=False)


def _says_something(phase: PhaseDraft) -> bool:
    """Return False for a phase without therapist in which nothing but its end happened."""
    if phase.therapist != NOBODY:
        return bool(phase.numbered)
    return any(fact is not phase.closed_by for _, fact in phase.numbered)


def _opening(phase: PhaseDraft) -> tuple[int, datetime]:
    """Return the first fact that names the therapist: some came to their place only now."""
    opening = [one for one in phase.numbered if phase.apart or not _is_a_matter(one)]
    naming = (one for one in opening if phase.therapist in _names(one[1]))
    number, first = next(naming, opening[0])
    return number, first.occurred_at


def _is_a_matter(numbered: tuple[int, Fact]) -> bool:
    return FIRST_WORDS[numbered[1].type] == BOUNDARY


def _names(fact: Fact) -> tuple[str | None, str | None]:
    return (fact.data.get("therapist"), fact.data.get("to_therapist"))


def _therapists_of_sessions(facts: Sequence[Fact]) -> dict[str, set[str]]:
    """Return whom the facts of each session name, whenever they do."""
    named: dict[str, set[str]] = {}
    for fact in facts:
        if FIRST_WORDS[fact.type] == "session":
            data = fact.data
            ref = data["session"]
            names = named.get(ref)
            if names is None:
                names = named[ref] = set()
            if "therapist" in data:
                names.add(data["therapist"])
            if "to_therapist" in data:
                names.add(data["to_therapist"])
    return named


def _is_new_work(fact: Fact) -> bool:
    held_or_booked = fact.type in ("session.scheduled", "session.held")
    return held_or_booked and fact.data.get("kind") not in AFTERWARDS


def _session_time(fact: Fact, thing: Thing | None) -> datetime:
    """Return when the session is, or was to be: a cancellation does not say, its booking does."""
    before = thing.facts if thing and fact.type == "session.cancelled" else ()
    for one in (fact, *reversed(before)):
        start = one.data.get("started_at") or one.data.get("starts_at")
        if start:
            return parse_time(start)
    return fact.occurred_at

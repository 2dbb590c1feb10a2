"""What became of one therapy session: its facts, in fold order, as one state. Pure.

Its state is the last word that counts. A booking sent again unchanged does not count; nor does a
booking of what has been held: only a retraction undoes that.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from shared.alliance.reading import Fact
from shared.alliance.things import Move, Party, Session, SessionState
from shared.clock import parse_time


@dataclass(slots=True)
class _Draft:
    """A session while its facts are read."""

    state: SessionState | None = None
    start: datetime | None = None
    booked: bool = False
    started_at: datetime | None = None
    ended_at: datetime | None = None
    by: Party | None = None
    reason: str | None = None
    therapist: str | None = None
    clinic: str = ""
    booking_precision: str = "minute"
    precision: str = "minute"
    latest: dict[str, Any] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    without_effect: list[Fact] = field(default_factory=list)


def session(ref: str, facts: Sequence[Fact], care: str, therapist: str) -> Session:
    """Return a session from everything that speaks of it.

    Args:
        ref: The sender's reference.
        facts: Its ``session.*`` facts, in fold order; at least one.
        care: The course of care of the phase that it belongs to.
        therapist: That phase's therapist, for a session that names none.
    """
    draft = _Draft()
    for fact in facts:
        if _READERS[fact.type](draft, fact):
            draft.facts.append(fact)
        else:
            draft.without_effect.append(fact)
    return _frozen(ref, draft, care, therapist)


def named_therapist(fact: Fact) -> str | None:
    """Return who holds the session after this fact, where it says so."""
    data = fact.data
    named: str | None = data.get("to_therapist") or data.get("therapist")
    return named


def _scheduled(draft: _Draft, fact: Fact) -> bool:
    if draft.state == "held":
        return False
    start = parse_time(fact.data["starts_at"])
    therapist = named_therapist(fact)
    same_therapist = therapist is None or draft.therapist in (None, therapist)
    if draft.start is not None and draft.state != "cancelled":
        if start == draft.start and same_therapist:
            _fill_in(draft, fact)
            return False
        _move(draft, fact, "unknown", start)
    _book(draft, fact, start)
    return True


def _rescheduled(draft: _Draft, fact: Fact) -> bool:
    if draft.state == "held":
        return False
    start = parse_time(fact.data["starts_at"])
    _move(draft, fact, fact.data["requested_by"], start)
    _book(draft, fact, start)
    return True


def _cancelled(draft: _Draft, fact: Fact) -> bool:
    _settle(draft, fact, "cancelled", fact.data["cancelled_by"])
    return True


def _missed(draft: _Draft, fact: Fact) -> bool:
    _settle(draft, fact, "missed", fact.data["missed_by"])
    if not draft.booked:
        draft.start = fact.occurred_at
    return True


def _held(draft: _Draft, fact: Fact) -> bool:
    _settle(draft, fact, "held", None)
    draft.started_at = parse_time(fact.data["started_at"])
    draft.ended_at = parse_time(fact.data["ended_at"])
    if not draft.booked:
        draft.start = draft.started_at
    return True


_READERS: Final[Mapping[str, Callable[[_Draft, Fact], bool]]] = {
    "session.scheduled": _scheduled,
    "session.rescheduled": _rescheduled,
    "session.cancelled": _cancelled,
    "session.missed": _missed,
    "session.held": _held,
}


def _book(draft: _Draft, fact: Fact, start: datetime) -> None:
    draft.start, draft.booked = start, True
    draft.booking_precision = fact.data.get("time_precision", "minute")
    _enter(draft, fact, "scheduled", None)


def _settle(draft: _Draft, fact: Fact, state: SessionState, by: Party | None) -> None:
    draft.precision = fact.data.get("time_precision", "minute")
    _enter(draft, fact, state, by)


def _enter(draft: _Draft, fact: Fact, state: SessionState, by: Party | None) -> None:
    draft.state, draft.by = state, by
    draft.started_at = draft.ended_at = None
    draft.reason = None if state == "scheduled" else fact.data.get("reason")
    if state == "scheduled":
        draft.precision = "minute"
    draft.therapist = named_therapist(fact) or draft.therapist
    draft.clinic = fact.data["clinic"]
    _fill_in(draft, fact)


def _fill_in(draft: _Draft, fact: Fact) -> None:
    """Keep the latest word on what a fact may say besides the state."""
    draft.latest.update(fact.data)


def _move(draft: _Draft, fact: Fact, by: Party, start: datetime) -> None:
    """Note a change of a booking that is known; one of an unknown start only books."""
    therapist = named_therapist(fact)
    unchanged = start == draft.start and therapist in (None, draft.therapist)
    if draft.start is not None and not unchanged:
        draft.moves.append(Move(fact.occurred_at, by, draft.start, start, fact))


def _frozen(ref: str, draft: _Draft, care: str, therapist: str) -> Session:
    latest = draft.latest
    outcome = draft.facts[-1].data if draft.state == "held" else {}
    by_day = "day" in (draft.precision, draft.booking_precision)
    state_at = draft.facts[-1].occurred_at
    # By place, in the order of its fields: by name, making it takes three times as long.
    return Session(
        ref,
        draft.clinic,
        draft.therapist or therapist,
        care,
        draft.state or "scheduled",
        state_at,
        draft.start or state_at,
        latest.get("planned_minutes"),
        draft.started_at,
        draft.ended_at,
        draft.by,
        draft.reason,
        latest.get("modality"),
        latest.get("kind"),
        tuple(latest.get("co_therapists") or ()),
        latest.get("session_number"),
        outcome.get("client_arrival"),
        outcome.get("ended_early_by"),
        "day" if by_day else "minute",
        tuple(draft.moves),
        tuple(draft.facts),
        tuple(draft.without_effect),
    )

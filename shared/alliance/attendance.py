"""What became of the sessions of a phase over time, and what never counts as a lapse. Pure."""

from bisect import insort
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from shared.alliance.calendar import closed_because, covers, local_date
from shared.alliance.reading import Fact
from shared.alliance.sessions import session as session_of
from shared.alliance.things import Phase, Session, Span
from shared.values import frozen

BOOKINGS: Final = frozenset({"session.scheduled", "session.rescheduled"})

SICKNESS: Final = "sickness"
FIRST_SICKNESS: Final = "first_sickness"

_BY_REASON: Final[Mapping[str, str]] = {
    "annual_leave": "announced_leave",
    "bank_holiday": "bank_holiday",
    "emergency": "emergency",
    "equipment": "equipment",
    "illness": SICKNESS,
    "technical": "technical",
    "weather": "weather",
}
_BY_PAUSE: Final[Mapping[str, str]] = {
    "client_request": "break_the_client_asked_for",
    "clinic_closure": "closure",
    "therapist_leave": "announced_leave",
}


@frozen
class Outcome:
    """What became of one booking of a session.

    Attributes:
        session: The session as it stood: held, missed or cancelled.
        since: When that came to be.
        until: When it was booked again; None where that was the last word.
    """

    session: Session
    since: datetime
    until: datetime | None

    @property
    def fact(self) -> Fact:
        """The fact that decided it."""
        return self.session.facts[-1]

    @property
    def by_provider(self) -> bool:
        """Whether the therapist or the clinic kept it from being held; unknown never counts."""
        session = self.session
        return (session.state == "cancelled" and session.by in ("therapist", "clinic")) or (
            session.state == "missed" and session.by == "therapist"
        )

    @property
    def by_client(self) -> bool:
        """Whether the client kept it from being held."""
        return self.session.state in ("cancelled", "missed") and self.session.by == "client"


def outcomes(phase: Phase) -> tuple[Outcome, ...]:
    """Return what became of each booking, in order of when it came to be.

    A later word on the same booking replaces the earlier one, as a correction does; a cancelled
    or missed session that is booked again keeps its first outcome until then.
    """
    return phase.derived(_outcomes)


def windows(phase: Phase, size: int) -> Iterator[tuple[datetime, Outcome, Sequence[Outcome]]]:
    """Yield, at every change, the last ``size`` bookings that had an outcome by then.

    Yields:
        The moment, the outcome that came to be or ceased to be, the window by planned start.
    """
    changes: list[tuple[datetime, int, str, Outcome]] = []
    for outcome in outcomes(phase):
        changes.append((outcome.since, 1, outcome.session.ref, outcome))
        if outcome.until is not None:
            changes.append((outcome.until, 0, outcome.session.ref, outcome))
    decided: list[tuple[datetime, str, datetime, Outcome]] = []
    for at, begins, ref, outcome in sorted(changes, key=lambda change: change[:3]):
        entry = (outcome.session.due_at, ref, outcome.since, outcome)
        if begins:
            insort(decided, entry, key=lambda one: one[:3])
        else:
            decided.remove(entry)
        yield at, outcome, [one[3] for one in decided[-size:]]


def latest(phase: Phase, size: int) -> Sequence[Outcome]:
    """Return the last ``size`` bookings that have an outcome now: where ``windows`` ends."""
    return phase.derived(_lasting_outcomes)[-size:]


def lapses(
    phase: Phase, window: Sequence[Outcome], sickness_grace: int
) -> tuple[list[Outcome], dict[str, int]]:
    """Part what the provider kept from being held into what counts and what never does.

    Args:
        phase: Whose sessions they are.
        window: Bookings, in order of their planned start.
        sickness_grace: How many times sickness in the window does not count (own: 1).

    Returns:
        What counts, and reason → how many were not counted.
    """
    counted: list[Outcome] = []
    excused: Counter[str] = Counter()
    for outcome in window:
        if not outcome.by_provider:
            continue
        reason = excuse(phase, outcome.session)
        if reason == SICKNESS and excused[FIRST_SICKNESS] < sickness_grace:
            excused[FIRST_SICKNESS] += 1
        elif reason is None or reason == SICKNESS:
            counted.append(outcome)
        else:
            excused[reason] += 1
    return counted, dict(sorted(excused.items()))


def excuse(phase: Phase, session: Session) -> str | None:
    """Return why a session that was not held is nobody's lapse, or None.

    ``sickness`` is an excuse for the first time only; the caller counts.
    """
    return excused_by_date(phase, session.due_at) or _BY_REASON.get(session.reason or "")


def why_not_counted(phase: Phase, session: Session) -> str:
    """Return the reason that is listed of a session that ``lapses`` did not count."""
    reason = excuse(phase, session)
    return FIRST_SICKNESS if reason in (None, SICKNESS) else str(reason)


def excused_by_date(phase: Phase, moment: datetime) -> str | None:
    """Return why no session was to be held at a moment: closed, paused, away; or None."""
    closed = closed_because(phase.clinic, local_date(phase.clinic, moment))
    if closed is not None:
        return closed
    pause = _lasting(phase.care.pauses, moment)
    if pause is not None:
        return pause_reason(pause)
    # Of several absences at once, one that was not announced yet says nothing of the others.
    away = {
        span.reason
        for span in phase.away
        if covers(span, moment) and span.fact.occurred_at <= moment
    }
    if away - {SICKNESS}:
        return "announced_leave"
    return SICKNESS if away else None


def pause_reason(pause: Span) -> str:
    """Return a pause of care in the words in which it is listed as not counted."""
    return _BY_PAUSE.get(pause.reason, "pause")


def _outcomes(phase: Phase) -> tuple[Outcome, ...]:
    found = [outcome for session in phase.sessions for outcome in _of_session(session)]
    return tuple(sorted(found, key=lambda one: (one.since, one.session.ref)))


def _lasting_outcomes(phase: Phase) -> tuple[Outcome, ...]:
    standing = [outcome for outcome in outcomes(phase) if outcome.until is None]
    return tuple(sorted(standing, key=lambda one: (one.session.due_at, one.session.ref)))


def _lasting(spans: Sequence[Span], moment: datetime) -> Span | None:
    return next((span for span in spans if covers(span, moment)), None)


def _of_session(session: Session) -> Iterator[Outcome]:
    since: datetime | None = None
    for at, fact in enumerate(session.facts):
        if fact.type not in BOOKINGS:
            since = fact.occurred_at
        elif since is not None:
            before = session_of(session.ref, session.facts[:at], session.care, session.therapist)
            yield Outcome(before, before.state_at, fact.occurred_at)
            since = None
    if since is not None:
        yield Outcome(session, session.state_at, None)

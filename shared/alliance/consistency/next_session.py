"""Whether a next session is booked. Pure."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from operator import itemgetter

from shared.alliance.attendance import BOOKINGS
from shared.alliance.calendar import after_days, days_between
from shared.alliance.consistency.left_out import pauses
from shared.alliance.consistency.measure import Figure, Measure, Settings, level, not_analysable
from shared.alliance.consistency.said import held
from shared.alliance.reading import Fact
from shared.alliance.sessions import session as session_of
from shared.alliance.things import Phase, Session
from shared.alliance.wording import counted
from shared.clock import parse_time
from shared.values import frozen

_WINDOW = "what is booked at the client's last fact"


@frozen
class Unbooked:
    """A stretch in which no session was booked ahead, as was known then.

    Attributes:
        since: When a session was held, or when the last booking ahead fell away or came due.
        fact: What says so.
        until: When one was booked or held; None while none is.
    """

    since: datetime
    fact: Fact
    until: datetime | None


@frozen
class _Ahead:
    """A stretch in which a session was booked ahead, and the fact that ended it."""

    start: datetime
    end: datetime
    fact: Fact


@frozen
class Booked:
    """A session as it was booked: its start, and the last word on it."""

    start: datetime
    fact: Fact


def next_booked(phase: Phase, moment: datetime) -> Booked | None:
    """Return the next session after a moment, as was known then."""
    every = phase.derived(_by_last_start)
    after = every[bisect_right(every, moment, key=itemgetter(0)) :]
    found = [_standing(session, moment) for _, said, session in after if said <= moment]
    ahead = [one for one in found if one is not None and one.start > moment]
    return min(ahead, key=lambda one: (one.start, one.fact.source, one.fact.id), default=None)


def said_at(phase: Phase, moment: datetime) -> tuple[Fact, ...]:
    """Return what was said of sessions at a moment."""
    return tuple(
        fact for one in phase.sessions for fact in one.facts if fact.occurred_at == moment
    )


def changes(phase: Phase, start: datetime, end: datetime) -> list[datetime]:
    """Return when, between two moments, something was said of a session, or one was to begin."""
    said = {fact.occurred_at for session in phase.sessions for fact in session.facts}
    due = {session.due_at for session in phase.sessions}
    return sorted(at for at in said | due if start < at < end)


def unbooked(phase: Phase) -> tuple[Unbooked, ...]:
    """Return every stretch of a phase without a booking, since its first held session.

    None where no booking is ever sent: the word ``sessions`` says too little, as who sends held
    sessions alone says it too. What was seen from the clinic counts, or one in the phase.
    """
    return phase.derived(_unbooked)


def _unbooked(phase: Phase) -> tuple[Unbooked, ...]:
    done = [(session.state_at, session.facts[-1]) for session in held(phase)]
    if not done:
        return ()
    booked = _together(phase.sessions)
    if not booked and "session.scheduled" not in phase.clinic.seen:
        return ()
    starts = [one.start for one in booked]
    ends = [(one.end, one.fact) for one in booked if one.end > done[0][0]]
    answers = sorted([*starts, *(at for at, _ in done)])
    found = []
    for at, fact in sorted([*done, *ends], key=lambda one: (one[0], one[1].source, one[1].id)):
        before = bisect_right(starts, at)
        if before and at < booked[before - 1].end:
            continue
        later = bisect_right(answers, at)
        found.append(Unbooked(at, fact, answers[later] if later < len(answers) else None))
    return tuple(found)


def _together(sessions: Sequence[Session]) -> list[_Ahead]:
    """Return when any session was booked ahead: stretches in time, no two of which meet."""
    found: list[_Ahead] = []
    each = (one for session in sessions for one in _ahead(session))
    for one in sorted(each, key=lambda one: (one.start, one.end, one.fact.source, one.fact.id)):
        if not found or one.start > found[-1].end:
            found.append(one)
        elif one.end > found[-1].end:
            found[-1] = _Ahead(found[-1].start, one.end, one.fact)
    return found


def _ahead(session: Session) -> Iterator[_Ahead]:
    """Yield from when to when each booking of a session lay ahead."""
    for fact, then in pairwise((*session.facts, None)):
        if fact is None or fact.type not in BOOKINGS:
            continue
        end, by = parse_time(fact.data["starts_at"]), fact
        if then is not None and then.occurred_at <= end:
            end, by = then.occurred_at, then
        if fact.occurred_at < end:
            yield _Ahead(fact.occurred_at, end, by)


def _by_last_start(phase: Phase) -> list[tuple[datetime, datetime, Session]]:
    """Return each session with its latest start ever booked and its first word, by that start."""
    found = [
        (
            max([one.due_at, *(move.from_start for move in one.moves)]),
            one.facts[0].occurred_at,
            one,
        )
        for one in phase.sessions
    ]
    return sorted(found, key=itemgetter(0))


def _standing(session: Session, moment: datetime) -> Booked | None:
    """Return a session as it was known at a moment; None where it was not booked."""
    known = [fact for fact in session.facts if fact.occurred_at <= moment]
    if len(known) < len(session.facts):
        session = session_of(session.ref, known, session.care, session.therapist)
    return Booked(session.due_at, session.facts[-1]) if session.state == "scheduled" else None


def _figure(phase: Phase, at: datetime, settings: Settings) -> Figure:
    """Return how many sessions are booked ahead of ``at``, and since when none is.

    That none is booked is a fact of its own; it meets the threshold only some days after the last
    held session, or after the last booking fell away: a next one is often agreed a day or two
    later.
    """
    if not phase.in_care:
        return not_analysable("the phase is closed", _WINDOW)
    if not held(phase):
        return not_analysable("no session was held yet", _WINDOW)
    ahead = [
        session
        for session in phase.sessions
        if session.state == "scheduled" and session.due_at > at
    ]
    if not ahead and not unbooked(phase):
        return not_analysable("no booking was ever sent from here", _WINDOW)
    still, clinic = phase.care.pauses, phase.clinic
    last, since = held(phase)[-1], unbooked(phase)[-1] if not ahead else None
    days = days_between(clinic, last.state_at, at, still)
    most = settings["days_without"]
    booked = f"{counted(len(ahead), 'next session')} {'is' if len(ahead) == 1 else 'are'} booked"
    without = 0 if since is None else days_between(clinic, since.since, at, still)
    if since is not None:
        booked = "no next session is booked"
        booked += "" if since.fact == last.facts[-1] else f" for {counted(without, 'day')}"
    start = last.state_at if since is None else since.since
    return Figure(
        says=f"{booked}, {counted(days, 'day')} after the last held one",
        window=_WINDOW,
        value=len(ahead),
        met=level(since is not None and without >= most),
        events=[last.facts[-1], *(session.facts[-1] for session in ahead)],
        not_counted=pauses(phase, start, at),
        numbers={"days_since_held": days, "days_without": without},
        due_at=None if since is None else after_days(clinic, start, most, still),
    )


NEXT_SESSION = Measure(
    name="next_session",
    rule="no-next-session",
    title="Next session",
    unit="sessions",
    definition="sessions booked for after the client's last fact; where none is, days since the "
    "last held one, or since the last booking was called off or came due; pauses left out",
    limit="none booked for {days_without} days",
    defaults={"days_without": 7},
    figure=_figure,
)

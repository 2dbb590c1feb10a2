"""Sessions that the provider moved at short notice, among the last eight. Pure."""

from bisect import insort
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from shared.alliance.attendance import BOOKINGS, SICKNESS, excused_by_date
from shared.alliance.consistency.left_out import excused
from shared.alliance.consistency.measure import Figure, Measure, Settings, level, not_analysable
from shared.alliance.things import Move, Phase, Session
from shared.alliance.wording import counted

PROVIDER = ("therapist", "clinic")


def _figure(phase: Phase, _at: datetime, settings: Settings) -> Figure:
    """Return how often the provider moved one of the last sessions at short notice.

    The last eight are those, by planned start, that were held, missed, cancelled or moved.
    """
    size = settings["window_sessions"]
    window = f"the last {counted(size, 'session')} that were held, missed, cancelled or moved"
    decided = [one for one in phase.sessions if one.state != "scheduled" or one.moves]
    last = decided[-size:]
    if not last:
        return not_analysable("no session was held, missed, cancelled or moved yet", window)
    moves, not_counted = short_moves(phase, last, settings)
    n, hours = len(moves), settings["notice_hours"]
    return Figure(
        says=f"{counted(n, 'move')} by the clinic or therapist with less than {hours} hours' "
        f"notice in the last {counted(len(last), 'session')}",
        window=window,
        value=n,
        numerator=n,
        denominator=len(last),
        values=tuple(
            {"event": move.fact.event, "notice_hours": round(_notice_hours(move), 2)}
            for move in moves
        ),
        met=level(n >= settings["short_moves"]),
        events=[move.fact for move in moves],
        among=[session.facts[-1] for session in last],
        not_counted=not_counted,
    )


def windows(phase: Phase, size: int) -> Iterator[tuple[datetime, Sequence[Session]]]:
    """Yield, whenever a session is moved or decided, the last ones that were by then.

    In the order of their planned starts, as they stand now.
    """
    changes = [
        (at, session.due_at, session.ref, session)
        for session in phase.sessions
        for at in (
            *(move.at for move in session.moves),
            *(() if session.state == "scheduled" else (session.state_at,)),
        )
    ]
    decided: list[tuple[datetime, str, Session]] = []
    known: set[str] = set()
    for at, due_at, ref, session in sorted(changes, key=lambda change: change[:3]):
        if ref not in known:
            known.add(ref)
            insort(decided, (due_at, ref, session), key=lambda one: one[:2])
        yield at, [one[2] for one in decided[-size:]]


def short_moves(
    phase: Phase, last: Sequence[Session], settings: Settings, until: datetime | None = None
) -> tuple[list[Move], dict[str, int]]:
    """Part what the provider moved at short notice into what counts and what never does.

    Args:
        phase: Whose sessions they are.
        last: Some of them.
        settings: Of the measure.
        until: Later moves are not looked at; None: all are.

    Returns:
        The moves that count, in time, and reason → how many were not counted.
    """
    short = [
        (move, session)
        for session in last
        for move in session.moves
        if move.by != "client"
        and (until is None or move.at <= until)
        and _notice_hours(move) < settings["notice_hours"]
    ]
    moves: list[Move] = []
    reasons: list[str] = []
    for move, session in sorted(short, key=lambda pair: (pair[0].at, pair[1].ref)):
        reason = _why_left_out(phase, move, session)
        if reason == SICKNESS:
            spared = reasons.count("first_sickness") < settings["sickness_grace"]
            reason = "first_sickness" if spared else None
        if reason is None:
            moves.append(move)
        else:
            reasons.append(reason)
    return moves, excused(reasons)


def _why_left_out(phase: Phase, move: Move, session: Session) -> str | None:
    if move.by not in PROVIDER:
        return "moved_by_unknown"
    if move.from_start == move.to_start:
        return "only_the_therapist_changed"
    booked, *precisions = _said(session, move)
    if not booked:
        return "booked_again_after_it_was_cancelled_or_missed"
    if "day" in precisions:
        return "no_exact_time"
    return excused_by_date(phase, move.from_start)


def _said(session: Session, move: Move) -> Iterator[bool | str]:
    """Yield whether the session was booked before a move, and how exactly both times are known."""
    at = session.facts.index(move.fact)
    before = session.facts[at - 1] if at else move.fact
    yield before.type in BOOKINGS
    yield before.data.get("time_precision", "minute")
    yield move.fact.data.get("time_precision", "minute")


def _notice_hours(move: Move) -> float:
    """Return the hours from the change to the start that it took away; less than 0 after it."""
    return (move.from_start - move.at) / timedelta(hours=1)


DEFAULTS: Final[Settings] = {
    "window_sessions": 8, "notice_hours": 48, "short_moves": 2, "sickness_grace": 1,
}  # fmt: skip

RESCHEDULE_CHURN = Measure(
    name="reschedule_churn",
    rule="reschedule-churn",
    title="Sessions moved at short notice",
    unit="moves",
    definition="moves by therapist or clinic made less than 48 hours before the start that was "
    "booked, of the last 8 sessions that were held, missed, cancelled or moved",
    limit="{short_moves}",
    defaults=DEFAULTS,
    figure=_figure,
)

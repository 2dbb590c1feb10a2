"""Sessions that were shorter than sessions of this phase were at first. Pure."""

from collections import Counter
from datetime import datetime, timedelta
from statistics import median
from typing import Final

from shared.alliance.consistency.measure import Figure, Measure, Settings, level, not_analysable
from shared.alliance.consistency.said import held
from shared.alliance.things import Phase, Session
from shared.alliance.wording import counted, figure

FIRST: Final = 4
"""The phase's own length is the median of so many first sessions (own)."""

LAST: Final = 4
"""So many latest sessions after those are compared with it (own)."""

_MINUTE: Final = timedelta(minutes=1)


def _figure(phase: Phase, _at: datetime, settings: Settings) -> Figure:
    """Return how many of the last sessions were shorter than the phase's own first ones.

    The first four are what the others are compared with, and are never short themselves. A
    session that the client ended or came late to says nothing of the therapist's time; nor does
    one that technology ended, or that nobody knows who ended.
    """
    window = f"the last {counted(LAST, 'session')} held after the phase's first {FIRST}"
    reasons = [_why_left_out(session) for session in held(phase)]
    whole = [one for one, why in zip(held(phase), reasons, strict=True) if why is None]
    not_counted = dict(Counter(reason for reason in reasons if reason))
    first, last = whole[:FIRST], whole[FIRST:][-LAST:]
    if not last:
        because = f"{counted(len(whole), 'session')} of a known length, {FIRST + 1} needed"
        return not_analysable(because, window, not_counted)
    usual = median(_minutes(session) for session in first)
    if usual <= 0:
        return not_analysable("the first sessions have no length", window, not_counted)
    shares = [_minutes(session) / usual for session in last]
    short = [
        session
        for session, share in zip(last, shares, strict=True)
        if share < settings["least_share"]
    ]
    n, of = len(short), len(last)
    return Figure(
        says=f"{n} of the last {counted(of, 'session')} {'was' if n == 1 else 'were'} shorter "
        f"than {settings['least_share']:g} of the phase's own {figure(usual)} minutes",
        window=window,
        value=n,
        numerator=n,
        denominator=of,
        values=tuple(
            {
                "event": session.facts[-1].event,
                "minutes": round(_minutes(session), 2),
                "share": round(share, 3),
            }
            for session, share in zip(last, shares, strict=True)
        ),
        met=level(n >= settings["short_sessions"]),
        events=[session.facts[-1] for session in short],
        among=[session.facts[-1] for session in last],
        not_counted=not_counted,
        numbers={
            "own_median_minutes": round(usual, 2),
            "of": [session.facts[-1].event for session in first],
        },
    )


def _minutes(session: Session) -> float:
    if session.started_at is None or session.ended_at is None:
        return 0.0
    return (session.ended_at - session.started_at) / _MINUTE


def _why_left_out(session: Session) -> str | None:
    if session.time_precision != "minute":
        return "no_exact_time"
    if session.ended_early_by in ("client", "technical", "unknown"):
        return f"ended_early_by_{session.ended_early_by}"
    return "client_late" if session.client_arrival == "late" else None


SHORTENED_SESSIONS = Measure(
    name="shortened_sessions",
    title="Sessions shorter than they were at first",
    unit="sessions",
    definition="actual length ÷ median length of the phase's first 4, of the last 4 after "
    "those; not where the client came late, or the client, technology or nobody known ended it",
    limit="{short_sessions} below {least_share}",
    defaults={"least_share": 0.9, "short_sessions": 2},
    figure=_figure,
)

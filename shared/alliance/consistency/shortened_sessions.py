"""Sessions that were shorter than sessions of this phase were at first. Pure."""

from collections import Counter, deque
from collections.abc import Sequence
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

DECIMALS: Final = 9
"""Beyond them, a share is noise of floats."""

_MINUTE: Final = timedelta(minutes=1)


class Lengths:
    """The lengths of held sessions, one after the other.

    Attributes:
        first: The first four of a known length: the phase's own measure.
        last: The last four after those.
        usual_minutes: The median of the first; 0 until there are so many.
        not_counted: Reason → how many others there were.
    """

    def __init__(self) -> None:
        """Know none yet."""
        self.first: list[Session] = []
        self.last: deque[Session] = deque(maxlen=LAST)
        self.usual_minutes = 0.0
        self.not_counted: Counter[str] = Counter()

    def add(self, session: Session) -> bool:
        """Add the next held session; return whether it is compared with the first ones."""
        because = _why_left_out(session)
        if because is not None:
            self.not_counted[because] += 1
            return False
        if len(self.first) == FIRST:
            self.last.append(session)
            return True
        self.first.append(session)
        if len(self.first) == FIRST:
            self.usual_minutes = median(_minutes(one) for one in self.first)
        return False

    def short(self, least_share: float) -> Sequence[Session]:
        """Return which of the last were shorter than a share of the usual length."""
        if self.usual_minutes <= 0:
            return ()
        return [one for one in self.last if self.share(one) < least_share]

    def share(self, session: Session) -> float:
        """Return a length as a share of the usual one: 11.7 of 13 minutes are 0.9, no less."""
        return round(_minutes(session) / self.usual_minutes, DECIMALS)


def _figure(phase: Phase, _at: datetime, settings: Settings) -> Figure:
    """Return how many of the last sessions were shorter than the phase's own first ones.

    The first four are what the others are compared with, and are never short themselves. A
    session that the client ended or came late to says nothing of the therapist's time; nor does
    one that technology ended, or that nobody knows who ended.
    """
    window = f"the last {counted(LAST, 'session')} held after the phase's first {FIRST}"
    lengths = Lengths()
    for session in held(phase):
        lengths.add(session)
    first, last, not_counted = lengths.first, lengths.last, lengths.not_counted
    if not last:
        because = f"{counted(len(first), 'session')} of a known length, {FIRST + 1} needed"
        return not_analysable(because, window, not_counted)
    usual = lengths.usual_minutes
    if usual <= 0:
        return not_analysable("the first sessions have no length", window, not_counted)
    shares = [lengths.share(session) for session in last]
    short = lengths.short(settings["least_share"])
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
    rule="shortened-sessions",
    title="Sessions shorter than they were at first",
    unit="sessions",
    definition="actual length ÷ median length of the phase's first 4, of the last 4 after "
    "those; not where the client came late, or the client, technology or nobody known ended it",
    limit="{short_sessions} below {least_share}",
    defaults={"least_share": 0.9, "short_sessions": 2},
    figure=_figure,
)

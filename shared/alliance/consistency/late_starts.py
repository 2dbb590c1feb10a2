"""How late sessions began although the client was there on time. Pure."""

from collections import Counter, deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Final

from shared.alliance.attendance import BOOKINGS
from shared.alliance.consistency.measure import Figure, Measure, Settings, level, not_analysable
from shared.alliance.consistency.said import held
from shared.alliance.things import Phase, Session
from shared.alliance.wording import counted, figure

LAST: Final = 4
"""The median is of so many latest starts (own)."""

FILLED_IN_SHARE: Final = 0.8
"""Where more of a phase's starts equal the schedule, somebody filled them in (own)."""

FILLED_IN_LEAST: Final = 4
"""So many starts are needed to say so (own)."""

_MINUTE: Final = timedelta(minutes=1)


class Starts:
    """The starts of held sessions, one after the other, with what the last of them say.

    Attributes:
        last: The last booked ones at which the client was there on time, at most four.
        timed: How many were booked, with both times known to the minute.
        filled_in: How many of those equal the schedule.
        not_counted: Reason → how many others there were.
    """

    def __init__(self) -> None:
        """Know none yet."""
        self.last: deque[Session] = deque(maxlen=LAST)
        self.timed = self.filled_in = 0
        self.not_counted: Counter[str] = Counter()

    def add(self, session: Session) -> bool:
        """Add the next held session; return whether its start counts."""
        if not _is_timed(session):
            self.not_counted["no_planned_or_exact_time"] += 1
            return False
        self.timed += 1
        self.filled_in += session.started_at == session.due_at
        if session.client_arrival != "on_time":
            late = session.client_arrival == "late"
            self.not_counted["client_late" if late else "arrival_unknown"] += 1
            return False
        self.last.append(session)
        return True

    @property
    def observed(self) -> bool:
        """Whether somebody looked at a clock: not nearly every start equals the schedule."""
        few = self.timed < FILLED_IN_LEAST
        return few or self.filled_in / self.timed <= FILLED_IN_SHARE

    def minutes_late(self, grace_minutes: float) -> Sequence[float] | None:
        """Return how late each of the last began; None where they are too few, or filled in.

        A start within the grace is on time and counts as 0; beyond it the whole lateness counts.
        """
        if len(self.last) < LAST or not self.observed:
            return None
        return [_minutes_late(session, grace_minutes) for session in self.last]


def _figure(phase: Phase, _at: datetime, settings: Settings) -> Figure:
    """Return the median lateness of the last starts with the client there on time."""
    window = f"the last {counted(LAST, 'booked session')} held with the client there on time"
    starts = Starts()
    for session in held(phase):
        starts.add(session)
    numbers = {"starts": starts.timed, "equal_to_the_schedule": starts.filled_in}
    if not starts.observed:
        because = f"{starts.filled_in} of {starts.timed} starts equal the schedule: they are "
        return not_analysable(f"{because}filled in, not observed", window, None, **numbers)
    late = starts.minutes_late(settings["grace_minutes"])
    if late is None:
        on_time = counted(len(starts.last), "start")
        because = f"{on_time} with the client there on time, {LAST} needed"
        return not_analysable(because, window, starts.not_counted)
    value = median(late)
    return Figure(
        says=f"the last {LAST} sessions began {figure(value)} minutes late (median)",
        window=window,
        value=value,
        values=tuple(
            {"event": session.facts[-1].event, "minutes_late": round(minutes, 2)}
            for session, minutes in zip(starts.last, late, strict=True)
        ),
        met=level(value > settings["median_minutes"]),
        events=[session.facts[-1] for session in starts.last],
        not_counted=starts.not_counted,
        numbers=numbers,
    )


def _is_timed(session: Session) -> bool:
    """Return whether a held session was booked, and both its times are known to the minute."""
    return session.time_precision == "minute" and (
        session.facts[0].type in BOOKINGS or any(one.type in BOOKINGS for one in session.facts)
    )


def _minutes_late(session: Session, grace_minutes: float) -> float:
    started_at = session.started_at or session.due_at
    late = (started_at - session.due_at) / _MINUTE
    return late if late > grace_minutes else 0.0


LATE_STARTS = Measure(
    name="late_starts",
    rule="sessions-starting-late",
    title="Sessions starting late",
    unit="minutes",
    definition="median of actual − scheduled start of the last 4 booked sessions that were held "
    "with the client there on time; within the grace is 0. Not analysable where more than 80 % of "
    "the phase's starts (at least 4) equal the schedule",
    limit="more than {median_minutes} minutes, grace {grace_minutes}",
    defaults={"grace_minutes": 5, "median_minutes": 10},
    figure=_figure,
)

"""How late sessions began although the client was there on time. Pure."""

from collections import Counter
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


def _figure(phase: Phase, _at: datetime, settings: Settings) -> Figure:
    """Return the median lateness of the last starts.

    A start within the grace is on time and counts as 0 minutes late; beyond it the whole lateness
    counts. Only where the client is known to have been there on time.
    """
    window = f"the last {counted(LAST, 'booked session')} held with the client there on time"
    every = held(phase)
    timed = [session for session in every if _is_timed(session)]
    filled_in = sum(session.started_at == session.due_at for session in timed)
    if len(timed) >= FILLED_IN_LEAST and filled_in / len(timed) > FILLED_IN_SHARE:
        return not_analysable(
            f"{filled_in} of {len(timed)} starts equal the schedule: they are filled in, not "
            "observed",
            window,
            starts=len(timed),
            equal_to_the_schedule=filled_in,
        )
    not_counted = _left_out(every, timed)
    last = [session for session in timed if session.client_arrival == "on_time"][-LAST:]
    if len(last) < LAST:
        because = f"{counted(len(last), 'start')} with the client there on time, {LAST} needed"
        return not_analysable(because, window, not_counted)
    late = [_minutes_late(session, settings["grace_minutes"]) for session in last]
    value = median(late)
    return Figure(
        says=f"the last {LAST} sessions began {figure(value)} minutes late (median)",
        window=window,
        value=value,
        values=tuple(
            {"event": session.facts[-1].event, "minutes_late": round(minutes, 2)}
            for session, minutes in zip(last, late, strict=True)
        ),
        met=level(value > settings["median_minutes"]),
        events=[session.facts[-1] for session in last],
        not_counted=not_counted,
        numbers={"starts": len(timed), "equal_to_the_schedule": filled_in},
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


def _left_out(every: Sequence[Session], timed: Sequence[Session]) -> dict[str, int]:
    arrivals = Counter(session.client_arrival for session in timed)
    found = {
        "no_planned_or_exact_time": len(every) - len(timed),
        "client_late": arrivals["late"],
        "arrival_unknown": arrivals["unknown"] + arrivals[None],
    }
    return {reason: n for reason, n in found.items() if n}


LATE_STARTS = Measure(
    name="late_starts",
    title="Sessions starting late",
    unit="minutes",
    definition="median of actual − scheduled start of the last 4 booked sessions that were held "
    "with the client there on time; within the grace is 0. Not analysable where more than 80 % of "
    "the phase's starts (at least 4) equal the schedule",
    limit="more than {median_minutes} minutes, grace {grace_minutes}",
    defaults={"grace_minutes": 5, "median_minutes": 10},
    figure=_figure,
)

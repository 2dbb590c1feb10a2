"""Sessions that began late although the client was there on time."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from statistics import median
from typing import Any

from services.alerts.episodes import Moment, verdict
from services.alerts.example import Example, held
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.consistency.late_starts import Starts
from shared.alliance.consistency.said import held as held_sessions
from shared.alliance.history import Phase
from shared.alliance.wording import counted, figure


class SessionsStartingLate:
    """Tell when the last four sessions began more than ten minutes late, by their median.

    Only sessions that were booked, with both times known, and with the client there on time; a
    start within five minutes is on time. Nothing is said where nearly every start equals the
    schedule: then they were filled in, not observed. Clears when the median is within the limit.
    Thresholds are own, not validated.
    """

    name: str = "sessions-starting-late"
    version: int = 1
    family: Family = "consistency"
    title: str = "Sessions began late with the client waiting"
    needs: frozenset[str] = frozenset({"sessions"})
    reads: frozenset[str] = frozenset(
        {
            "session.scheduled", "session.rescheduled", "session.cancelled", "session.missed",
            "session.held", "care.transferred", "care.ended",
        }
    )  # fmt: skip
    tell: Mapping[Urgency, tuple[Audience, ...]] = {"attention": ("therapist", "supervisor")}
    next_steps: tuple[str, ...] = (
        "Look at the diary together: is there time between one session and the next?",
        "Where a room or a journey is in the way, mend that first.",
        "Consider saying to the client that the waiting was noticed.",
    )
    defaults: Mapping[str, Any] = {"grace_minutes": 5, "median_minutes": 10}
    always_news: bool = False
    example: Example = (
        held(0, late=2), held(7, late=14), held(14, late=12), held(21, late=20), held(28),
        held(35, late=3), held(42),
    )  # fmt: skip

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge the last starts at every held session."""
        chosen = {**self.defaults, **settings}
        return verdict(self, phase, _moments(phase, chosen), until)


def _moments(phase: Phase, chosen: Mapping[str, Any]) -> Iterator[Moment]:
    starts = Starts()
    for session in held_sessions(phase):
        late = starts.minutes_late(chosen["grace_minutes"]) if starts.add(session) else None
        if late is None:
            continue
        value = median(late)
        if value <= chosen["median_minutes"]:
            yield Moment(session.state_at, about="starts", urgency=None)
            continue
        yield Moment(
            session.state_at,
            about="starts",
            urgency="attention",
            evidence=tuple(one.facts[-1] for one in starts.last),
            explanation=f"The last {len(late)} sessions with the client there on time began "
            f"{', '.join(figure(minutes, 0) for minutes in late)} minutes late; the median is "
            f"{figure(value)}. A start within {counted(chosen['grace_minutes'], 'minute')} counts "
            "as 0.",
            numbers={
                "median_minutes_late": round(value, 2),
                "minutes_late": [round(minutes, 2) for minutes in late],
            },
            not_counted=dict(sorted(starts.not_counted.items())),
        )

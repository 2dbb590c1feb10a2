"""Sessions that the provider moved at short notice, among the last eight."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from services.alerts.episodes import Moment, verdict
from services.alerts.example import Example, held, moved
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.consistency.reschedule_churn import DEFAULTS, short_moves, windows
from shared.alliance.history import Phase
from shared.alliance.wording import counted, excused


class RescheduleChurn:
    """Tell when 2 of the last 8 sessions were moved at short notice by the clinic or therapist.

    Less than 48 hours before the start that was booked. What the client asked for never counts,
    nor the first sickness, announced leave, closures and holidays. Clears at one below its
    threshold. Thresholds are own, not validated.
    """

    name: str = "reschedule-churn"
    version: int = 1
    family: Family = "consistency"
    title: str = "Sessions were moved at short notice"
    needs: frozenset[str] = frozenset({"sessions"})
    reads: frozenset[str] = frozenset(
        {
            "session.scheduled", "session.rescheduled", "session.cancelled", "session.missed",
            "session.held", "care.paused", "care.resumed", "care.transferred", "care.ended",
            "clinic.configured", "clinic.closed", "therapist.away",
        }
    )  # fmt: skip
    tell: Mapping[Urgency, tuple[Audience, ...]] = {"attention": ("therapist", "supervisor")}
    next_steps: tuple[str, ...] = (
        "Look at the diary together: what moves these sessions, and could it be known earlier?",
        "Consider asking the client whether the moves were in order for them.",
    )
    defaults: Mapping[str, Any] = DEFAULTS
    always_news: bool = False
    example: Example = (
        held(0), held(7), moved(14, by="therapist", hours_before=20), held(21),
        moved(28, by="clinic", hours_before=4), held(35), held(42), held(49), held(56), held(63),
        held(70), held(77), held(84),
    )  # fmt: skip

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge the window whenever a session is moved or decided."""
        chosen = {**self.defaults, **settings}
        return verdict(self, phase, _moments(phase, chosen), until)


def _moments(phase: Phase, chosen: Mapping[str, Any]) -> Iterator[Moment]:
    if not any(session.moves for session in phase.sessions):
        return
    for at, last in windows(phase, chosen["window_sessions"]):
        moves, not_counted = short_moves(phase, last, chosen, at)
        if len(moves) < chosen["short_moves"]:
            yield Moment(at, about="window", urgency=None)
            continue
        n, of, hours = len(moves), len(last), chosen["notice_hours"]
        yield Moment(
            at,
            about="window",
            urgency="attention",
            evidence=tuple(move.fact for move in moves),
            explanation=f"{counted(n, 'move')} by the clinic or therapist, less than "
            f"{counted(hours, 'hour')} before the start, in the last "
            f"{'session' if of == 1 else f'{of} sessions'}." + excused(not_counted),
            numbers={"moves": n, "sessions": len(last), "notice_hours": hours},
            not_counted=not_counted,
        )

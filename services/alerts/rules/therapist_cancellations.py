"""Sessions that the clinic or the therapist cancelled or missed, among the last eight."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from services.alerts.episodes import Moment, verdict
from services.alerts.example import Example, cancelled, held
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.attendance import Outcome, windows
from shared.alliance.consistency.therapist_cancellations import of_window
from shared.alliance.history import Phase
from shared.alliance.wording import excused


class TherapistCancellations:
    """Tell when 2 of the last 8 sessions were cancelled by the clinic or the therapist.

    Three are urgent. Announced leave, the first sickness in eight, an emergency, weather, what was
    technical and closed days never count: they are listed beside the figure. Clears at one below
    its threshold. Thresholds are own, not validated.
    """

    name: str = "therapist-cancellations"
    version: int = 1
    family: Family = "consistency"
    title: str = "Sessions were cancelled by the clinic or therapist"
    needs: frozenset[str] = frozenset({"sessions"})
    reads: frozenset[str] = frozenset(
        {
            "session.scheduled", "session.rescheduled", "session.cancelled", "session.missed",
            "session.held", "care.paused", "care.resumed", "care.transferred", "care.ended",
            "clinic.configured", "clinic.closed", "therapist.away",
        }
    )  # fmt: skip
    tell: Mapping[Urgency, tuple[Audience, ...]] = {
        "attention": ("supervisor", "leadership"),
        "urgent": ("supervisor", "leadership"),
    }
    next_steps: tuple[str, ...] = (
        "Ask the therapist what stands behind it, and whether their load or their diary needs "
        "support.",
        "See that the client has a next session, and knows that it will take place.",
        "Consider saying to the client that these sessions fell through on the clinic's side.",
    )
    defaults: Mapping[str, Any] = {
        "window_sessions": 8,
        "attention_sessions": 2,
        "urgent_sessions": 3,
        "sickness_grace": 1,
    }
    always_news: bool = False
    example: Example = (
        held(0), held(7), cancelled(14, "clinic"), held(21), cancelled(28, "client"),
        cancelled(35, "therapist", "emergency"), cancelled(42, "therapist"), held(49),
    )  # fmt: skip

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge the window at every change of what became of a session."""
        chosen = {**self.defaults, **settings}
        moments = [
            _moment(phase, at, window, chosen)
            for at, _, window in windows(phase, chosen["window_sessions"])
        ]
        return verdict(self, phase, moments, until)


def _moment(
    phase: Phase, at: datetime, window: Sequence[Outcome], chosen: Mapping[str, Any]
) -> Moment:
    found = of_window(phase, window, chosen)
    if found.met is None:
        return Moment(at, about="window", urgency=None)
    missed = found.missed
    return Moment(
        at,
        about="window",
        urgency=found.met,
        evidence=tuple(outcome.fact for outcome in found.counted),
        title=f"{found.says}{', or not held by them' if missed else ''}",
        explanation=f"{found.says}{f', or not held by them ({missed})' if missed else ''}."
        + excused(found.not_counted),
        numbers={"counted": len(found.counted), "missed": missed, "sessions": len(window)},
        not_counted=found.not_counted,
    )

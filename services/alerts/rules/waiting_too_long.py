"""A referral after which no first session was held for long."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from services.alerts.episodes import Moment, verdict
from services.alerts.example import Example, held, looked_at, referred
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.calendar import after_days
from shared.alliance.consistency.left_out import pauses
from shared.alliance.consistency.said import sends_held
from shared.alliance.history import Phase
from shared.alliance.waits import Wait, waits
from shared.alliance.wording import passed

STEPS: Final[tuple[tuple[Urgency, str], ...]] = (
    ("attention", "attention_days"),
    ("urgent", "urgent_days"),
)


class WaitingTooLong:
    """Tell when 42 days after the referral no first session was held, and again after 126.

    The two standards of NHS Talking Therapies: six and eighteen weeks from referral. With whom
    the session is held makes no difference, so the wait is judged once for the course of care,
    in its first phase: who waits may have no therapist yet. An assessment alone ends no wait.
    Days of the clinic, those in pauses left out. Where the first session that arrives says
    that others came before it, the wait is not known; where the clinic never sends a held
    session, nothing is said. Clears by the first session, and when care ends. That the one asks
    for attention and the other is urgent is own, not validated.
    """

    name: str = "waiting-too-long"
    version: int = 2
    family: Family = "consistency"
    title: str = "The client waits for a first session"
    needs: frozenset[str] = frozenset({"sessions"})
    reads: frozenset[str] = frozenset(
        {
            "session.scheduled", "session.rescheduled", "session.cancelled", "session.missed",
            "session.held", "care.referred", "care.started", "care.paused", "care.resumed",
            "care.transferred", "care.ended", "clinic.configured",
        }
    )  # fmt: skip
    tell: Mapping[Urgency, tuple[Audience, ...]] = {
        "attention": ("supervisor", "leadership"),
        "urgent": ("supervisor", "leadership"),
    }
    next_steps: tuple[str, ...] = (
        "Tell the client when they can expect a first session, and whom to turn to until then.",
        "See whether another therapist or clinic could begin sooner.",
        "Where the client has chosen to wait, record the pause.",
    )
    defaults: Mapping[str, Any] = {"attention_days": 42, "urgent_days": 126, "grace_hours": 48}
    always_news: bool = False
    example: Example = (referred(0), looked_at(46), held(60))

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge each wait of the course of care at both deadlines."""
        chosen = {**self.defaults, **settings}
        found = waits(phase.care) if phase.first and sends_held(phase) else ()
        moments = [moment for wait in found for moment in _moments(phase, wait, chosen)]
        return verdict(self, phase, moments, until, ends_with_phase=False)


def _moments(phase: Phase, wait: Wait, chosen: Mapping[str, Any]) -> Iterator[Moment]:
    about = wait.fact.event
    if wait.end is not None:
        yield Moment(wait.end, about, urgency=None)
    for urgency, name in STEPS:
        days = chosen[name]
        # The day after the last one that is still within the standard.
        due_at = after_days(phase.clinic, wait.since, days + 1, phase.care.pauses)
        if due_at is None or (wait.end is not None and wait.end <= due_at):
            return
        yield Moment(
            due_at,
            about,
            urgency=urgency,
            evidence=(wait.fact,),
            explanation=f"More than {passed(days, 'day')} since the referral, and no first "
            "session was held.",
            numbers={"days": days},
            not_counted=pauses(phase, wait.since, due_at),
            grace=timedelta(hours=chosen["grace_hours"]),
        )

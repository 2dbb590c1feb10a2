"""An open case in which no session has been held for long."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from services.alerts.deadlines import overdue
from services.alerts.episodes import Moment, verdict
from services.alerts.example import Example, held, looked_at
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.consistency.left_out import pauses
from shared.alliance.consistency.said import held as held_sessions
from shared.alliance.history import Phase
from shared.alliance.wording import passed


class CaseWithoutActivity:
    """Tell when a case is open, and no session was held for more than 60 days.

    Days of the clinic, those in pauses left out. The bands of 60, 90 and 120 days are
    published; that 60 asks for attention is own, not validated. Clears by a held session.
    """

    name: str = "case-without-activity"
    version: int = 1
    family: Family = "consistency"
    title: str = "A case is open, and no session has been held for a long time"
    needs: frozenset[str] = frozenset({"sessions"})
    reads: frozenset[str] = frozenset(
        {
            "session.scheduled", "session.rescheduled", "session.cancelled", "session.missed",
            "session.held", "care.started", "care.paused", "care.resumed", "care.transferred",
            "care.ended", "clinic.configured", "clinic.closed",
        }
    )  # fmt: skip
    tell: Mapping[Urgency, tuple[Audience, ...]] = {"attention": ("therapist", "supervisor")}
    next_steps: tuple[str, ...] = (
        "Get in touch with the client: how are they, and do they want to go on?",
        "Where care has ended, record the end and how it came; where it rests, record the pause.",
    )
    defaults: Mapping[str, Any] = {"attention_days": 60, "grace_hours": 48}
    always_news: bool = False
    example: Example = (held(0), held(7), looked_at(75), held(84))

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge at the deadline after each held session."""
        chosen = {**self.defaults, **settings}
        return verdict(self, phase, _moments(phase, chosen), until)


def _moments(phase: Phase, chosen: Mapping[str, Any]) -> Iterator[Moment]:
    days = chosen["attention_days"] + 1
    anchors = [(session.state_at, session.facts[-1]) for session in held_sessions(phase)]
    for at, _ in anchors:
        yield Moment(at, about="case", urgency=None)
    for since, fact, due_at in overdue(phase, anchors, days):
        yield Moment(
            due_at,
            about="case",
            urgency="attention",
            evidence=(fact,),
            explanation=f"More than {passed(days - 1, 'day')} since the last held "
            "session, and the case is open.",
            numbers={"days": days - 1},
            not_counted=pauses(phase, since, due_at),
            grace=timedelta(hours=chosen["grace_hours"]),
        )

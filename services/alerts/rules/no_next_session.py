"""A client in care for whom no next session is booked."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from services.alerts.deadlines import overdue
from services.alerts.episodes import Moment, verdict
from services.alerts.example import Example, booked, held, looked_at
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.consistency.left_out import pauses
from shared.alliance.consistency.next_session import unbooked
from shared.alliance.history import Phase
from shared.alliance.reading import Fact
from shared.alliance.wording import counted


class NoNextSession:
    """Tell when the client is in care, and for seven days after a session no next one is booked.

    Counted from a held session, or from when the last booking was called off, missed or came
    due, as was known then. A next session is often agreed a day or two later, so the day itself
    says nothing. Only where bookings are sent: of the clinic one was seen, or of the client; a
    clinic whose systems tell of held sessions alone has none to miss. Days of the clinic, those in
    pauses left out. Clears when one is booked or held. The deadline is own, not validated.
    """

    name: str = "no-next-session"
    version: int = 3
    family: Family = "consistency"
    title: str = "No next session is booked"
    needs: frozenset[str] = frozenset({"sessions"})
    reads: frozenset[str] = frozenset(
        {
            "session.scheduled", "session.rescheduled", "session.cancelled", "session.missed",
            "session.held", "care.paused", "care.resumed", "care.transferred", "care.ended",
            "clinic.configured", "clinic.closed",
        }
    )  # fmt: skip
    tell: Mapping[Urgency, tuple[Audience, ...]] = {"attention": ("therapist",)}
    next_steps: tuple[str, ...] = (
        "Offer the client a next session, or agree that there is none for now, and record it.",
        "Where sessions are booked elsewhere, see that the bookings arrive here.",
    )
    defaults: Mapping[str, Any] = {"days_without": 7, "grace_hours": 48}
    always_news: bool = False
    example: Example = (held(0), looked_at(9), booked(12, on_day=20))

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge at the deadline after each moment from which nothing was booked."""
        chosen = {**self.defaults, **settings}
        return verdict(self, phase, _moments(phase, chosen), until)


def _moments(phase: Phase, chosen: Mapping[str, Any]) -> Iterator[Moment]:
    days = chosen["days_without"]
    for wait in unbooked(phase):
        for since, fact, due_at in overdue(phase, [(wait.since, wait.fact)], days, wait.until):
            yield Moment(
                due_at,
                about="next",
                urgency="attention",
                evidence=(fact,),
                explanation=_explained(fact, days),
                numbers={"days": days},
                not_counted=pauses(phase, since, due_at),
                grace=timedelta(hours=chosen["grace_hours"]),
            )
            if wait.until is not None:
                yield Moment(wait.until, about="next", urgency=None)


def _explained(fact: Fact, days: int) -> str:
    later = f"{counted(days, 'day')} later no next one is booked."
    if fact.type == "session.held":
        return f"A session was held, and {later}"
    what = {"session.cancelled": "was cancelled", "session.missed": "was missed"}
    return f"The last booked session {what.get(fact.type, 'came due')}, and {later}"

"""A held session after which no next one was booked."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from services.alerts.deadlines import overdue
from services.alerts.episodes import Moment, verdict
from services.alerts.example import Example, booked, held, looked_at
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.consistency.left_out import pauses
from shared.alliance.consistency.said import held as held_sessions
from shared.alliance.history import Phase
from shared.alliance.things import Session
from shared.alliance.wording import counted


class NoNextSession:
    """Tell when the client is in care, and for seven days after a session no next one is booked.

    A next session is often agreed a day or two later, so the day of the session says nothing.
    Days of the clinic, those in pauses left out. Clears when one is booked or held. The deadline
    is own, not validated.
    """

    name: str = "no-next-session"
    version: int = 1
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
        """Judge at the deadline after each held session."""
        chosen = {**self.defaults, **settings}
        return verdict(self, phase, _moments(phase, chosen), until)


def _moments(phase: Phase, chosen: Mapping[str, Any]) -> Iterator[Moment]:
    days = chosen["days_without"]
    held = held_sessions(phase)
    anchors = [(session.state_at, number) for number, session in enumerate(held)]
    for at, _ in anchors:
        yield Moment(at, about="next", urgency=None)
    for since, number, due_at in overdue(phase, anchors, days):
        # The usual case is answered by the session that was held next.
        later = held[number + 1 : number + 2]
        if any(_is_booked(one, due_at) for one in chain(later, phase.sessions)):
            continue
        yield Moment(
            due_at,
            about="next",
            urgency="attention",
            evidence=(held[number].facts[-1],),
            explanation=f"A session was held, and {counted(days, 'day')} later no next one is "
            "booked.",
            numbers={"days": days},
            not_counted=pauses(phase, since, due_at),
            grace=timedelta(hours=chosen["grace_hours"]),
        )
        booked = [one.facts[0].occurred_at for one in phase.sessions if one.due_at > due_at]
        booked_at = min((at for at in booked if at > due_at), default=None)
        if booked_at is not None:
            yield Moment(booked_at, about="next", urgency=None)


def _is_booked(session: Session, moment: datetime) -> bool:
    """Return whether, as was known at a moment, a session was to come."""
    called_off = session.state == "cancelled" and session.state_at <= moment
    known = session.facts[0].occurred_at <= moment
    return known and session.due_at > moment and not called_off

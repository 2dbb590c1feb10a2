"""A session that the therapist did not hold, and nobody was in touch with the client."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from services.alerts.episodes import NO_GRACE, Moment, verdict
from services.alerts.example import Example, held, missed
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.consistency.session_not_held import (
    NotHeld,
    contact,
    held_after,
    not_held,
    recent,
    sends_contacts,
)
from shared.alliance.history import Phase
from shared.alliance.wording import counted, excused


class SessionNotHeld:
    """Tell when a session did not take place because the therapist was not there.

    Urgent for a second one within 12 weeks, or where nobody reached the client within two
    working days; the latter only where contacts are sent (never sent is not never happened).
    Clears when a session is held. Thresholds are own, not validated.
    """

    name: str = "session-not-held"
    version: int = 1
    family: Family = "consistency"
    title: str = "A session was not held by the therapist"
    needs: frozenset[str] = frozenset({"sessions"})
    reads: frozenset[str] = frozenset(
        {
            "session.scheduled", "session.rescheduled", "session.cancelled", "session.missed",
            "session.held", "contact.attempted", "care.paused", "care.resumed",
            "care.transferred", "care.ended", "clinic.configured", "clinic.closed",
            "therapist.away",
        }
    )  # fmt: skip
    tell: Mapping[Urgency, tuple[Audience, ...]] = {
        "attention": ("supervisor", "leadership"),
        "urgent": ("supervisor", "leadership"),
    }
    next_steps: tuple[str, ...] = (
        "See that somebody speaks with the client today, and offers a session soon.",
        "Ask the therapist what happened, and what they need so that it need not come again.",
        "Where the therapist cannot be reached, arrange cover.",
    )
    defaults: Mapping[str, Any] = {
        "again_within_weeks": 12,
        "contact_within_working_days": 2,
        "window_sessions": 8,
        "sickness_grace": 1,
    }
    always_news: bool = False
    example: Example = (held(0), held(7), missed(14, "therapist"), held(21), held(28),
                        missed(35, "therapist"), held(42))  # fmt: skip

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge at every missed session, and at the deadline for speaking with the client."""
        chosen = {**self.defaults, **settings}
        moments: list[Moment] = []
        missed = not_held(phase, chosen["window_sessions"], chosen["sickness_grace"])
        for at, one in enumerate(missed):
            moments += _moments(phase, one, missed[:at], chosen)
        return verdict(self, phase, moments, until)


def _moments(
    phase: Phase, one: NotHeld, earlier: Sequence[NotHeld], chosen: Mapping[str, Any]
) -> Iterator[Moment]:
    outcome = one.outcome
    about = f"{outcome.session.ref}|{outcome.since.isoformat()}"
    weeks = chosen["again_within_weeks"]
    before = recent(phase, earlier, outcome.since, weeks)
    n = len(before) + 1
    many = f"{n} sessions within {counted(weeks, 'week')} were not held by the therapist"
    yield Moment(
        outcome.since,
        about,
        urgency="urgent" if before else "attention",
        evidence=(*(missed.fact for missed in before), outcome.fact),
        title=many if before else "",
        explanation=(f"{many}." if before else "A booked session was not held by the therapist.")
        + excused(one.not_counted),
        numbers={"not_held": n, "within_weeks": weeks},
        not_counted=one.not_counted,
    )
    if not before and sends_contacts(phase):
        yield from _uncontacted(phase, one, about, chosen["contact_within_working_days"])
    held_at = held_after(phase, outcome.since)
    if held_at is not None:
        yield Moment(held_at, about, urgency=None)


def _uncontacted(phase: Phase, one: NotHeld, about: str, days: int) -> Iterator[Moment]:
    """Yield the deadline for speaking with the client, unless somebody did by then."""
    found = contact(phase, one.outcome, days)
    if found.reached:
        return
    attempts = found.attempts
    tried = f" {counted(len(attempts), 'attempt')} did not reach them." if attempts else ""
    yield Moment(
        found.due_at,
        about,
        urgency="urgent",
        evidence=(one.outcome.fact, *attempts),
        title="A session was not held by the therapist, and the client was not reached since",
        explanation=f"A booked session was not held by the therapist, and within "
        f"{counted(days, 'working day')} no contact with the client is recorded.{tried}"
        + excused(one.not_counted),
        numbers={"not_held": 1, "working_days": days, "attempts": len(attempts)},
        not_counted=one.not_counted,
        grace=NO_GRACE,
    )

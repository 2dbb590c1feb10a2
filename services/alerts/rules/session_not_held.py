"""A session that the therapist did not hold, and nobody was in touch with the client."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.alerts.episodes import NO_GRACE, Moment, verdict
from services.alerts.example import Example, held, missed
from services.alerts.rule import Audience, Family, Urgency, Verdict
from services.alerts.wording import counted, excused
from shared.alliance.attendance import Outcome, lapses, windows
from shared.alliance.calendar import end_of_working_day
from shared.alliance.history import Phase


@dataclass(frozen=True, slots=True)
class _Missed:
    """A session that the therapist missed, and what was not counted beside it."""

    outcome: Outcome
    not_counted: Mapping[str, int]


class SessionNotHeld:
    """Tell when a session took no place because the therapist was not there.

    Urgent for a second one within 12 weeks, or where nobody reached the client within two working
    days; the latter only where contacts are sent (never sent is not never happened). Clears when
    a session is held. Thresholds are own, not validated.
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
        "Ask the therapist what happened, and what would help them to prevent it.",
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
        missed = list(_missed(phase, chosen))
        for at, one in enumerate(missed):
            moments += _moments(phase, one, missed[:at], chosen)
        return verdict(self, phase, moments, until)


def _missed(phase: Phase, chosen: Mapping[str, Any]) -> Iterator[_Missed]:
    for at, outcome, window in windows(phase, chosen["window_sessions"]):
        if outcome.since != at or not outcome.by_provider or outcome.session.state != "missed":
            continue
        missed = [one for one in window if one.session.state == "missed"]
        lapsed, not_counted = lapses(phase, missed, chosen["sickness_grace"])
        if outcome in lapsed:
            yield _Missed(outcome, not_counted)


def _moments(
    phase: Phase, one: _Missed, earlier: list[_Missed], chosen: Mapping[str, Any]
) -> Iterator[Moment]:
    outcome = one.outcome
    about = f"{outcome.session.ref}|{outcome.since.isoformat()}"
    weeks = chosen["again_within_weeks"]
    recent = [
        before.outcome
        for before in earlier
        if outcome.since - before.outcome.since <= timedelta(weeks=weeks)
    ]
    n = len(recent) + 1
    many = f"{n} sessions within {counted(weeks, 'week')} were not held by the therapist"
    yield Moment(
        outcome.since,
        about,
        urgency="urgent" if recent else "attention",
        evidence=(*(before.fact for before in recent), outcome.fact),
        title=many if recent else "",
        explanation=(f"{many}." if recent else "A booked session was not held by the therapist.")
        + excused(one.not_counted),
        numbers={"not_held": n, "within_weeks": weeks},
        not_counted=one.not_counted,
    )
    held_at = _held_after(phase, outcome.since)
    if not recent and _sends_contacts(phase):
        yield from _uncontacted(phase, one, about, held_at, chosen["contact_within_working_days"])
    if held_at is not None:
        yield Moment(held_at, about, urgency=None)


def _uncontacted(
    phase: Phase, one: _Missed, about: str, held_at: datetime | None, days: int
) -> Iterator[Moment]:
    """Yield the deadline for speaking with the client, unless somebody did by then."""
    since = one.outcome.since
    due_at = end_of_working_day(phase.clinic, since, days)
    attempts = [
        fact
        for fact in phase.facts
        if fact.type == "contact.attempted" and since <= fact.occurred_at <= due_at
    ]
    reached = any(fact.data["reached"] for fact in attempts)
    if reached or (held_at is not None and held_at <= due_at):
        return
    tried = f" {counted(len(attempts), 'attempt')} did not reach them." if attempts else ""
    yield Moment(
        due_at,
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


def _sends_contacts(phase: Phase) -> bool:
    said = phase.clinic.sends is not None and "contacts" in phase.clinic.sends
    return said or any(fact.type == "contact.attempted" for fact in phase.facts)


def _held_after(phase: Phase, moment: datetime) -> datetime | None:
    held = [
        session.state_at
        for session in phase.sessions
        if session.state == "held" and session.state_at > moment
    ]
    return min(held, default=None)

"""A session that the client missed, after which nobody spoke with them."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from services.alerts.episodes import Moment, verdict
from services.alerts.example import Example, held, looked_at, missed, spoken
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.attendance import Outcome, outcomes
from shared.alliance.consistency.said import said
from shared.alliance.consistency.session_not_held import contact, held_after, sends_contacts
from shared.alliance.history import Phase
from shared.alliance.wording import counted


class NoContactAfterMissed:
    """Tell when nobody reached the client within three working days of a session they missed.

    That a client misses a session is no lapse of anybody, and may be the first sign that
    something is wrong; what is watched is whether somebody asked. Only where contacts are sent:
    never sent is not never happened. Told at the deadline, without grace: a client who may not
    be well waits for no late entry. Clears when somebody reaches the client, or a session is held.
    The deadline is own, not validated.
    """

    name: str = "no-contact-after-missed"
    version: int = 2
    family: Family = "consistency"
    title: str = "The client missed a session, and was not reached since"
    needs: frozenset[str] = frozenset({"sessions", "contacts"})
    reads: frozenset[str] = frozenset(
        {
            "session.scheduled", "session.rescheduled", "session.cancelled", "session.missed",
            "session.held", "contact.attempted", "care.transferred", "care.ended",
            "clinic.configured", "clinic.closed",
        }
    )  # fmt: skip
    tell: Mapping[Urgency, tuple[Audience, ...]] = {"attention": ("therapist", "supervisor")}
    next_steps: tuple[str, ...] = (
        "Get in touch with the client: are they well, and what would help them to come?",
        "Where somebody has, see that it is recorded.",
    )
    defaults: Mapping[str, Any] = {"contact_within_working_days": 3, "grace_hours": 0}
    always_news: bool = False
    example: Example = (
        held(0), missed(7, "client"), spoken(8, reached=False), looked_at(11),
        spoken(14, reached=True),
    )  # fmt: skip

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge each session that the client missed at its deadline."""
        chosen = {**self.defaults, **settings}
        if not sends_contacts(phase):
            return Verdict(())
        moments = [
            moment
            for outcome in outcomes(phase)
            if outcome.session.state == "missed" and outcome.by_client
            for moment in _moments(phase, outcome, chosen)
        ]
        return verdict(self, phase, moments, until)


def _moments(phase: Phase, outcome: Outcome, chosen: Mapping[str, Any]) -> Iterator[Moment]:
    days = chosen["contact_within_working_days"]
    found = contact(phase, outcome, days)
    if found.reached:
        return
    about = f"{outcome.session.ref}|{outcome.since.isoformat()}"
    attempts = found.attempts
    tried = f"; {counted(len(attempts), 'attempt')} did not reach them" if attempts else ""
    yield Moment(
        found.due_at,
        about,
        urgency="attention",
        evidence=(outcome.fact, *attempts),
        explanation=f"The client missed a session, and within {counted(days, 'working day')} no "
        f"contact with them is recorded{tried}.",
        numbers={"working_days": days, "attempts": len(attempts)},
        grace=timedelta(hours=chosen["grace_hours"]),
    )
    later = [
        fact.occurred_at
        for fact in said(phase, "contact.attempted")
        if fact.data["reached"] and fact.occurred_at > found.due_at
    ]
    held_at = held_after(phase, outcome.since)
    cleared = later if held_at is None else [*later, held_at]
    if cleared:
        yield Moment(min(cleared), about, urgency=None)

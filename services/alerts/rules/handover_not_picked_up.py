"""A transfer after which no session with the new therapist was held."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from services.alerts.deadlines import overdue
from services.alerts.episodes import Moment, verdict
from services.alerts.example import Example, agreed, held, looked_at, transferred
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.consistency.left_out import pauses
from shared.alliance.consistency.said import sends_held
from shared.alliance.handover import handover
from shared.alliance.history import Phase
from shared.alliance.wording import counted, passed


class HandoverNotPickedUp:
    """Tell when no session was held within two agreed intervals of a transfer.

    The clock stands still in pauses, and starts anew at a session that the client cancelled or
    missed. Without an agreed interval nothing is said, nor where held sessions are never sent.
    Clears by the first held session. The count is own, not validated.
    """

    name: str = "handover-not-picked-up"
    version: int = 3
    family: Family = "consistency"
    title: str = "No session was held since the client was transferred"
    needs: frozenset[str] = frozenset({"sessions"})
    reads: frozenset[str] = frozenset(
        {
            "session.scheduled", "session.rescheduled", "session.cancelled", "session.missed",
            "session.held", "care.started", "care.paused", "care.resumed", "care.transferred",
            "care.ended", "clinic.configured", "clinic.closed",
        }
    )  # fmt: skip
    tell: Mapping[Urgency, tuple[Audience, ...]] = {"attention": ("supervisor", "leadership")}
    next_steps: tuple[str, ...] = (
        "See that somebody whom the client knows tells them when and with whom it goes on.",
        "See that a first session is booked; where it cannot be soon, say so, and offer cover.",
    )
    defaults: Mapping[str, Any] = {"within_intervals": 2, "grace_hours": 48}
    always_news: bool = False
    example: Example = (
        agreed(0, 7), held(0), transferred(7, planned=True), looked_at(24), held(28),
    )  # fmt: skip

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge at the deadline after the transfer."""
        chosen = {**self.defaults, **settings}
        return verdict(self, phase, _moments(phase, chosen), until)


def _moments(phase: Phase, chosen: Mapping[str, Any]) -> Iterator[Moment]:
    found, interval = handover(phase), phase.care.agreed_interval_days
    if found is None or interval is None or not sends_held(phase):
        return
    days = interval * chosen["within_intervals"]
    for at in (*(since for since, _ in found.since[1:]), found.held_at):
        if at is not None:
            yield Moment(at, about="handover", urgency=None)
    for since, fact, due_at in overdue(phase, found.since, days + 1, found.held_at):
        yield Moment(
            due_at,
            about="handover",
            urgency="attention",
            evidence=(found.fact,) if fact == found.fact else (found.fact, fact),
            explanation=f"A transfer is recorded, and more than {passed(days, 'day')} "
            f"without a session with the new therapist; the agreed interval is "
            f"{counted(interval, 'day')}.",
            numbers={"days": days, "interval_days": interval},
            not_counted=pauses(phase, since, due_at),
            grace=timedelta(hours=chosen["grace_hours"]),
        )

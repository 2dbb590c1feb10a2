"""A therapist who is away for long, with nobody standing in."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from services.alerts.deadlines import overdue
from services.alerts.episodes import NO_GRACE, Moment, verdict
from services.alerts.example import Example, agreed, away, held, looked_at
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.calendar import covers, days_between, days_from
from shared.alliance.consistency.left_out import pauses
from shared.alliance.consistency.said import held as held_sessions
from shared.alliance.history import Phase
from shared.alliance.things import Span
from shared.alliance.wording import counted

ACTIVE_DAYS: Final = 60
"""Own: who had no session for longer before it begins is told of by case-without-activity."""


class LeaveWithoutCover:
    """Tell when the therapist is away for more than two agreed intervals, and nobody stands in.

    Two weeks before it begins, so that cover can still be arranged, or when it is announced,
    if that is later; an absence of which no end is known counts once it has lasted so long.
    Days of the clinic, those in pauses left out. Without an agreed interval nothing is said.
    Clears by a session that is held meanwhile, by cover, and when it is over. The counts are
    own, not validated. Alerts of one absence are one group: leadership is told once.
    """

    name: str = "leave-without-cover"
    version: int = 2
    family: Family = "consistency"
    title: str = "No cover is recorded for a long absence"
    needs: frozenset[str] = frozenset({"leave"})
    reads: frozenset[str] = frozenset(
        {
            "therapist.away", "session.scheduled", "session.rescheduled", "session.cancelled",
            "session.missed", "session.held", "care.started", "care.paused", "care.resumed",
            "care.transferred", "care.ended", "clinic.configured", "clinic.closed",
        }
    )  # fmt: skip
    tell: Mapping[Urgency, tuple[Audience, ...]] = {"attention": ("supervisor", "leadership")}
    next_steps: tuple[str, ...] = (
        "Arrange for somebody to stand in, and record the cover with the absence.",
        "See that the client knows for how long, and whom to turn to meanwhile.",
    )
    defaults: Mapping[str, Any] = {"over_intervals": 2, "notice_days": 14, "grace_hours": 48}
    always_news: bool = False
    example: Example = (
        agreed(0, 7), held(0), held(7), held(14), away(10, first=15, last=42), looked_at(20),
        held(49),
    )  # fmt: skip

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge each absence before it begins, or once it has lasted long enough."""
        chosen = {**self.defaults, **settings}
        interval = phase.care.agreed_interval_days
        moments: list[Moment] = []
        for span in phase.away if interval is not None else ():
            if _is_alone(phase, span):
                moments += _moments(phase, span, interval or 0, chosen)
        return verdict(self, phase, moments, until)


def _is_alone(phase: Phase, span: Span) -> bool:
    """Return whether somebody in care is left without anybody."""
    begins = max(span.start, phase.opened_at)
    over = span.until is not None and span.until <= begins
    since = days_from(phase.clinic, begins, -ACTIVE_DAYS)
    active = since <= phase.opened_at or any(since <= one.due_at for one in phase.sessions)
    return active and not over and not span.fact.data.get("cover")


def _moments(
    phase: Phase, span: Span, interval: int, chosen: Mapping[str, Any]
) -> Iterator[Moment]:
    about, days = span.fact.event, interval * chosen["over_intervals"]
    begins = max(span.start, phase.opened_at)
    sessions = [
        one.state_at
        for one in held_sessions(phase)
        if begins <= one.state_at and covers(span, one.state_at)
    ]
    arranged = [
        one.fact.occurred_at
        for one in phase.away
        if one.fact.data.get("cover") and covers(one, begins)
    ]
    for at in (*sessions, *arranged):
        yield Moment(at, about, urgency=None)
    if span.until is not None:
        # Its end is announced and lies ahead: until then the alert is open.
        yield Moment(span.until, about, urgency=None, grace=NO_GRACE)
    if span.until is None:
        anchors = [(at, span.fact) for at in (begins, *sessions)]
        for since, _, due_at in overdue(phase, anchors, days):
            if not any(at <= due_at for at in arranged):
                grace = timedelta(hours=chosen["grace_hours"])
                yield _moment(phase, span, since, due_at, days, interval, grace)
        return
    away = days_between(phase.clinic, begins, span.until, phase.care.pauses)
    at = max(days_from(phase.clinic, begins, -chosen["notice_days"]), span.fact.occurred_at)
    known = max(at, phase.opened_at)
    settled = [one for one in (*sessions, *arranged, span.until) if one <= known]
    if away > days and not settled:
        yield _moment(phase, span, begins, known, away, interval, NO_GRACE)


def _moment(
    phase: Phase,
    span: Span,
    since: datetime,
    at: datetime,
    days: int,
    interval: int,
    grace: timedelta,
) -> Moment:
    announced = span.until is not None
    how = (
        f"An absence of {counted(days, 'day')} is announced"
        if announced
        else f"An absence has lasted {counted(days, 'day')}, and its end is not known"
    )
    return Moment(
        at,
        span.fact.event,
        urgency="attention",
        evidence=(span.fact,),
        explanation=f"{how}; the agreed interval is {counted(interval, 'day')}, and no cover is "
        "recorded.",
        numbers={"days": days, "interval_days": interval, "end_known": announced},
        not_counted=pauses(phase, since, span.until or at),
        grace=grace,
    )

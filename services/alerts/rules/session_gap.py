"""More time since the last held session than was agreed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from services.alerts.episodes import Moment, verdict
from services.alerts.example import Example, agreed, held
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.consistency.next_session import changes, next_booked, said_at
from shared.alliance.consistency.session_gap import (
    Gap,
    Interval,
    Stretch,
    due_at,
    gaps,
    left_out,
    numbers,
    stopped,
)
from shared.alliance.history import Phase
from shared.alliance.reading import Fact
from shared.alliance.wording import counted, excused, figure, passed

ANY_HOUR: Final = timedelta(days=1)
"""A session booked for the last day is in time, whatever its hour."""


USUAL: Final = "More time than usual has passed since the last held session"
"""Where no interval was agreed, none can be longer than agreed."""


class SessionGap:
    """Tell when more than 1.5 times the agreed interval has passed since the last held session.

    The clock stands still in pauses, announced leave and closures, and in the interval before a
    session that the client cancelled, or that was not held for a reason that is nobody's lapse: a
    first sickness in eight, an emergency, weather, equipment, a closed day, or nobody known. It
    starts anew at a session that the client cancelled or missed, and where another interval is
    agreed. While a next session is booked for no later than twice the interval, the gap is
    information: it is shown, and nobody is asked for what has been done already. Without an
    agreed interval, the median of the phase's first four gaps stands in; before there are four,
    it is not analysable. Clears by a held session. Thresholds are own, not validated.
    """

    name: str = "session-gap"
    version: int = 3
    family: Family = "consistency"
    title: str = "More time than agreed has passed since the last held session"
    needs: frozenset[str] = frozenset({"sessions"})
    reads: frozenset[str] = frozenset(
        {
            "session.scheduled", "session.rescheduled", "session.cancelled", "session.missed",
            "session.held", "care.started", "care.paused", "care.resumed", "care.transferred",
            "care.ended", "clinic.configured", "clinic.closed", "therapist.away",
        }
    )  # fmt: skip
    tell: Mapping[Urgency, tuple[Audience, ...]] = {
        "information": ("supervisor", "leadership"),
        "attention": ("supervisor", "leadership"),
        "urgent": ("supervisor", "leadership"),
    }
    next_steps: tuple[str, ...] = (
        "See whether a next session is booked; where none is, offer one.",
        "Ask whether the rhythm has changed by agreement; then record the new interval.",
        "Where sessions cannot be offered as agreed, tell the client when they can.",
    )
    defaults: Mapping[str, Any] = {
        "attention_ratio": 1.5,
        "urgent_ratio": 2.0,
        "booked_ratio": 2.0,
        "grace_hours": 48,
    }
    always_news: bool = False
    example: Example = (agreed(0, 7), held(0), held(7), held(14), held(35))

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge at the deadlines that follow each held session."""
        chosen = {**self.defaults, **settings}
        moments: list[Moment] = []
        for gap in gaps(phase):
            moments.append(Moment(gap.anchor.at, about="gap", urgency=None))
            if gap.interval is not None:
                moments += _deadlines(phase, gap, gap.interval, chosen)
        return verdict(self, phase, moments, until)


def _deadlines(
    phase: Phase, gap: Gap, interval: Interval, chosen: Mapping[str, Any]
) -> Iterator[Moment]:
    upcoming = None if gap.end is None else gap.end.at
    soonest = gap.anchor.at + interval.running(chosen["attention_ratio"])
    if upcoming is not None and upcoming <= soonest:
        return  # A clock that stands still only makes it later: the usual case, answered at once.
    still = stopped(phase, gap)
    steps: tuple[tuple[Urgency, float], ...] = (
        ("attention", chosen["attention_ratio"]),
        ("urgent", chosen["urgent_ratio"]),
    )
    for urgency, ratio in steps:
        at = due_at(gap, ratio, still)
        if at is None or (upcoming is not None and upcoming <= at):
            return
        if urgency == "attention":
            urgency, later = _while_booked(phase, gap, at, still, chosen)
            if later is not None:
                moment = _moment(phase, gap, interval, "attention", ratio, later, still, chosen)
                yield _with(moment, said_at(phase, later))
        moment = _moment(phase, gap, interval, urgency, ratio, at, still, chosen)
        booked = next_booked(phase, at) if urgency == "information" else None
        yield moment if booked is None else _with(moment, (booked.fact,))


def _with(moment: Moment, facts: Iterable[Fact]) -> Moment:
    """Return a moment that stands on some facts more: it is known no sooner than they are."""
    more = tuple(fact for fact in facts if fact not in moment.evidence)
    return replace(moment, evidence=(*moment.evidence, *more))


def _while_booked(
    phase: Phase, gap: Gap, at: datetime, still: Sequence[Stretch], chosen: Mapping[str, Any]
) -> tuple[Urgency, datetime | None]:
    """Return how urgent a gap is when it is due, and when it becomes attention if that is later.

    It is information as long as a next session stands that keeps it below ``booked_ratio``; from
    the moment that it stands no more, and is not replaced within the grace, it is attention.
    """
    latest = due_at(gap, chosen["booked_ratio"], still)
    if latest is None or latest <= at or not _booked(phase, at, latest + ANY_HOUR):
        return "attention", None
    latest += ANY_HOUR
    end = latest if gap.end is None else min(latest, gap.end.at)
    grace = timedelta(hours=chosen["grace_hours"])
    for moment in changes(phase, at, end):
        if not _booked(phase, moment, latest) and not _booked(phase, moment + grace, latest):
            return "information", moment
    return "information", None


def _booked(phase: Phase, moment: datetime, latest: datetime) -> bool:
    found = next_booked(phase, moment)
    return found is not None and found.start <= latest


def _moment(
    phase: Phase,
    gap: Gap,
    interval: Interval,
    urgency: Urgency,
    ratio: float,
    at: datetime,
    still: Sequence[Stretch],
    chosen: Mapping[str, Any],
) -> Moment:
    anchor, not_counted = gap.anchor, left_out(gap, at, still)
    limit, usual = round(ratio * interval.days, 2), round(interval.days, 2)
    rhythm = "agreed" if interval.agreed else "usual first (median of four gaps)"
    beside = numbers(phase, gap, interval, at)
    booked = beside["next_session_booked"]
    return Moment(
        at,
        about="gap",
        urgency=urgency,
        evidence=(anchor.fact, *(fact for fact in interval.facts if fact != anchor.fact)),
        title="" if interval.agreed else USUAL,
        explanation=f"More than {passed(limit, 'day')} without a held session, "
        f"{figure(ratio)} times the {rhythm} interval of {counted(usual, 'day')}. "
        f"{'A next session is' if booked else 'No next session is'} booked."
        + excused(not_counted),
        numbers={"ratio": ratio, **beside},
        not_counted=dict(sorted(not_counted.items())),
        grace=timedelta(hours=chosen["grace_hours"]),
    )

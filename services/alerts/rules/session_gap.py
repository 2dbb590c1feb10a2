"""More time since the last held session than was agreed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from services.alerts.episodes import Moment, verdict
from services.alerts.example import Example, agreed, held
from services.alerts.rule import Audience, Family, Urgency, Verdict
from services.alerts.wording import excused, figure
from shared.alliance.attendance import Outcome, outcomes
from shared.alliance.calendar import after_running, since_announced
from shared.alliance.history import Phase
from shared.alliance.reading import Fact

DAY = timedelta(days=1)
LEAVE = frozenset({"annual_leave", "parental", "study", "other"})
"""Absences that are announced leave; a sickness stops no clock: the client is still unseen."""

GAPS = 4
"""How many first gaps of the phase stand in for an agreed interval (own)."""

LONGEST_DAYS = 36_525
"""Own: no gap is awaited for longer than a century, whatever was set."""

Stretch = tuple[str, datetime, datetime | None]
"""Why the clock stands still, from when, until when."""


@dataclass(frozen=True, slots=True)
class _Anchor:
    """A held session, or one that the client cancelled or missed: from here the clock runs."""

    at: datetime
    held: bool
    fact: Fact


@dataclass(frozen=True, slots=True)
class _Interval:
    """How often sessions are to be held, in days, and the facts that say so."""

    days: float
    agreed: bool
    facts: tuple[Fact, ...]


class SessionGap:
    """Tell when more than 1.5 times the agreed interval has passed since the last held session.

    The clock stands still in pauses, announced leave and closures, and in the interval before a
    session that the client cancelled; it starts anew at a session that the client cancelled or
    missed. Without an agreed interval, the median of the phase's first four gaps stands in;
    before there are four, it is not analysable. Clears by a held session. Thresholds are own.
    """

    name: str = "session-gap"
    version: int = 1
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
        "grace_hours": 48,
    }
    always_news: bool = False
    example: Example = (agreed(0, 7), held(0), held(7), held(14), held(35))

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge at the deadlines that follow each held session."""
        chosen = {**self.defaults, **settings}
        found = outcomes(phase)
        anchors = list(_anchors(found))
        held = [anchor for anchor in anchors if anchor.held]
        by_client = [outcome for outcome in found if outcome.by_client]
        moments: list[Moment] = []
        for at, anchor in enumerate(anchors):
            if anchor.at < (held[0].at if held else anchor.at):
                continue
            moments.append(Moment(anchor.at, about="gap", urgency=None))
            upcoming = anchors[at + 1].at if at + 1 < len(anchors) else None
            pace = _agreed(phase, anchor.at) or _usual(held, anchor.at)
            if held and pace is not None:
                moments += _deadlines(phase, by_client, anchor, upcoming, pace, chosen)
        return verdict(self, phase, moments, until)


def _agreed(phase: Phase, at: datetime) -> _Interval | None:
    """Return the latest interval that was agreed by then."""
    said = [
        fact
        for fact in phase.care.facts
        if fact.occurred_at <= at and fact.data.get("agreed_interval_days") is not None
    ]
    if not said:
        return None
    return _Interval(float(said[-1].data["agreed_interval_days"]), True, (said[-1],))


def _usual(held: Sequence[_Anchor], at: datetime) -> _Interval | None:
    """Return the median of the first four gaps, once there are four and it is a day or more."""
    first = held[: GAPS + 1]
    if len(first) <= GAPS or first[-1].at > at:
        return None
    days = median((after.at - before.at) / DAY for before, after in pairwise(first))
    return _Interval(days, False, tuple(anchor.fact for anchor in first)) if days >= 1 else None


def _anchors(found: Sequence[Outcome]) -> Iterator[_Anchor]:
    anchors: list[_Anchor] = []
    for outcome in found:
        due_at = outcome.session.due_at
        if outcome.session.state == "held":
            anchors.append(_Anchor(outcome.since, True, outcome.fact))
        elif outcome.by_client and (outcome.until is None or outcome.until > due_at):
            anchors.append(_Anchor(max(due_at, outcome.since), False, outcome.fact))
    yield from sorted(anchors, key=lambda anchor: (anchor.at, anchor.fact.source, anchor.fact.id))


def _deadlines(
    phase: Phase,
    by_client: Sequence[Outcome],
    anchor: _Anchor,
    upcoming: datetime | None,
    interval: _Interval,
    chosen: Mapping[str, Any],
) -> Iterator[Moment]:
    soonest = anchor.at + _running(chosen["attention_ratio"], interval)
    if upcoming is not None and upcoming <= soonest:
        return  # A clock that stands still only makes it later: the usual case, answered at once.
    stopped = [
        (reason, max(start, anchor.at), end)
        for reason, start, end in _stopped(phase, by_client, interval)
        if end is None or end > anchor.at
    ]
    steps: tuple[tuple[Urgency, float], ...] = (
        ("attention", chosen["attention_ratio"]),
        ("urgent", chosen["urgent_ratio"]),
    )
    for urgency, ratio in steps:
        running = _running(ratio, interval)
        due_at = after_running(anchor.at, running, [(start, end) for _, start, end in stopped])
        if due_at is None or (upcoming is not None and upcoming <= due_at):
            return
        yield _moment(phase, anchor, interval, urgency, ratio, due_at, stopped, chosen)


def _running(ratio: float, interval: _Interval) -> timedelta:
    return timedelta(days=min(ratio * interval.days, LONGEST_DAYS))


def _stopped(phase: Phase, by_client: Sequence[Outcome], interval: _Interval) -> Iterator[Stretch]:
    """Yield when the clock stands still; nothing counts before it was announced."""
    for span in phase.care.pauses:
        yield "pause", since_announced(span), span.until
    for span in phase.away:
        if span.reason in LEAVE:
            yield "announced_leave", since_announced(span), span.until
    for span in phase.clinic.closures:
        yield "closure", since_announced(span), span.until
    for outcome in by_client:
        due_at = outcome.session.due_at
        start = max(due_at - timedelta(days=interval.days), outcome.since)
        end = due_at if outcome.until is None else min(due_at, outcome.until)
        if start < end:
            yield "cancelled_by_client", start, end


def _moment(
    phase: Phase,
    anchor: _Anchor,
    interval: _Interval,
    urgency: Urgency,
    ratio: float,
    due_at: datetime,
    stopped: Sequence[Stretch],
    chosen: Mapping[str, Any],
) -> Moment:
    not_counted: dict[str, int] = {} if anchor.held else {"cancelled_or_missed_by_client": 1}
    for reason, start, _ in stopped:
        if start < due_at:
            not_counted[reason] = not_counted.get(reason, 0) + 1
    booked = any(
        session.due_at > due_at and session.facts[0].occurred_at <= due_at
        for session in phase.sessions
    )
    limit = figure(ratio * interval.days)
    rhythm = "agreed" if interval.agreed else "usual at first (median of four gaps)"
    since = (due_at - anchor.at) / DAY
    return Moment(
        due_at,
        about="gap",
        urgency=urgency,
        evidence=(anchor.fact, *(fact for fact in interval.facts if fact != anchor.fact)),
        explanation=f"More than {limit} days have passed without a held session; the {rhythm} "
        f"interval is {figure(interval.days)} days ({figure(ratio)} times as long). "
        f"{'A next session is' if booked else 'No next session is'} booked."
        + excused(not_counted),
        numbers={
            "ratio": ratio,
            "interval_days": round(interval.days, 2),
            "agreed": interval.agreed,
            "days_since": round(since, 2),
            "over_15_days": since > 15,
            "over_30_days": since > 30,
            "next_session_booked": booked,
        },
        not_counted=dict(sorted(not_counted.items())),
        grace=timedelta(hours=chosen["grace_hours"]),
    )

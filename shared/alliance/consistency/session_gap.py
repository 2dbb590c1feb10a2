"""How long no session was held, beside the interval that was agreed. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice, pairwise, zip_longest
from statistics import median
from typing import Any, Final

from shared.alliance.attendance import Outcome, outcomes
from shared.alliance.calendar import FIRST, after_running, ran, since_announced
from shared.alliance.consistency.measure import Figure, Measure, Settings, level, not_analysable
from shared.alliance.consistency.next_session import next_booked
from shared.alliance.nobodys_lapse import nobodys_lapses
from shared.alliance.reading import Fact
from shared.alliance.things import Phase
from shared.alliance.wording import counted, figure
from shared.values import frozen

DAY: Final = timedelta(days=1)
DECIMALS: Final = 9
"""Beyond them, a ratio is noise of floats."""

LEAVE: Final = frozenset({"annual_leave", "parental", "study", "other"})
"""Absences that are announced leave; a sickness stops no clock: the client is still unseen."""

GAPS: Final = 4
"""How many first gaps of the phase stand in for an agreed interval (own)."""

LONGEST_DAYS: Final = 36_525
"""Own: no gap is awaited for longer than a century, whatever was set."""

LONG_DAYS: Final = (15, 30)
"""Absolute lengths that are shown beside the ratio (own)."""

SHOWN: Final = 4
"""So many gaps that ended are listed (own)."""

Stretch = tuple[str, datetime, datetime | None]
"""Why the clock stands still, from when, until when."""


@frozen
class Anchor:
    """From here the clock runs.

    A held session, or one that the client cancelled or missed, or another interval agreed: nobody
    could keep to what was not agreed yet.
    """

    at: datetime
    held: bool
    fact: Fact


@frozen
class Interval:
    """How often sessions are to be held, in days, and the facts that say so."""

    days: float
    agreed: bool
    facts: tuple[Fact, ...]

    def running(self, ratio: float) -> timedelta:
        """Return how long a gap of so many intervals lasts."""
        return timedelta(days=min(ratio * self.days, LONGEST_DAYS))


@frozen
class Gap:
    """From one anchor to the next.

    Attributes:
        anchor: Where it begins.
        end: The next anchor; None while it runs.
        interval: What it is measured by; None where nothing was agreed and too little is known.
    """

    anchor: Anchor
    end: Anchor | None
    interval: Interval | None

    def days_since(self, moment: datetime) -> float:
        """Return how many days lie between its anchor and a moment, whatever stopped the clock."""
        return (moment - self.anchor.at) / DAY


def gaps(phase: Phase) -> tuple[Gap, ...]:
    """Return every gap of a phase, in time; the last one runs.

    They begin at the first held session. Where none was held, each anchor begins one that has no
    interval.
    """
    return phase.derived(_gaps)


def stopped(phase: Phase, gap: Gap) -> list[Stretch]:
    """Return when the clock of a gap stands still; nothing counts before it was announced."""
    if gap.interval is None:
        return []
    return [
        (reason, max(start, gap.anchor.at), end)
        for reason, start, end in _stopped(phase, gap.interval, gap.anchor.at)
        if end is None or end > max(start, gap.anchor.at)
    ]


def due_at(gap: Gap, ratio: float, still: Sequence[Stretch]) -> datetime | None:
    """Return when a gap is so many intervals long; None where it never gets there."""
    if gap.interval is None:
        return None
    running = gap.interval.running(ratio)
    return after_running(gap.anchor.at, running, [(start, end) for _, start, end in still])


def left_out(gap: Gap, moment: datetime, still: Sequence[Stretch]) -> dict[str, int]:
    """Return what stopped the clock of a gap before a moment, and how often, in time."""
    by_client = not gap.anchor.held and gap.anchor.fact.type.startswith("session.")
    found: dict[str, int] = {"cancelled_or_missed_by_client": 1} if by_client else {}
    for reason, start, _ in still:
        if start < moment:
            found[reason] = found.get(reason, 0) + 1
    return found


def numbers(phase: Phase, gap: Gap, interval: Interval, moment: datetime) -> dict[str, Any]:
    """Return what stands beside the ratio of a gap at a moment."""
    since = gap.days_since(moment)
    return {
        "interval_days": round(interval.days, 2),
        "agreed": interval.agreed,
        "days_since": round(since, 2),
        **{f"over_{days}_days": since > days for days in LONG_DAYS},
        "next_session_booked": next_booked(phase, moment) is not None,
    }


def _gaps(phase: Phase) -> tuple[Gap, ...]:
    anchors = list(_anchors(outcomes(phase)))
    held = [anchor for anchor in anchors if anchor.held]
    if not held:
        return tuple(Gap(before, after, None) for before, after in _paired(anchors))
    agreed, usual = _agreed(phase), _usual(held)
    known_at = held[GAPS].at if usual is not None else None
    anchors = sorted([*anchors, *_agreed_anew(agreed)], key=_in_time)
    found: list[Gap] = []
    for anchor, end in _paired(anchors):
        if anchor.at < held[0].at:
            continue
        pace = next((one for at, one in reversed(agreed) if at <= anchor.at), None)
        if pace is None and known_at is not None and known_at <= anchor.at:
            pace = usual
        found.append(Gap(anchor, end, pace))
    return tuple(found)


def _paired(anchors: Sequence[Anchor]) -> Iterator[tuple[Anchor, Anchor | None]]:
    return zip_longest(anchors, anchors[1:])


def _anchors(found: Sequence[Outcome]) -> Iterator[Anchor]:
    anchors: list[Anchor] = []
    for outcome in found:
        if outcome.session.state == "held":
            anchors.append(Anchor(outcome.since, True, outcome.fact))
        elif outcome.by_client:
            due = outcome.session.due_at
            if outcome.until is None or outcome.until > due:
                anchors.append(Anchor(max(due, outcome.since), False, outcome.fact))
    yield from sorted(anchors, key=_in_time)


def _in_time(anchor: Anchor) -> tuple[datetime, str, str]:
    return anchor.at, anchor.fact.source, anchor.fact.id


def _agreed_anew(agreed: Sequence[tuple[datetime, Interval]]) -> Iterator[Anchor]:
    """Yield where an interval was agreed that was not in force before."""
    before: float | None = None
    for at, interval in agreed:
        if interval.days != before:
            yield Anchor(at, False, interval.facts[0])
        before = interval.days


def _agreed(phase: Phase) -> list[tuple[datetime, Interval]]:
    """Return each interval that was agreed, and when, in fold order."""
    return [
        (fact.occurred_at, Interval(float(fact.data["agreed_interval_days"]), True, (fact,)))
        for fact in phase.care.facts
        if fact.data.get("agreed_interval_days") is not None
    ]


def _usual(held: Sequence[Anchor]) -> Interval | None:
    """Return the median of the first four gaps, where there are four and it is a day or more."""
    first = held[: GAPS + 1]
    if len(first) <= GAPS:
        return None
    days = median((after.at - before.at) / DAY for before, after in pairwise(first))
    return Interval(days, False, tuple(anchor.fact for anchor in first)) if days >= 1 else None


def _by_client(phase: Phase) -> tuple[Outcome, ...]:
    return tuple(outcome for outcome in outcomes(phase) if outcome.by_client)


def _stopped(phase: Phase, interval: Interval, since: datetime) -> Iterator[Stretch]:
    for span in phase.care.pauses:
        yield "pause", since_announced(span), span.until
    for span in phase.away:
        if span.reason in LEAVE:
            yield "announced_leave", since_announced(span), span.until
    for span in phase.clinic.closures:
        yield "closure", since_announced(span), span.until
    yield from _called_off(phase, interval, since)


def _called_off(phase: Phase, interval: Interval, since: datetime) -> Iterator[Stretch]:
    """Yield the intervals before sessions that were not held, where that is nobody's lapse."""
    for outcome in phase.derived(_by_client):
        end = outcome.session.due_at
        if end <= since:
            continue
        start = max(_interval_before(end, interval), outcome.since)
        end = end if outcome.until is None else min(end, outcome.until)
        if start < end:
            yield "cancelled_by_client", start, end
    for reason, outcome in nobodys_lapses(phase):
        # Booked again it was moved, and the clock ran on; otherwise the whole interval is out,
        # whenever it was said: an emergency is known on the day.
        due = outcome.session.due_at
        if outcome.until is None and due > since:
            yield reason, _interval_before(due, interval), due


def _interval_before(due: datetime, interval: Interval) -> datetime:
    return due - min(due - FIRST, timedelta(days=interval.days))


def _figure(phase: Phase, at: datetime, settings: Settings) -> Figure:
    about = (
        "since the last session that was held, or that the client cancelled or missed, or since "
        "another interval was agreed"
    )
    begun = [gap for gap in gaps(phase) if gap.anchor.at <= at]
    if not any(gap.anchor.held for gap in begun):
        return not_analysable("no session was held yet", about)
    gap = begun[-1]
    interval = gap.interval
    if interval is None:
        because = f"no interval is agreed, and fewer than {GAPS} gaps stand in for it"
        return not_analysable(because, about, days_since=round(gap.days_since(at), 2))
    still = stopped(phase, gap)
    ratio = _ratio(gap, interval, at, still)
    attention = settings["attention_ratio"]
    rhythm = "agreed" if interval.agreed else "usual at first (median of four gaps)"
    return Figure(
        says=f"{figure(ratio * interval.days, 1)} days that count have passed without a held "
        f"session, {figure(ratio)} times the {rhythm} interval of "
        f"{figure(interval.days)} days",
        window=about,
        value=ratio,
        numerator=ratio * interval.days,
        denominator=interval.days,
        values=tuple(_ended(phase, begun[:-1])),
        met=level(ratio > attention, ratio > settings["urgent_ratio"]),
        events=[gap.anchor.fact, *(one for one in interval.facts if one != gap.anchor.fact)],
        not_counted=left_out(gap, at, still),
        numbers=numbers(phase, gap, interval, at),
        due_at=None if phase.closed_at else due_at(gap, attention, still),
    )


def _ratio(gap: Gap, interval: Interval, at: datetime, still: Sequence[Stretch]) -> float:
    spent = ran(gap.anchor.at, at, [(start, end) for _, start, end in still])
    return round(spent / DAY / interval.days, DECIMALS)


def _ended(phase: Phase, ended: Sequence[Gap]) -> Iterator[dict[str, Any]]:
    """Yield the last gaps from one held session to the next, others in between taken out."""
    whole = (
        (gap, gap.interval, gap.end)
        for gap in reversed(ended)
        if gap.anchor.held and gap.end is not None and gap.end.held and gap.interval is not None
    )
    for gap, interval, end in reversed(list(islice(whole, SHOWN))):
        ratio = _ratio(gap, interval, end.at, stopped(phase, gap))
        yield {
            "from": gap.anchor.fact.event,
            "until": end.fact.event,
            "days": round(ratio * interval.days, 2),
            "interval_days": round(interval.days, 2),
            "ratio": round(ratio, 2),
        }


SESSION_GAP = Measure(
    name="session_gap",
    rule="session-gap",
    title="Time since the last held session",
    unit="agreed intervals",
    definition="days that count since the last held session ÷ agreed interval, else the median "
    f"of the phase's first {counted(GAPS, 'gap')}; the clock stands still in pauses, announced "
    "leave, closures and the interval before a session that the client cancelled, or that was not "
    "held for a reason that is nobody's lapse, and starts anew at a session that the client "
    "cancelled or missed, and where another interval is agreed",
    limit="more than {attention_ratio}, urgent more than {urgent_ratio}",
    defaults={"attention_ratio": 1.5, "urgent_ratio": 2.0},
    figure=_figure,
)

"""From the moments that a rule found in a phase to episodes. Pure.

A rule says when something that it watches began, grew or cleared. The walk here makes stretches
of them: one at a time per phase and rule, with steps of urgency that never fall.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from services.alerts.rule import Episode, Step, Urgency, Verdict
from shared import ids
from shared.alliance.reading import Fact
from shared.clock import format_time
from shared.values import frozen

RANK: Final[Mapping[Urgency, int]] = {"information": 0, "attention": 1, "urgent": 2}

NO_GRACE: Final = timedelta(0)


@frozen
class Moment:
    """When something that a rule watches began to hold, grew, or cleared.

    Attributes:
        at: When, in the clinic; for a deadline, when it was due.
        about: Which of the things that the rule watches: an episode lasts while any of them holds.
        urgency: None says that it cleared.
        evidence: The facts it stands on; never empty, except where it cleared.
        title: What was observed; the rule's own title when left out.
        again: Makes a step even where the urgency does not rise, once for each such word.
        grace: For a deadline: how long after ``at`` it is judged; None for a fact. What clears
            within the grace was never worth telling, and makes no episode.
    """

    at: datetime
    about: str
    urgency: Urgency | None
    evidence: tuple[Fact, ...] = ()
    explanation: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    not_counted: Mapping[str, int] = field(default_factory=dict)
    title: str = ""
    again: str = ""
    grace: timedelta | None = None

    @property
    def ripe_at(self) -> datetime:
        """When it can be judged."""
        return self.at if self.grace is None else self.at + self.grace


class Judging(Protocol):
    """What the walk needs to know of a rule."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def title(self) -> str:
        """What it observes."""


class Care(Protocol):
    """A course of care, or what stands for it."""

    @property
    def ref(self) -> str:
        """Its reference."""


class Place(Protocol):
    """What a rule judges: a phase, or a caseload."""

    @property
    def organisation(self) -> str:
        """Whose it is."""

    @property
    def client(self) -> str:
        """Whom it is about."""

    @property
    def care(self) -> Care:
        """In which course of care."""

    @property
    def therapist(self) -> str:
        """With whom."""

    @property
    def closed_at(self) -> datetime | None:
        """When it ended."""


@dataclass(slots=True)
class _Open:
    """An episode while it lasts."""

    effective_at: datetime
    title: str
    holding: set[str] = field(default_factory=set)
    steps: list[Step] = field(default_factory=list)


def verdict(
    rule: Judging,
    phase: Place,
    moments: Iterable[Moment],
    until: datetime,
    *,
    ends_with_phase: bool = True,
) -> Verdict:
    """Return the episodes that a rule's moments make.

    Args:
        rule: Whose.
        phase: Where.
        moments: Those of one thing in the order in which they came; things in any fixed order.
        until: Deadlines are judged up to here; one that is not ripe by then is left for later. A
            fact is judged when it is there: while a feed is silent only its deadlines wait.
        ends_with_phase: Whether the end of the phase clears everything (boundary and risk: no).
    """
    closed_at = phase.closed_at if ends_with_phase else None
    standing = _standing(moments, closed_at)
    episodes: list[Episode] = []
    current: _Open | None = None
    for moment in standing:
        if _waits(moment, until):
            continue
        if moment.urgency is not None:
            current = current or _Open(moment.at, rule.title)
            current.holding.add(moment.about)
            _step(current, moment, moment.urgency)
        elif current is not None:
            current.holding.discard(moment.about)
            if not current.holding:
                episodes.append(_episode(rule, phase, current, moment.at))
                current = None
    waiting = [moment.ripe_at for moment in standing if _waits(moment, until)]
    if current is not None:
        episodes.append(_episode(rule, phase, current, closed_at))
    return Verdict(tuple(episodes), min(waiting, default=None))


def cleared_after(
    times: int, about: str, found: Iterable[tuple[datetime, Moment | None]]
) -> Iterator[Moment]:
    """Yield what was found, and that it cleared after some times in a row without it.

    Args:
        times: How many.
        about: What clears.
        found: Each time that it could have been found, with what was.
    """
    without = 0
    for at, moment in found:
        without = 0 if moment else without + 1
        if moment:
            yield moment
        elif without == times:
            yield Moment(at, about, urgency=None)


def _waits(moment: Moment, until: datetime) -> bool:
    return moment.grace is not None and moment.ripe_at > until


def _standing(moments: Iterable[Moment], closed_at: datetime | None) -> Sequence[Moment]:
    """Return the moments that count, in time; those of one instant stay in the given order.

    From the end of the phase on, nothing is said any more, by a deadline or by a fact.
    """
    in_time = [moment for moment in moments if closed_at is None or moment.ripe_at < closed_at]
    in_time.sort(key=lambda moment: moment.at)
    cleared: dict[str, list[datetime]] = {}
    for moment in in_time:
        if moment.urgency is None:
            cleared.setdefault(moment.about, []).append(moment.at)
    return [moment for moment in in_time if not _put_right(moment, cleared.get(moment.about, ()))]


def _put_right(moment: Moment, cleared: Sequence[datetime]) -> bool:
    """Return whether what a deadline waited for came at it, or after it within the grace."""
    if moment.grace is None or moment.urgency is None:
        return False
    return any(moment.at <= at <= moment.ripe_at for at in cleared)


def _step(current: _Open, moment: Moment, urgency: Urgency) -> None:
    """Add a step where the urgency rises, or where there is something to tell again."""
    before = current.steps[-1] if current.steps else None
    key = f"{urgency}:{moment.again}" if moment.again else urgency
    rises = before is None or RANK[urgency] > RANK[before.urgency]
    if not rises and (not moment.again or any(step.key == key for step in current.steps)):
        return
    known_at = max(fact.known_at for fact in moment.evidence)
    if moment.grace is not None:
        known_at = max(known_at, moment.ripe_at)
    if before is not None:
        known_at = max(known_at, before.known_at)
    current.title = moment.title or current.title
    current.steps.append(
        Step(
            key=key,
            urgency=urgency if before is None or rises else before.urgency,
            effective_at=moment.at,
            known_at=known_at,
            evidence=moment.evidence,
            explanation=moment.explanation,
            numbers=moment.numbers,
            not_counted=moment.not_counted,
            deadline=moment.grace is not None,
        )
    )


def _episode(rule: Judging, phase: Place, ended: _Open, cleared_at: datetime | None) -> Episode:
    place = (phase.organisation, phase.client, phase.care.ref, phase.therapist)
    return Episode(
        id=ids.derived_id("episode", *place, rule.name, format_time(ended.effective_at)),
        rule=rule.name,
        effective_at=ended.effective_at,
        known_at=ended.steps[0].known_at,
        cleared_at=cleared_at,
        title=ended.title,
        steps=tuple(ended.steps),
    )

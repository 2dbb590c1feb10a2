"""Which alerts are told together: those of one therapist's absence. Pure.

Every client is judged alone, in partitions that know nothing of each other; so what names a group
follows from what all of them can see. Where an absence was announced, that is the announcement
itself (its source and id). Where none was, it is the therapist and the week in which the session
would have been, in the clinic's zone: what was cancelled for more than one week is told once for
each. Own, not validated.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from services.alerts.judgement import Held
from services.alerts.rule import Step
from shared import ids
from shared.alliance.calendar import covers, local_date
from shared.alliance.history import Phase
from shared.alliance.reading import Fact
from shared.alliance.things import Session, Span

AWAY: Final = "therapist.away"
PROVIDER: Final = ("therapist", "clinic")

_BY: Final[Mapping[str, str]] = {
    "session.cancelled": "cancelled_by",
    "session.missed": "missed_by",
    "session.rescheduled": "requested_by",
}
"""Who called a session off stands under another name in each type."""


def group_of(held: Held, phases: Sequence[Phase]) -> str | None:
    """Return the id of the group that an alert about consistency belongs to, if to any.

    It is named by what the last step stands on, as the alert's own words are: the absence itself,
    or the latest session that the therapist or the clinic called off.

    Args:
        held: The episode.
        phases: Those of one therapist in one course of care.
    """
    if held.rule.family != "consistency" or not held.steps or not phases[-1].therapist:
        return None
    step, phase = held.steps[-1], phases[-1]
    announced = [fact for fact in step.evidence if fact.type == AWAY]
    if announced:
        return _named(phase, "away", *_identity(_first(announced)))
    due = _called_off(step, phases)
    if due is None:
        return None
    away = [span.fact for one in phases for span in _away(one.away, due)]
    if away:
        return _named(phase, "away", *_identity(_first(away)))
    year, week, _ = local_date(phase.clinic, due).isocalendar()
    return _named(phase, "week", phase.therapist, f"{year}-{week:02d}")


def _called_off(step: Step, phases: Sequence[Phase]) -> datetime | None:
    """Return when the latest session would have been that the provider called off."""
    sessions = {one.ref: one for phase in phases for one in phase.sessions}
    found = [
        due
        for fact in step.evidence
        if fact.data.get(_BY.get(fact.type, "")) in PROVIDER
        and (due := _due(fact, sessions.get(fact.data["session"]))) is not None
    ]
    return max(found, default=None)


def _due(fact: Fact, session: Session | None) -> datetime | None:
    """Return when a session would have been: one that was moved, before it was."""
    if session is None:
        return None
    moved = (move.from_start for move in session.moves if move.fact == fact)
    return next(moved, session.due_at)


def _away(spans: Iterable[Span], moment: datetime) -> list[Span]:
    return [span for span in spans if covers(span, moment)]


def _first(facts: Iterable[Fact]) -> Fact:
    """Return the one that was announced first, whichever came first."""
    return min(facts, key=lambda fact: (fact.occurred_at, fact.source, fact.id))


def _identity(fact: Fact) -> tuple[str, str]:
    return fact.source, fact.id


def _named(phase: Phase, *what: str) -> str:
    return ids.derived_id("group", phase.organisation, *what)

"""Questionnaires that were agreed and are overdue. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.alliance.calendar import after_days, local_date
from shared.alliance.consistency.measure import (
    Figure,
    Measure,
    Settings,
    level,
    not_analysable,
    together,
)
from shared.alliance.consistency.said import held, is_sent, said
from shared.alliance.matters import BOUNDARY
from shared.alliance.reading import Fact
from shared.alliance.things import Phase, Session
from shared.alliance.wording import counted
from shared.clock import format_time

NOT_OFFERED: Final = "not_offered"
"""The reason of a skipped rating that the client had no part in; any other means it was offered,
or that nobody knows, which never counts against a therapist."""

_WINDOW = "every questionnaire that the course of care agreed"


@dataclass(frozen=True, slots=True)
class _Due:
    """How one agreed questionnaire stands.

    Attributes:
        measure: As agreed: ``instrument`` and how often.
        since: The fact from which its rhythm runs: a rating, an offer, or the agreement.
        due_at: When it was or is due; None while it waits for sessions.
        overdue_at: When that was so long ago that it counts.
        skipped: Reason → how often it was skipped since the last rating.
    """

    measure: Mapping[str, Any]
    since: Fact
    due_at: datetime | None
    overdue_at: datetime | None
    skipped: Mapping[str, int]


def _figure(phase: Phase, at: datetime, settings: Settings) -> Figure:
    """Return how many agreed questionnaires are overdue at the client's last fact.

    The rhythm runs from its agreement or, where that is later, from the opening of the phase: what
    was due with a former therapist is not due with this one. A rating starts it anew, whoever
    gave it; so does one that was offered and declined or not answered: the client's silence is
    not the therapist's. One that was not offered does not.
    """
    agreed = [fact for fact in phase.care.facts if fact.data.get("measures")]
    if not phase.in_care:
        return not_analysable("the phase is closed", _WINDOW)
    if not agreed or not phase.care.measures:
        return not_analysable("no rhythm is agreed", _WINDOW)
    if not is_sent(phase, "ratings", "rating.given", "rating.skipped"):
        return not_analysable("ratings are not known to be sent", _WINDOW)
    weeks = settings["overdue_weeks"]
    every = [_due(phase, one, agreed[-1], weeks) for one in phase.care.measures]
    overdue = [one for one in every if one.overdue_at is not None and one.overdue_at <= at]
    later = [one.overdue_at for one in every if one.overdue_at is not None]
    n, of = len(overdue), len(every)
    offered = together(*(_without(one.skipped, NOT_OFFERED) for one in every))
    return Figure(
        says=f"{n} of {counted(of, 'agreed questionnaire')} {'is' if n == 1 else 'are'} "
        f"{counted(weeks, 'week')} overdue",
        window=_WINDOW,
        value=n,
        numerator=n,
        denominator=of,
        values=tuple(_shown(one, one in overdue) for one in every),
        met=level(n > 0),
        events=[one.since for one in overdue],
        among=[agreed[-1]],
        not_counted=offered,
        numbers={NOT_OFFERED: sum(one.skipped.get(NOT_OFFERED, 0) for one in every)},
        due_at=min((moment for moment in later if moment > at), default=None),
    )


def _due(phase: Phase, measure: Mapping[str, Any], agreed: Fact, weeks: int) -> _Due:
    instrument = measure["instrument"]
    given = [one for one in phase.ratings if one.instrument_key == instrument]
    after = begins(phase, agreed)
    if given and given[-1].fact.occurred_at > after.occurred_at:
        after = given[-1].fact
    skipped = [
        fact
        for fact in said(phase, "rating.skipped")
        if fact.data["instrument"] == instrument and fact.occurred_at > after.occurred_at
    ]
    offered = [fact for fact in skipped if fact.data["reason"] != NOT_OFFERED]
    since = offered[-1] if offered else after
    due = due_at(phase, measure, since)
    overdue_at = due and after_days(phase.clinic, due, weeks * 7, phase.care.pauses)
    reasons = Counter(_skipped(fact.data["reason"]) for fact in skipped)
    return _Due(measure, since, due, overdue_at, reasons)


def begins(phase: Phase, agreed: Fact) -> Fact:
    """Return the fact from which the rhythm runs at first: nothing was due before this phase."""
    if agreed.occurred_at >= phase.opened_at:
        return agreed
    since = [fact for fact in phase.facts if fact.occurred_at >= phase.opened_at]
    # Never a boundary matter of the same moment: that would stand in the alert as evidence.
    return next((fact for fact in since if not fact.type.startswith(BOUNDARY)), since[0])


def due_at(phase: Phase, measure: Mapping[str, Any], since: Fact) -> datetime | None:
    """Return when an agreed questionnaire falls due; None while it waits for sessions."""
    days = measure.get("every_days")
    if days is not None:
        return after_days(phase.clinic, since.occurred_at, days, phase.care.pauses)
    needed = measure.get("every_sessions")
    later = _held_since(phase, since)
    return later[needed - 1].state_at if needed and len(later) >= needed else None


def _held_since(phase: Phase, since: Fact) -> Sequence[Session]:
    """Return the sessions held since; one of the day of a rating is the one it was given in."""
    own = since.data.get("session")
    start = since.occurred_at
    later = [one for one in held(phase) if one.state_at > start and one.ref != own]
    if since.type.startswith("rating."):
        day = local_date(phase.clinic, since.occurred_at)
        later = [one for one in later if local_date(phase.clinic, one.state_at) > day]
    return later


def _skipped(reason: str) -> str:
    return "skipped_why_unknown" if reason == "unknown" else reason


def _without(reasons: Mapping[str, int], one: str) -> dict[str, int]:
    return {reason: n for reason, n in reasons.items() if reason != one}


def _shown(one: _Due, overdue: bool) -> dict[str, Any]:
    return {
        **one.measure,
        "since": one.since.event,
        "due_at": None if one.due_at is None else format_time(one.due_at),
        "overdue": overdue,
        "skipped": dict(sorted(one.skipped.items())),
    }


MEASURES_DUE = Measure(
    name="measures_due",
    rule="measures-due",
    title="Agreed questionnaires overdue",
    unit="questionnaires",
    definition="agreed rhythm passed without a rating, and 4 weeks more, pauses left out; an "
    "offer that was declined or not answered starts the rhythm anew, not offered does not",
    limit="1, {overdue_weeks} weeks past due",
    defaults={"overdue_weeks": 4},
    figure=_figure,
)

"""A questionnaire that was agreed, and is overdue."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from services.alerts.episodes import Moment, verdict
from services.alerts.example import Example, looked_at, rated, to_be_measured
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.calendar import after_days
from shared.alliance.consistency.left_out import pauses
from shared.alliance.consistency.measures_due import NOT_OFFERED, begins, due_at
from shared.alliance.consistency.said import is_sent, said
from shared.alliance.history import Phase
from shared.alliance.reading import Fact
from shared.alliance.wording import counted


class MeasuresDue:
    """Tell when a questionnaire that the course of care agreed is four weeks overdue.

    Its rhythm runs from the agreement, and anew from every rating, whoever gave it, and from
    every offer that was declined or not answered: that a client does not answer is nobody's lapse.
    One that was not offered starts nothing. Only what was agreed, and only where ratings are
    sent. Clears by a rating or an offer. The four weeks are own, not validated.
    """

    name: str = "measures-due"
    version: int = 1
    family: Family = "consistency"
    title: str = "An agreed questionnaire is overdue"
    needs: frozenset[str] = frozenset({"ratings"})
    reads: frozenset[str] = frozenset(
        {
            "rating.given", "rating.skipped", "session.scheduled", "session.rescheduled",
            "session.cancelled", "session.missed", "session.held", "care.started", "care.paused",
            "care.resumed", "care.transferred", "care.ended", "clinic.configured",
            "clinic.closed",
        }
    )  # fmt: skip
    tell: Mapping[Urgency, tuple[Audience, ...]] = {"attention": ("therapist",)}
    next_steps: tuple[str, ...] = (
        "Offer it in the next session, and say what it is for; a word of thanks helps.",
        "Where it no longer fits, agree with the client on another one, or on none.",
    )
    defaults: Mapping[str, Any] = {"overdue_weeks": 4, "grace_hours": 48}
    always_news: bool = False
    example: Example = (
        to_be_measured(0, "phq-9", 28), rated(28, 12, "phq-9"), looked_at(86),
        rated(90, 10, "phq-9"),
    )  # fmt: skip

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge each agreed questionnaire at its deadlines."""
        chosen = {**self.defaults, **settings}
        agreements = [fact for fact in phase.care.facts if fact.data.get("measures")]
        if not agreements or not is_sent(phase, "ratings", "rating.given", "rating.skipped"):
            return Verdict(())
        moments = [
            moment
            for agreed, replaced in pairwise((*agreements, None))
            if agreed is not None
            for measure in agreed.data["measures"]
            for moment in _moments(
                phase, agreed, replaced.occurred_at if replaced else None, measure, chosen
            )
        ]
        return verdict(self, phase, moments, until)


def _moments(
    phase: Phase,
    agreed: Fact,
    ends_at: datetime | None,
    measure: Mapping[str, Any],
    chosen: Mapping[str, Any],
) -> Iterator[Moment]:
    """Yield the deadlines of one questionnaire while one agreement holds, until ``ends_at``."""
    instrument, weeks = measure["instrument"], chosen["overdue_weeks"]
    if ends_at is not None and ends_at <= phase.opened_at:
        return
    for since, later in pairwise((*_anchors(phase, agreed, instrument, ends_at), None)):
        if since is None:
            break
        upcoming = ends_at if later is None else later.occurred_at
        if since != agreed:
            yield Moment(since.occurred_at, instrument, urgency=None)
        due = due_at(phase, measure, since)
        overdue_at = due and after_days(phase.clinic, due, weeks * 7, phase.care.pauses)
        if due is None or overdue_at is None or (upcoming is not None and upcoming <= overdue_at):
            continue
        yield Moment(
            overdue_at,
            instrument,
            urgency="attention",
            evidence=(agreed,) if since == agreed else (agreed, since),
            explanation=f"The questionnaire {instrument} was agreed {_rhythm(measure)}, and is "
            f"{counted(weeks, 'week')} overdue.",
            numbers={"overdue_weeks": weeks},
            not_counted=pauses(phase, since.occurred_at, overdue_at),
            grace=timedelta(hours=chosen["grace_hours"]),
        )
    if ends_at is not None:
        yield Moment(ends_at, instrument, urgency=None)


def _anchors(phase: Phase, agreed: Fact, instrument: str, ends_at: datetime | None) -> list[Fact]:
    """Return from when it is waited for, in time: the agreement, then each rating or offer."""
    first = begins(phase, agreed)
    given = [one.fact for one in phase.ratings if one.instrument_key == instrument]
    offered = [
        fact
        for fact in said(phase, "rating.skipped")
        if fact.data["instrument"] == instrument and fact.data["reason"] != NOT_OFFERED
    ]
    later = [
        fact
        for fact in (*given, *offered)
        if fact.occurred_at > first.occurred_at and (ends_at is None or fact.occurred_at < ends_at)
    ]
    return [first, *sorted(later, key=lambda one: (one.occurred_at, one.source, one.id))]


def _rhythm(measure: Mapping[str, Any]) -> str:
    days = measure.get("every_days")
    if days is not None:
        return f"every {counted(days, 'day')}"
    return f"every {counted(measure.get('every_sessions', 1), 'session')}"

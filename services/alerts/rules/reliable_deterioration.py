"""The client's outcome scores are reliably worse than at the beginning."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from services.alerts.episodes import Moment, cleared_after, verdict
from services.alerts.example import Example, rated
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.change import reliable_difference
from shared.alliance.history import Phase
from shared.alliance.series import Point, Series, client_series
from shared.alliance.wording import figure
from shared.instrument import Scale


class ReliableDeterioration:
    """Tell when outcome scores are worse than the first by at least the reliable change.

    Compared with the first score of the same instrument, version, rater and language in this
    phase (Jacobson and Truax 1991); where no reliable change is published the instrument is
    not analysable, and nothing is said. Urgent never: it is a reason to look together, at the
    plan as much as at the therapy. Clears by two scores in a row without it. That two clear it
    is own, not validated.
    """

    name: str = "reliable-deterioration"
    version: int = 1
    family: Family = "outcome"
    title: str = "Outcome scores are reliably worse than at the beginning"
    needs: frozenset[str] = frozenset({"ratings"})
    reads: frozenset[str] = frozenset({"rating.given", "care.transferred", "care.ended"})
    tell: Mapping[Urgency, tuple[Audience, ...]] = {
        "attention": ("therapist", "supervisor", "leadership"),
    }
    next_steps: tuple[str, ...] = (
        "Review the plan with the client: what helps, what does not, what has changed in life?",
        "Look at the alliance ratings of the same weeks.",
        "Consider in supervision another approach, more support, or a second opinion.",
    )
    defaults: Mapping[str, Any] = {"clears_after_ratings": 2}
    always_news: bool = False
    example: Example = (
        rated(0, 9, "phq-9"), rated(28, 11, "phq-9"), rated(56, 15, "phq-9"),
        rated(70, 12, "phq-9"), rated(84, 9, "phq-9"),
    )  # fmt: skip

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge each of the client's series at every score after the first."""
        chosen = {**self.defaults, **settings}
        moments = [
            moment
            for series in client_series(phase, "outcome")
            if series.scale.reliable_change is not None
            for moment in cleared_after(chosen["clears_after_ratings"], series.name, _each(series))
        ]
        return verdict(self, phase, moments, until)


def _each(series: Series) -> Iterator[tuple[datetime, Moment | None]]:
    for point in series.points[1:]:
        yield point.at, _worse(series, point)


def _worse(series: Series, point: Point) -> Moment | None:
    first = series.points[0]
    found = reliable_difference(series.scale, first.value, point.value)
    if found is None or found.category not in ("deteriorated", "harmed"):
        return None
    return Moment(
        point.at,
        series.name,
        urgency="attention",
        evidence=(first.rating.fact, point.rating.fact),
        explanation=f"The first score was {figure(first.value)}, the latest is "
        f"{figure(point.value)}: worse by {figure(-found.better_by)}; the reliable change of "
        f"{point.rating.instrument_key} is {figure(found.needed)} ({_how_sure(series.scale)}).",
        numbers={
            "first": first.value,
            "value": point.value,
            "worse_by": -found.better_by,
            "needed": round(found.needed, 4),
        },
    )


def _how_sure(scale: Scale) -> str:
    """Return how sure a reliable change is: some are of 90 %, some nobody has checked."""
    change = scale.reliable_change
    if change is None:
        return "not known"
    said = f"{figure(change.confidence * 100)} %"
    return said if change.verified else f"{said}, its source not checked yet"

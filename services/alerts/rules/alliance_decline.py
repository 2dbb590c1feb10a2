"""The client's alliance ratings have been falling."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from services.alerts.episodes import Moment, cleared_after, verdict
from services.alerts.example import Example, rated
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.change import theil_sen
from shared.alliance.history import Phase
from shared.alliance.series import Point, Series, client_series
from shared.alliance.wording import figure
from shared.change.trend import mann_kendall


class AllianceDecline:
    """Tell when the client's alliance ratings have been falling over several ratings.

    Over the last six (at least four): Mann–Kendall, one-sided, p ≤ 0.05, *and* a fall from the
    first to the last of them by at least a tenth of the scale. High and falling is worse than
    low and rising; so no cut-off is asked. Clears by two ratings in a row without it.
    Thresholds are own, not validated.
    """

    name: str = "alliance-decline"
    version: int = 1
    family: Family = "trust"
    title: str = "The client's alliance ratings fell"
    needs: frozenset[str] = frozenset({"ratings"})
    reads: frozenset[str] = frozenset({"rating.given", "care.transferred", "care.ended"})
    tell: Mapping[Urgency, tuple[Audience, ...]] = {"attention": ("supervisor", "leadership")}
    next_steps: tuple[str, ...] = (
        "Look at the timeline together with the therapist: what else changed in these weeks?",
        "Suggest that the therapist ask the client directly how the work feels, and what to "
        "change.",
        "Take it to supervision before the next session but one.",
    )
    defaults: Mapping[str, Any] = {
        "most_ratings": 6,
        "least_ratings": 4,
        "p_at_most": 0.05,
        "fall_percent": 10,
    }
    always_news: bool = False
    example: Example = (
        rated(0, 39), rated(7, 38.2), rated(14, 37), rated(21, 34.8), rated(28, 36),
        rated(35, 38.5),
    )  # fmt: skip

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge each of the client's series at every rating."""
        chosen = {**self.defaults, **settings}
        moments = [
            moment
            for series in client_series(phase, "alliance")
            for moment in cleared_after(2, series.name, _each(series, chosen))
        ]
        return verdict(self, phase, moments, until)


def _each(series: Series, chosen: Mapping[str, Any]) -> Iterator[tuple[datetime, Moment | None]]:
    for at, point in enumerate(series.points):
        window = series.points[max(0, at + 1 - chosen["most_ratings"]) : at + 1]
        yield point.at, _falling(series, window, chosen)


def _falling(series: Series, window: Sequence[Point], chosen: Mapping[str, Any]) -> Moment | None:
    if len(window) < chosen["least_ratings"]:
        return None
    fall = round(window[0].percent - window[-1].percent, 6)
    if fall < chosen["fall_percent"]:
        return None
    trend = mann_kendall([point.percent for point in window])
    slope = theil_sen([(point.at, point.percent) for point in window])
    if slope is None or trend.p_falling > chosen["p_at_most"]:
        return None
    values = ", ".join(figure(point.value) for point in window)
    p = round(trend.p_falling, 4)
    return Moment(
        window[-1].at,
        series.name,
        urgency="attention",
        evidence=tuple(point.rating.fact for point in window),
        explanation=f"The last {len(window)} ratings by the client "
        f"({window[-1].rating.instrument_key}) are {values}: a fall of {figure(fall, 0)} % of "
        f"the scale. The slope is {figure(-slope.per_4_weeks, 0)} % down per 4 weeks (95 % "
        f"interval {figure(-slope.high, 0)} to {figure(-slope.low, 0)}; one-sided p = {p:g}).",
        numbers={
            "ratings": len(window),
            "fall_percent": round(fall, 2),
            "percent_per_4_weeks": round(slope.per_4_weeks, 2),
            "interval": [round(slope.low, 2), round(slope.high, 2)],
            "p": p,
        },
    )

"""An alliance rating outside what was ordinary for this client at first."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from services.alerts.episodes import Moment, cleared_after, verdict
from services.alerts.example import Example, rated
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.change import BASELINE, Chart, control_chart
from shared.alliance.history import Phase
from shared.alliance.series import Point, Series, client_series
from shared.alliance.wording import figure
from shared.change.chart import SIGNAL


class AllianceOutOfControl:
    """Tell when an alliance rating lies below the limit that the client's first five ratings set.

    The individuals control chart (Shewhart): centre less 3 σ̂, where σ̂ is the mean moving
    range of the first five ratings ÷ 1.128, at least the instrument's standard error. The
    rating must also lie a tenth of the scale below the centre: who rates evenly would else be
    told of at every wobble; whose first five are all the same, by that alone. Clears by two
    ratings in a row within the limit. The counts are own, not validated.
    """

    name: str = "alliance-out-of-control"
    version: int = 2
    family: Family = "trust"
    title: str = "An alliance rating lies outside the client's own ordinary range"
    needs: frozenset[str] = frozenset({"ratings"})
    reads: frozenset[str] = frozenset({"rating.given", "care.transferred", "care.ended"})
    tell: Mapping[Urgency, tuple[Audience, ...]] = {"attention": ("therapist", "supervisor")}
    next_steps: tuple[str, ...] = (
        "Begin the next session with it: what is different now from the first sessions?",
        "Look at the chart together: is it one rating, or the beginning of a slope?",
    )
    defaults: Mapping[str, Any] = {"below_percent": 10}
    always_news: bool = False
    example: Example = (
        rated(0, 37), rated(7, 36), rated(14, 37), rated(21, 36.5), rated(28, 37),
        rated(35, 34), rated(42, 32), rated(49, 36.5), rated(56, 37),
    )  # fmt: skip

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge each of the client's series at every rating after its first five."""
        chosen = {**self.defaults, **settings}
        moments: list[Moment] = []
        for series in client_series(phase, "alliance"):
            chart = control_chart([point.value for point in series.points], series.scale)
            # First ratings all the same have no range: only a least fall can be judged.
            if chart is not None and (chart.sigma or chosen["below_percent"]):
                each = _each(series, chart, chosen["below_percent"])
                moments += cleared_after(2, series.name, each)
        return verdict(self, phase, moments, until)


def _each(
    series: Series, chart: Chart, below_percent: float
) -> Iterator[tuple[datetime, Moment | None]]:
    least = (series.scale.maximum - series.scale.minimum) * below_percent / 100
    for point in series.points[BASELINE:]:
        yield point.at, _outside(series, chart, least, point)


def _outside(series: Series, chart: Chart, least: float, point: Point) -> Moment | None:
    below = round(chart.worse * (point.value - chart.centre), 6)
    if chart.place(point.value) != "signal" or below < least:
        return None
    limit = chart.centre + chart.worse * SIGNAL * chart.sigma
    beside = f"the limit of their own variation ({SIGNAL} σ̂ from it) is {figure(limit)}"
    if not chart.sigma:
        beside = f"they were all the same, and a fall of {figure(least)} counts"
    first, named = series.points[:BASELINE], point.rating.instrument_key
    return Moment(
        point.at,
        series.name,
        urgency="attention",
        evidence=tuple(one.rating.fact for one in (*first, point)),
        explanation=f"The latest alliance rating ({named}) is {figure(point.value)}; the "
        f"first {len(first)} ratings have a mean of {figure(chart.centre)}, and {beside}.",
        numbers={
            "value": point.value,
            "centre": round(chart.centre, 4),
            "limit": round(limit, 4),
            "sigma": round(chart.sigma, 4),
        },
    )

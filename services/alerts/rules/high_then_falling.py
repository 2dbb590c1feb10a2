"""An alliance that was rated very high at first, and has come down since."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from statistics import median
from typing import Any

from services.alerts.episodes import Moment, cleared_after, verdict
from services.alerts.example import Example, rated
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.history import Phase
from shared.alliance.series import Point, Series, client_series
from shared.alliance.wording import counted, figure


class HighThenFalling:
    """Tell when the client rated the alliance very high at first, and clearly lower now.

    The median of the first three ratings is at least 90 % of the best possible, that of the last
    three at least 15 points below it. High and falling is worse than low and rising, and a slow
    descent shows in no six ratings; nothing is said of the height itself. Clears by two ratings
    in a row without it. The figures are own, not validated.
    """

    name: str = "high-then-falling"
    version: int = 1
    family: Family = "trust"
    title: str = "The client's alliance ratings were very high, and have come down"
    needs: frozenset[str] = frozenset({"ratings"})
    reads: frozenset[str] = frozenset({"rating.given", "care.transferred", "care.ended"})
    tell: Mapping[Urgency, tuple[Audience, ...]] = {"attention": ("therapist", "supervisor")}
    next_steps: tuple[str, ...] = (
        "Ask the client what they hoped for at the beginning, and what has become of it.",
        "Take it to supervision: what could be said at first, and what can be said now?",
    )
    defaults: Mapping[str, Any] = {"ratings": 3, "high_percent": 90, "fall_points": 15}
    always_news: bool = False
    example: Example = (
        rated(0, 39), rated(7, 38.5), rated(14, 39.5), rated(28, 37), rated(42, 35),
        rated(56, 33.5), rated(70, 32.5), rated(84, 32), rated(98, 37), rated(112, 38),
    )  # fmt: skip

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge each of the client's series once it has six ratings."""
        chosen = {**self.defaults, **settings}
        moments = [
            moment
            for series in client_series(phase, "alliance")
            for moment in cleared_after(2, series.name, _each(series, chosen))
        ]
        return verdict(self, phase, moments, until)


def _each(series: Series, chosen: Mapping[str, Any]) -> Iterator[tuple[datetime, Moment | None]]:
    many = chosen["ratings"]
    first = series.points[:many]
    for at in range(2 * many, len(series.points) + 1):
        last = series.points[at - many : at]
        yield last[-1].at, _lower(series, first, last, chosen)


def _lower(
    series: Series, first: Sequence[Point], last: Sequence[Point], chosen: Mapping[str, Any]
) -> Moment | None:
    high = median(point.percent for point in first)
    now = median(point.percent for point in last)
    fell = round(high - now, 6)
    if high < chosen["high_percent"] or fell < chosen["fall_points"]:
        return None
    return Moment(
        last[-1].at,
        series.name,
        urgency="attention",
        evidence=tuple(point.rating.fact for point in (*first, *last)),
        explanation="At first the median of the client's alliance ratings "
        f"({last[-1].rating.instrument_key}) was {figure(high, 1)} % of the best possible, lately "
        f"it is {figure(now, 1)} % ({counted(len(last), 'rating')} each).",
        numbers={"first": round(high, 2), "last": round(now, 2), "fell": round(fell, 2)},
    )

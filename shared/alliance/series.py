"""Ratings that can be compared with each other: one instrument, version, rater, language. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.alliance.things import Phase, Rating
from shared.instrument import Scale
from shared.values import frozen


@frozen
class Point:
    """One scored rating of a series.

    Attributes:
        value: Of the leading scale, in its own units.
        percent: The same as percent of the maximum possible; 100 is the best.
    """

    at: datetime
    value: float
    percent: float
    rating: Rating


@dataclass(frozen=True, slots=True)
class Series:
    """Comparable ratings in the order in which they were given.

    Attributes:
        name: Names it within its phase.
        scale: The leading scale of its instrument.
    """

    name: str
    scale: Scale
    points: tuple[Point, ...]


def client_series(phase: Phase, construct: Literal["alliance", "outcome"]) -> tuple[Series, ...]:
    """Return the client's own series, each by its first rating; a group rating is in none.

    Never by their names, which may hold a respondent's opaque id: a random one decides nothing.
    """
    return tuple(series for of, series in phase.derived(_client_series) if of == construct)


def _client_series(phase: Phase) -> list[tuple[str, Series]]:
    found: dict[tuple[str, str], tuple[Scale, list[Point]]] = {}
    for rating in phase.ratings:
        instrument = rating.instrument
        if instrument is None or rating.rater != "client" or rating.in_group:
            continue
        leading = instrument.leading
        score = rating.score.scales.get(leading.name)
        if score is None or score.percent is None:
            continue
        name = "|".join(map(str, rating.series))
        points = found.setdefault((instrument.construct, name), (leading, []))[1]
        points.append(Point(rating.occurred_at, score.value, score.percent, rating))
    return [
        (construct, Series(name, scale, tuple(sorted(points, key=lambda point: point.at))))
        for (construct, name), (scale, points) in found.items()
    ]

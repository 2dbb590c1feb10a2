"""Ratings that can be compared with each other: one instrument, version, rater, language. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.alliance.things import Phase, Rating
from shared.instrument import Scale


@dataclass(frozen=True, slots=True)
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
    found: dict[str, tuple[Scale, list[Point]]] = {}
    for rating in phase.ratings:
        instrument = rating.instrument
        if instrument is None or instrument.construct != construct:
            continue
        score = rating.score.scales.get(instrument.leading.name)
        if rating.rater != "client" or rating.in_group or score is None or score.percent is None:
            continue
        name = "|".join(str(part) for part in rating.series)
        points = found.setdefault(name, (instrument.leading, []))[1]
        points.append(Point(rating.occurred_at, score.value, score.percent, rating))
    return tuple(
        Series(name, scale, tuple(sorted(points, key=lambda point: point.at)))
        for name, (scale, points) in found.items()
    )

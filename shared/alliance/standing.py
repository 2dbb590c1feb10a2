"""How the alliance stands by each rater's own ratings: level, trend, and what they rest on. Pure.

The thresholds are ours, not validated; domain.md section 5 gives the same first numbers for the
rule ``alliance-decline``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import median
from typing import Any, Final, Literal

from shared.alliance.change import TREND_LEAST, TREND_MOST, Slope, meets, theil_sen
from shared.alliance.history import History
from shared.alliance.scoring import ScaleScore
from shared.alliance.things import Phase, Rating
from shared.change.trend import MannKendall, mann_kendall
from shared.clock import format_time

State = Literal["falling", "low", "steady", "rising", "unknown"]

LEVEL_OF = 3
"""The recent level is the median of so many latest ratings (own)."""

LOW_LEAST = 2
"""Fewest ratings by which a level can be called low (own)."""

LOW_PERCENT = 50.0
"""Below this much of the best possible a level is low where no cut-off is published (own)."""

TREND_P = 0.05
"""Largest one-sided p of Mann–Kendall at which ratings fall or rise (own)."""

TREND_PERCENT = 10.0
"""Smallest change, in percent of the scale, from the first to the last of them (own)."""

_DECIMALS = 1

RATERS: Final = {
    "client": "client",
    "therapist": "therapist",
    "observer": "observer",
    "supervisor": "supervisor",
    "parent_or_carer": "parent or carer",
    "partner": "partner",
    "teacher": "teacher",
}


@dataclass(frozen=True, slots=True)
class RaterStanding:
    """How the alliance stands by one rater.

    Attributes:
        state: The word for it.
        level: Median of the latest three, in percent of the best possible; None without ratings.
        slope: Trend in percent points per four weeks; None with fewer than four ratings.
        test: Whether they fall or rise.
        ratings: The ratings of one series in one phase, at most the latest six, in fold order.
        points: Their leading scores.
    """

    rater: str
    state: State
    level: float
    slope: Slope | None
    test: MannKendall | None
    ratings: tuple[Rating, ...]
    points: tuple[ScaleScore, ...]


def by_raters(history: History) -> dict[str, RaterStanding]:
    """Return how the alliance stands by each rater that rated it.

    A trend crosses neither a phase nor a series: the phase and series of the rater's latest
    rating count, among the open phases where any is open. Group ratings are left out.
    """
    latest: dict[str, tuple[Rating, Phase]] = {}
    for phase in history.current:
        for rater, rating in _latest(phase).items():
            known = latest.get(rater)
            if known is None or _moment(rating) >= _moment(known[0]):
                latest[rater] = (rating, phase)
    return {rater: _standing(rater, *latest[rater]) for rater in RATERS if rater in latest}


def as_json(standing: dict[str, RaterStanding]) -> dict[str, Any]:
    """Return the timeline's ``standing``: the client's word for the whole, then each rater's."""
    client = standing.get("client")
    return {
        "state": client.state if client else "unknown",
        "words": _words(client) if client else "No rating of the alliance by the client.",
        "raters": {rater: _rater_json(one) for rater, one in standing.items()},
    }


def _latest(phase: Phase) -> dict[str, Rating]:
    """Return each rater's latest rating of the alliance that has a score."""
    found: dict[str, Rating] = {}
    for rating in reversed(phase.ratings):
        if rating.rater not in found and _leading(rating) is not None:
            found[rating.rater] = rating
    return found


def _leading(rating: Rating) -> ScaleScore | None:
    """Return the leading score of a rating of the alliance; None where there is none to judge."""
    instrument = rating.instrument
    if instrument is None or instrument.construct != "alliance" or rating.in_group:
        return None
    leading = rating.score.scales.get(instrument.leading.name)
    return None if leading is None or leading.percent is None else leading


def _moment(rating: Rating) -> tuple[Any, ...]:
    return (rating.occurred_at, rating.fact.source, rating.fact.id)


def _standing(rater: str, latest: Rating, phase: Phase) -> RaterStanding:
    series = list(islice(_series(latest, phase), TREND_MOST))[::-1]
    ratings = tuple(rating for rating, _ in series)
    points = tuple(point for _, point in series)
    percents = [point.percent for point in points if point.percent is not None]
    slope = test = None
    if len(percents) >= TREND_LEAST:
        slope = theil_sen(
            [(one.occurred_at, at) for one, at in zip(ratings, percents, strict=True)]
        )
        test = mann_kendall(percents)
    return RaterStanding(
        rater=rater,
        state=_state(ratings, points, percents, test),
        level=round(median(percents[-LEVEL_OF:]), _DECIMALS),
        slope=slope,
        test=test,
        ratings=ratings,
        points=points,
    )


def _series(latest: Rating, phase: Phase) -> Iterator[tuple[Rating, ScaleScore]]:
    """Yield what can be compared with a rating, the latest first: only the last few are asked."""
    series = latest.series
    for rating in reversed(phase.ratings):
        if rating.rater == latest.rater and rating.series == series:
            leading = _leading(rating)
            if leading is not None:
                yield rating, leading


def _state(
    ratings: Sequence[Rating],
    points: Sequence[ScaleScore],
    percents: Sequence[float],
    test: MannKendall | None,
) -> State:
    """Return the first word that holds: high and falling is worse than low and rising."""
    moved = round(percents[-1] - percents[0], 6)
    if test is not None and test.p_falling <= TREND_P and moved <= -TREND_PERCENT:
        return "falling"
    if len(points) >= LOW_LEAST and _is_low(ratings[-1], points, percents):
        return "low"
    if test is None:
        return "unknown"
    return "rising" if test.p_rising <= TREND_P and moved >= TREND_PERCENT else "steady"


def _is_low(rating: Rating, points: Sequence[ScaleScore], percents: Sequence[float]) -> bool:
    """Return whether the recent level meets the published cut-off, else whether it is under 50."""
    instrument = rating.instrument
    cutoff = instrument.leading.cutoff_for(rating.rater) if instrument else None
    if cutoff is None:
        return median(percents[-LEVEL_OF:]) < LOW_PERCENT
    return meets(cutoff, median(point.value for point in points[-LEVEL_OF:]))


def _rater_json(one: RaterStanding) -> dict[str, Any]:
    latest = one.ratings[-1]
    slope = one.slope
    interval = None if slope is None else [_rounded(slope.low), _rounded(slope.high)]
    return {
        "state": one.state,
        "level": one.level,
        "trend": None if slope is None else _rounded(slope.per_4_weeks),
        "interval": interval,
        "basis": {
            "unit": "percent of the best possible; the trend per 4 weeks, with its 95 % interval",
            "instrument": latest.instrument_key,
            "version": latest.version,
            "scale": latest.instrument.leading.name if latest.instrument else None,
            "ratings": len(one.ratings),
            "from": format_time(one.ratings[0].occurred_at),
            "until": format_time(latest.occurred_at),
            "p_falling": None if one.test is None else round(one.test.p_falling, 4),
            "p_rising": None if one.test is None else round(one.test.p_rising, 4),
            "events": [rating.fact.event for rating in one.ratings],
        },
        "words": _words(one),
    }


def _rounded(value: float) -> float:
    """Return a figure to one decimal, with no minus before zero."""
    return round(value, _DECIMALS) + 0.0


_SAID: Final[dict[State, str]] = {
    "falling": "fell",
    "low": "are low",
    "steady": "show no trend",
    "rising": "rose",
    "unknown": "are too few for a trend",
}


def _words(one: RaterStanding) -> str:
    """Return the standing as one sentence or two, with its numbers, blaming nobody."""
    latest = one.ratings[-1]
    name = latest.instrument.title if latest.instrument else latest.instrument_key
    n = len(one.ratings)
    count = "The one rating" if n == 1 else f"The last {n} ratings"
    said = _SAID[one.state]
    if n == 1:
        said = said.replace("are", "is")
    text = f"{count} by the {RATERS[one.rater]} ({name}) {said}: recent level {one.level:g} of 100"
    if one.slope is None:
        return f"{text}."
    slope, low, high = map(_rounded, (one.slope.per_4_weeks, one.slope.low, one.slope.high))
    return f"{text}, {slope:+g} points per 4 weeks (95 % interval {low:+g} to {high:+g})."

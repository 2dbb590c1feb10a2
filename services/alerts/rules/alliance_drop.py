"""One alliance rating lies well below the client's own recent level."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from services.alerts.episodes import Moment, cleared_after, verdict
from services.alerts.example import Example, rated
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.drops import Needed, drop_at, needed, worse_by
from shared.alliance.history import Phase
from shared.alliance.series import Series, client_series
from shared.alliance.wording import figure

FROM_ONE_TO_THE_NEXT: Final[Mapping[str, float]] = {"srs-3": 1.0}
"""Points from one rating to the next that are worth a question, even above 36 (OpenFIT)."""


class AllianceDrop:
    """Tell when one alliance rating fell well below the client's recent level.

    Attention when it lies below the median of the three ratings before by at least the
    instrument's reliable change, or, where none is published, by 3 σ̂ of the client's own
    first five ratings and a tenth of the scale: who rates evenly would else be told of at
    every wobble. On the SRS a fall of one point from one rating to the next is information for
    the therapist's next session, and nobody else's: it lies within the noise of a single
    rating. Clears by two ratings in a row without it. The counts are own, not validated.
    """

    name: str = "alliance-drop"
    version: int = 2
    family: Family = "trust"
    title: str = "One alliance rating by the client fell"
    needs: frozenset[str] = frozenset({"ratings"})
    reads: frozenset[str] = frozenset({"rating.given", "care.transferred", "care.ended"})
    tell: Mapping[Urgency, tuple[Audience, ...]] = {
        "information": ("therapist",),
        "attention": ("supervisor", "leadership"),
    }
    next_steps: tuple[str, ...] = (
        "Begin the next session with it: what was different, and what would have helped?",
        "Thank the client for the frank answer; a form that may be honest is worth more.",
        "Take it to supervision where the next rating does not come back.",
    )
    defaults: Mapping[str, Any] = {"sigmas": 3.0, "fall_percent": 10}
    always_news: bool = False
    example: Example = (
        rated(0, 37), rated(7, 36.5), rated(14, 37.5), rated(21, 37), rated(28, 36.8),
        rated(35, 30), rated(42, 36.5), rated(49, 37),
    )  # fmt: skip

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge each of the client's series at every rating."""
        chosen = {**self.defaults, **settings}
        moments = [
            moment
            for series in client_series(phase, "alliance")
            for moment in cleared_after(
                2,
                series.name,
                _each(series, needed(series, chosen["sigmas"], chosen["fall_percent"])),
            )
        ]
        return verdict(self, phase, moments, until)


def _each(series: Series, counts: Needed | None) -> Iterator[tuple[datetime, Moment | None]]:
    for at in range(1, len(series.points)):
        yield series.points[at].at, _dropped(series, at, counts) or _fell(series, at)


def _dropped(series: Series, at: int, counts: Needed | None) -> Moment | None:
    drop = drop_at(series, at, counts)
    if drop is None or counts is None:
        return None
    last = series.points[at]
    return Moment(
        last.at,
        series.name,
        urgency="attention",
        evidence=tuple(point.rating.fact for point in (*drop.recent, last)),
        explanation=f"The latest alliance rating ({last.rating.instrument_key}) is "
        f"{figure(last.value)}; the median of the {len(drop.recent)} before is "
        f"{figure(drop.level)}: a fall of {figure(drop.fell)}, at least {counts.because} "
        f"({figure(counts.fall)}).",
        numbers={
            "value": last.value,
            "level": drop.level,
            "fell": drop.fell,
            "needed": round(counts.fall, 4),
        },
    )


def _fell(series: Series, at: int) -> Moment | None:
    before, last = series.points[at - 1 : at + 1]
    least = FROM_ONE_TO_THE_NEXT.get(last.rating.instrument_key)
    fell = worse_by(series, before.value, last.value)
    if least is None or fell < least:
        return None
    return Moment(
        last.at,
        series.name,
        urgency="information",
        evidence=(before.rating.fact, last.rating.fact),
        explanation=f"The latest alliance rating ({last.rating.instrument_key}) is "
        f"{figure(last.value)}, the one before {figure(before.value)}: a fall of {figure(fell)}.",
        numbers={"value": last.value, "before": before.value, "fell": fell},
    )

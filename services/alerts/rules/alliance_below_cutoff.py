"""The client's own alliance ratings lie below the published cut-off."""

from bisect import insort
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from statistics import median
from typing import Any

from services.alerts.episodes import Moment, cleared_after, verdict
from services.alerts.example import Example, rated
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.change import RECENT, meets
from shared.alliance.drops import worse_by
from shared.alliance.history import Phase
from shared.alliance.series import Point, Series, client_series
from shared.alliance.wording import figure
from shared.instrument import Cutoff


class AllianceBelowCutoff:
    """Tell when the client rated the alliance below the published cut-off.

    One such rating is information for the therapist. Attention when it happens in two of the
    last three *and* the client's own usual level is higher, or when it came with a drop of at
    least the instrument's reliable change: who always rates low is not a decline. Clears by
    two ratings in a row that are not below. The cut-off is the instrument's; the counts are
    own, not validated.
    """

    name: str = "alliance-below-cutoff"
    version: int = 2
    family: Family = "trust"
    title: str = "The client rated the alliance below the cut-off"
    needs: frozenset[str] = frozenset({"ratings"})
    reads: frozenset[str] = frozenset({"rating.given", "care.transferred", "care.ended"})
    tell: Mapping[Urgency, tuple[Audience, ...]] = {
        "information": ("therapist",),
        "attention": ("supervisor", "leadership"),
    }
    next_steps: tuple[str, ...] = (
        "Open the next session with it: ask what was missing, and thank the client for saying so.",
        "Look at which of the scales is lowest: relationship, goals and topics, or approach.",
        "Take it to supervision as a question about the work, not about the person.",
    )
    defaults: Mapping[str, Any] = {"window_ratings": 3, "below_ratings": 2}
    always_news: bool = False
    example: Example = (
        rated(0, 38), rated(7, 37.5), rated(14, 35.2), rated(21, 34), rated(28, 36.5),
        rated(35, 38),
    )  # fmt: skip

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge each of the client's series at every rating."""
        chosen = {**self.defaults, **settings}
        moments = [
            moment
            for series in client_series(phase, "alliance")
            if (cutoff := series.scale.cutoff_for("client")) is not None
            for moment in cleared_after(2, series.name, _each(series, cutoff, chosen))
        ]
        return verdict(self, phase, moments, until)


def _each(
    series: Series, cutoff: Cutoff, chosen: Mapping[str, Any]
) -> Iterator[tuple[datetime, Moment | None]]:
    # Kept in order: sorting them anew for each median is most of the work on a long life.
    values: list[float] = []
    for at, point in enumerate(series.points):
        below = meets(cutoff, point.value)
        before = median(values) if below and values else None
        yield point.at, _below(series, cutoff, at, before, chosen) if below else None
        insort(values, point.value)


def _below(
    series: Series,
    cutoff: Cutoff,
    at: int,
    before: float | None,
    chosen: Mapping[str, Any],
) -> Moment:
    """Return the moment of a rating below the cut-off.

    Args:
        series: The ratings.
        cutoff: The instrument's.
        at: Which of them.
        before: Median of the ratings before it; None for the first of them.
        chosen: The rule's settings.
    """
    points = series.points[: at + 1]
    last = points[-1]
    window = points[-chosen["window_ratings"] :]
    below = [point for point in window if meets(cutoff, point.value)]
    sustained = len(below) >= chosen["below_ratings"]
    lower = before is not None and worse_by(series, before, last.value) > 0
    dropped = _dropped(series, points)
    urgency: Urgency = "attention" if (sustained and lower) or dropped else "information"
    are = "is" if len(below) == 1 else "are"
    many = f"{len(below)} of the last {len(window)} alliance ratings {are} below the cut-off"
    among = f" ({many})" if len(window) > 1 else ""
    named = last.rating.instrument_key
    return Moment(
        last.at,
        series.name,
        urgency=urgency,
        evidence=tuple(point.rating.fact for point in below),
        title=f"{many}, and below the client's usual level" if sustained and lower else "",
        explanation=f"The client's latest alliance rating ({named}) is {figure(last.value)}; the "
        f"cut-off is {figure(cutoff.value)}"
        + f"{among}."
        + ("" if before is None else f" The median of the ratings before is {figure(before)}."),
        numbers={
            "value": last.value,
            "cutoff": cutoff.value,
            "below": len(below),
            "ratings": len(window),
            "usual": before,
        },
    )


def _dropped(series: Series, points: Sequence[Point]) -> bool:
    """Return whether the last rating fell by a reliable change from the recent level."""
    *earlier, last = points
    change = series.scale.reliable_change
    if change is None or not earlier:
        return False
    level = median(point.value for point in earlier[-RECENT:])
    return worse_by(series, level, last.value) >= change.value

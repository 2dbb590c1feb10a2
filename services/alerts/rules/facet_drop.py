"""Trust, safety or respect rated clearly lower than before."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from statistics import median
from typing import Any, Final

from services.alerts.episodes import Moment, cleared_after, verdict
from services.alerts.example import Example, related
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.change import RECENT
from shared.alliance.history import Phase
from shared.alliance.things import Rating
from shared.alliance.wording import figure, listed

WATCHED: Final = ("trust", "safety", "respect")
"""The facets whose fall is told of (domain.md section 5)."""

_Rated = tuple[Rating, float]


class FacetDrop:
    """Tell when the client rated trust, safety or respect a fifth of the scale lower than before.

    On any scale that speaks to one of them, in percent of the best possible: at least 20 points
    below the median of the three ratings before, of one instrument, version and language. Where
    a scale speaks to several of them, all are named. Clears by two ratings in a row without it.
    The figures are own, not validated.
    """

    name: str = "facet-drop"
    version: int = 1
    family: Family = "trust"
    title: str = "The client rated trust, safety or respect lower than before"
    needs: frozenset[str] = frozenset({"ratings"})
    reads: frozenset[str] = frozenset({"rating.given", "care.transferred", "care.ended"})
    tell: Mapping[Urgency, tuple[Audience, ...]] = {"attention": ("therapist", "supervisor")}
    next_steps: tuple[str, ...] = (
        "Ask the client openly how safe and respected they feel here, and listen to the answer.",
        "Look at what happened in the session before: was there a misunderstanding, a hurt?",
        "Where the client does not want to say it to the therapist, offer somebody else.",
    )
    defaults: Mapping[str, Any] = {"fall_points": 20}
    always_news: bool = False
    example: Example = (
        related(0, 9), related(7, 8.8),
        related(14, 9.2), related(21, 6.5),
        related(28, 8.5), related(35, 9),
    )  # fmt: skip

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge each scale that speaks to one of them at every rating."""
        chosen = {**self.defaults, **settings}
        moments = [
            moment
            for (name, facets), rated in _series(phase).items()
            for moment in cleared_after(2, name, _each(name, facets, rated, chosen["fall_points"]))
        ]
        return verdict(self, phase, moments, until)


def _series(phase: Phase) -> dict[tuple[str, tuple[str, ...]], list[_Rated]]:
    """Return the client's ratings on each scale that speaks to a watched facet."""
    found: dict[tuple[str, tuple[str, ...]], list[_Rated]] = {}
    for rating in phase.ratings:
        if rating.instrument is None or rating.rater != "client" or rating.in_group:
            continue
        for scale, speaks_to in rating.instrument.facets.items():
            facets = tuple(facet for facet in WATCHED if facet in speaks_to)
            score = rating.score.scales.get(scale)
            if facets and score is not None and score.percent is not None:
                name = "|".join(map(str, (*rating.series, scale)))
                found.setdefault((name, facets), []).append((rating, score.percent))
    for rated in found.values():
        rated.sort(key=lambda one: one[0].occurred_at)
    return found


def _each(
    name: str, facets: tuple[str, ...], rated: Sequence[_Rated], fall_points: float
) -> Iterator[tuple[datetime, Moment | None]]:
    for at in range(RECENT, len(rated)):
        recent, (rating, percent) = rated[at - RECENT : at], rated[at]
        level = median(before for _, before in recent)
        fell = round(level - percent, 6)
        yield (
            rating.occurred_at,
            None if fell < fall_points else _dropped(name, facets, (*recent, rated[at]), level),
        )


def _dropped(name: str, facets: tuple[str, ...], rated: Sequence[_Rated], level: float) -> Moment:
    last, percent = rated[-1]
    named = listed(facets)
    return Moment(
        last.occurred_at,
        name,
        urgency="attention",
        evidence=tuple(rating.fact for rating, _ in rated),
        title=f"The client rated {named} lower than before",
        explanation=f"The latest rating that speaks to {named} is {figure(percent, 1)} % "
        f"of the best possible; the median of the {RECENT} before is {figure(level, 1)} %.",
        numbers={"percent": round(percent, 2), "level": round(level, 2)},
    )

"""The therapist rates the alliance much higher than the client, session after session."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from services.alerts.episodes import Moment, verdict
from services.alerts.example import Example, measured
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.history import Phase, Rating
from shared.alliance.wording import figure
from shared.values import frozen


@frozen
class _Pair:
    """What client and therapist said of one session, in percent of the best possible."""

    client: Rating
    therapist: Rating
    low: float
    high: float

    @property
    def at(self) -> datetime:
        return max(self.client.occurred_at, self.therapist.occurred_at)


DECIMALS: Final = 5
"""Percents are kept to one decimal more: 86.666667 − 66.666667 is 20."""


class RaterDivergence:
    """Tell when the therapist rated the alliance much higher than the client three times running.

    Of the same session, on the two forms of one instrument, in percent of the best possible:
    therapist at least 20 points above a client who is below 70. That people differ is ordinary,
    and no fault (Atzil-Slonim et al. 2015); what matters is high and low, sustained. Clears by
    two sessions in a row without it. The thresholds are own, not validated.
    """

    name: str = "rater-divergence"
    version: int = 2
    family: Family = "trust"
    title: str = "Therapist and client see the alliance differently"
    needs: frozenset[str] = frozenset({"ratings"})
    reads: frozenset[str] = frozenset({"rating.given", "care.transferred", "care.ended"})
    tell: Mapping[Urgency, tuple[Audience, ...]] = {"attention": ("therapist", "supervisor")}
    next_steps: tuple[str, ...] = (
        "Put both ratings beside each other in supervision: what might the client see?",
        "Ask the client what a session would be like that deserved one point more.",
    )
    defaults: Mapping[str, Any] = {"percent_apart": 20, "client_below_percent": 70, "times": 3}
    always_news: bool = False
    example: Example = (
        measured(0, 38, "client", "wai-sr"), measured(0, 54, "therapist", "wai-sr-t"),
        measured(7, 36, "client", "wai-sr"), measured(7, 55, "therapist", "wai-sr-t"),
        measured(14, 37, "client", "wai-sr"), measured(14, 54, "therapist", "wai-sr-t"),
    )  # fmt: skip

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge each instrument at every session that both have rated."""
        chosen = {**self.defaults, **settings}
        pairs: dict[str, list[_Pair]] = {}
        for name, pair in _pairs(phase):
            pairs.setdefault(name, []).append(pair)
        moments = [
            moment
            for name, found in pairs.items()
            for moment in _moments(name, sorted(found, key=lambda pair: pair.at), chosen)
        ]
        return verdict(self, phase, moments, until)


def _pairs(phase: Phase) -> Iterator[tuple[str, _Pair]]:
    """Yield the sessions that both rated on the forms of one instrument, with its name."""
    clients: dict[tuple[str, str], Rating] = {}
    therapists: dict[tuple[str, str], Rating] = {}
    for rating in phase.ratings:
        if rating.session is None or rating.in_group or rating.instrument is None:
            continue
        if rating.instrument.construct == "alliance" and rating.rater in ("client", "therapist"):
            sides = clients if rating.rater == "client" else therapists
            sides[rating.instrument_key.removesuffix("-t"), rating.session] = rating
    for place, client in clients.items():
        therapist = therapists.get(place)
        low, high = _percent(client), _percent(therapist)
        if therapist is not None and low is not None and high is not None:
            yield place[0], _Pair(client, therapist, low, high)


def _percent(rating: Rating | None) -> float | None:
    if rating is None or rating.instrument is None:
        return None
    score = rating.score.scales.get(rating.instrument.leading.name)
    return None if score is None else score.percent


def _moments(name: str, pairs: list[_Pair], chosen: Mapping[str, Any]) -> Iterator[Moment]:
    running: list[_Pair] = []
    without = 0
    for pair in pairs:
        apart = round(pair.high - pair.low, DECIMALS) >= chosen["percent_apart"]
        if not apart or pair.low >= chosen["client_below_percent"]:
            running, without = [], without + 1
            if without == 2:
                yield Moment(pair.at, name, urgency=None)
            continue
        running, without = [*running, pair], 0
        if len(running) < chosen["times"]:
            continue
        last = running[-chosen["times"] :]
        yield Moment(
            pair.at,
            name,
            urgency="attention",
            evidence=tuple(one.fact for both in last for one in (both.client, both.therapist)),
            explanation="Of the same sessions, in percent of the best possible: the therapist's "
            f"last ratings are {_percents(one.high for one in last)}, the client's "
            f"{_percents(one.low for one in last)}.",
            numbers={
                "sessions": len(last),
                "therapist_percent": [round(one.high, 2) for one in last],
                "client_percent": [round(one.low, 2) for one in last],
            },
        )


def _percents(values: Iterator[float]) -> str:
    return ", ".join(figure(value, 0) for value in values)

"""A risk item of a questionnaire was answered above zero."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from services.alerts.episodes import Moment, verdict
from services.alerts.example import Example, answered
from services.alerts.rule import Audience, Family, Urgency, Verdict
from shared.alliance.history import Phase, Rating
from shared.alliance.wording import figure, listed


class RiskItem:
    """Tell when a risk item is answered above zero.

    1 is information, 2 attention, 3 or more urgent, as is a rise of 2 from the answer before.
    From 2 on, a higher answer than before, and one not seen since the last 0, tells again,
    whoever acknowledged or snoozed. Clears by a 0. The steps are own, not validated, and made
    for PHQ-9 item 9: in one study 41 % of 841 people answered above 0, and 29 % of those were
    confirmed (Na 2018), so that telling every 1 would flood. Rapport is not a crisis service.
    """

    name: str = "risk-item"
    version: int = 2
    family: Family = "outcome"
    title: str = "A risk item was answered above zero"
    needs: frozenset[str] = frozenset({"ratings"})
    reads: frozenset[str] = frozenset({"rating.given"})
    tell: Mapping[Urgency, tuple[Audience, ...]] = {
        "information": ("therapist", "supervisor"),
        "attention": ("therapist", "supervisor"),
        "urgent": ("therapist", "supervisor"),
    }
    next_steps: tuple[str, ...] = (
        "Speak with the client about it, in person or by telephone: an answer on a form is a "
        "question, not a finding.",
        "Where the item asks about risk to others, think first of who could be at risk, and bring "
        "in whoever is responsible for safeguarding.",
        "Follow the clinic's own procedure for risk, and record what was agreed.",
        "Rapport is not a crisis service: nobody is watching this answer but you.",
    )
    defaults: Mapping[str, Any] = {
        "information_value": 1,
        "attention_value": 2,
        "urgent_value": 3,
        "urgent_rise": 2,
    }
    always_news: bool = True
    example: Example = (answered(0, "9", 0), answered(14, "9", 1), answered(28, "9", 3),
                        answered(42, "9", 0))  # fmt: skip

    def judge(self, phase: Phase, settings: Mapping[str, Any], until: datetime) -> Verdict:
        """Judge each risk item at every answer that was seen."""
        chosen = {**self.defaults, **settings}
        answers: dict[tuple[str, str], list[tuple[Rating, float]]] = {}
        for rating in sorted(phase.ratings, key=lambda one: one.occurred_at):
            for item, value in rating.score.risk.items():
                place = ("|".join(str(part) for part in rating.series), item)
                answers.setdefault(place, []).append((rating, value))
        moments = [
            moment
            # In the order of the first answers: a series may hold an opaque id, which decides
            # nothing, and differs between installations.
            for (series, item), seen in answers.items()
            for moment in _moments(f"{series}|{item}", item, seen, chosen)
        ]
        # Of one form the highest answer is told last, and what cleared ends nothing before.
        moments.sort(key=lambda one: (one.at, one.numbers.get("value", math.inf)))
        return verdict(self, phase, moments, until, ends_with_phase=False)


def _moments(
    about: str, item: str, seen: list[tuple[Rating, float]], chosen: Mapping[str, Any]
) -> Iterator[Moment]:
    before: Rating | None = None
    value_before: float | None = None
    told: Counter[float] = Counter()
    for rating, value in seen:
        urgency = _urgency(value, value_before, chosen)
        if value == 0:
            told.clear()
            yield Moment(rating.occurred_at, about, urgency=None)
        elif urgency is not None and (
            value not in told or (value_before is not None and value > value_before)
        ):
            told[value] += 1
            times = f"#{told[value]}" if told[value] > 1 else ""
            name = f"{rating.instrument_key}.{item}:{figure(value)}{times}"
            facts = (rating.fact,) if before is None else (before.fact, rating.fact)
            yield Moment(
                rating.occurred_at,
                about,
                urgency=urgency,
                evidence=facts,
                title=f"A risk item was answered with {figure(value)}",
                explanation=_explanation(rating, item, value, value_before),
                numbers={"item": item, "value": value, "before": value_before},
                again="" if urgency == "information" else name,
            )
        before, value_before = rating, value


def _urgency(value: float, before: float | None, chosen: Mapping[str, Any]) -> Urgency | None:
    rise = 0.0 if before is None else value - before
    if value >= chosen["urgent_value"] or rise >= chosen["urgent_rise"]:
        return "urgent"
    if value >= chosen["attention_value"]:
        return "attention"
    return "information" if value >= chosen["information_value"] else None


def _explanation(rating: Rating, item: str, value: float, before: float | None) -> str:
    asked = rating.instrument.items[item] if rating.instrument else None
    highest = asked.maximum if asked else value
    earlier = " It was not seen before." if before is None else f" Before: {figure(before)}."
    return (
        f"Item {item} of {rating.instrument_key}{_about(rating, item)} was answered with "
        f"{figure(value)} of {figure(highest)}.{earlier}{_beside(rating, item)}"
    )


def _about(rating: Rating, item: str) -> str:
    asked = rating.instrument.items[item] if rating.instrument else None
    return ", about risk to others," if asked and asked.risk == "others" else ""


def _beside(rating: Rating, item: str) -> str:
    """Return the other risk items of the same form that were answered above zero.

    One step of several that came at once is told: whoever reads it learns of all of them.
    """
    others = [
        f"item {one}{_about(rating, one)} with {figure(value)}"
        for one, value in sorted(rating.score.risk.items(), key=lambda pair: int(pair[0]))
        if one != item and value > 0
    ]
    return f" In the same form: {listed(others)}." if others else ""

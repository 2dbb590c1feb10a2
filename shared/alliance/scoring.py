"""From a rating's answers to its scores, exactly by the version of the instrument it carries."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from shared.errors import Fault
from shared.instrument import Instrument, Scale
from shared.values import frozen

DECIMALS = 6
"""Scores are rounded here, so that 9.1 + 8.9 + 9.0 + 9.0 is 36 and not just below the cut-off."""

ROUNDING = 0.05
"""How far a sender's own score may differ: it may have been rounded to one decimal (own)."""


@frozen
class ScaleScore:
    """A score in the scale's own units, and as percent of the maximum possible.

    Attributes:
        value: In the scale's own units.
        percent: 0–100; 100 is the best possible, whichever way the scale runs; None for a
            descriptive scale.
    """

    value: float
    percent: float | None


@frozen
class Score:
    """What one rating scores.

    Attributes:
        scales: By scale name; the leading one first; empty when unscored.
        unscored_because: ``too_many_missing``, ``no_survey``, ``unknown_instrument``, or None.
        risk: Answer of each risk item that was seen, by item number.
        risk_items: Whether the risk items were ``seen`` (all of them); None where the instrument
            has none.
    """

    scales: Mapping[str, ScaleScore]
    unscored_because: str | None
    risk: Mapping[str, float]
    risk_items: Literal["seen", "not_seen"] | None


def score(instrument: Instrument | None, data: Mapping[str, Any]) -> Score:
    """Return what a rating scores; nothing is ever guessed.

    Answers decide where any was sent, else scales by name, else a lone total: a total that comes
    with half of the answers may be the sum of that half. A partial rating has a score only where
    the missing rule gives one; its risk items are read in any case. A null is no answer, never 0.

    Args:
        instrument: The version that the rating carries; None when it is unknown here.
        data: The fields of ``rating.given``: ``items``, ``scales``, ``total``, ``scored_as``.
    """
    if instrument is None:
        return Score({}, "unknown_instrument", {}, None)
    answers = _answers(instrument, data)
    risk = {number: answers[number] for number in instrument.risk_items if number in answers}
    seen: Literal["seen", "not_seen"] | None = None
    if instrument.risk_items:
        seen = "seen" if len(risk) == len(instrument.risk_items) else "not_seen"
    named = {} if answers else _named(instrument, data)
    values = _from_items(instrument, answers) if answers else _from_names(instrument, named)
    if not values:
        because = "too_many_missing" if answers or named else "no_survey"
        return Score({}, because, risk, seen)
    scales = {}
    for scale in instrument.scales:
        name = scale.name
        if name in values:
            scales[name] = ScaleScore(values[name], _percent(scale, values[name]))
    return Score(scales, None, risk, seen)


def check(instrument: Instrument, data: Mapping[str, Any]) -> list[Fault]:
    """Return what is wrong with a rating's answers and scores, by the instrument that it names.

    The shape of ``data`` has been validated before. Pointers are relative to ``data``.
    """
    faults = [
        *_faults_of_parts(instrument, data),
        *_faults_of_items(instrument, data),
        *_faults_of_form(instrument, data),
        *_faults_of_scales(instrument, data),
    ]
    return faults or list(_disagreements(instrument, data))


def _answers(instrument: Instrument, data: Mapping[str, Any]) -> dict[str, float]:
    """Return the answers that were given, turned round where the item is reversed.

    None where the instrument takes none: its map of items is not ours, or not yet checked.
    """
    sent = data.get("items")
    if not sent or "items" not in instrument.accepts:
        return {}
    items = instrument.items
    answers = {n: answer for n, answer in sent.items() if answer is not None and n in items}
    for number in instrument.reversed_items:
        if number in answers:
            item = items[number]
            answers[number] = item.minimum + item.maximum - answers[number]
    return answers


def _named(instrument: Instrument, data: Mapping[str, Any]) -> dict[str, float]:
    """Return the scores that were sent by name, in the form that scores are kept in."""
    sent = {
        n: float(value) for n, value in (data.get("scales") or {}).items() if value is not None
    }
    if data.get("total") is not None:
        sent[instrument.leading.name] = float(data["total"])
    return {
        scale.name: round(sent[scale.name] * _times(instrument, scale, data), DECIMALS)
        for scale in instrument.scales
        if scale.name in sent
    }


def _from_items(instrument: Instrument, answers: Mapping[str, float]) -> dict[str, float]:
    complete = len(answers) == len(instrument.items)
    if instrument.complete_only and not complete:
        return {}
    values: dict[str, float] = {}
    for scale in instrument.scales:
        if scale.parts:
            continue
        numbers = scale.items if complete else [one for one in scale.items if one in answers]
        total, missing = sum(map(answers.__getitem__, numbers)), len(scale.items) - len(numbers)
        if missing <= scale.max_missing:
            mean = total / len(numbers)
            if missing and scale.rounds_missing:
                mean = (total + missing * math.floor(mean + 0.5)) / len(scale.items)
            values[scale.name] = mean * scale.factor
    # Rounded only now: three scales of 5.333333 each would not add up to 16.
    values.update(_from_parts(instrument, values))
    return {name: _rounded(value) for name, value in values.items()}


def _from_names(instrument: Instrument, named: Mapping[str, float]) -> dict[str, float]:
    leading = instrument.leading
    values = {**_from_parts(instrument, named), **named}
    if instrument.complete_only and not set(leading.parts) <= named.keys():
        return {leading.name: values[leading.name]} if set(values) == {leading.name} else {}
    return values


def _from_parts(instrument: Instrument, values: Mapping[str, float]) -> dict[str, float]:
    """Return the scales that are sums or means of others, where all of those have a value."""
    wholes: dict[str, float] = {}
    for scale in instrument.scales:
        if scale.parts:
            parts = [values[part] for part in scale.parts if part in values]
            if len(parts) == len(scale.parts):
                whole = sum(parts) / (1 if scale.compute == "sum" else len(parts))
                wholes[scale.name] = _rounded(whole)
    return wholes


def _percent(scale: Scale, value: float) -> float | None:
    if scale.direction == "descriptive":
        return None
    above = (value - scale.minimum) / (scale.maximum - scale.minimum) * 100
    return _rounded(above if scale.direction == "higher" else 100 - above)


def _rounded(score: float) -> float:
    """Return a score to so many decimals; most have one at most, and rounding is dear."""
    tenths = score * 10.0
    return score if tenths.is_integer() and tenths / 10.0 == score else round(score, DECIMALS)


def _faults_of_parts(instrument: Instrument, data: Mapping[str, Any]) -> Iterator[Fault]:
    for part in ("items", "scales", "total"):
        if data.get(part) is not None and part not in instrument.accepts:
            message = "this instrument is not sent in this form"
            yield Fault(f"/{part}", message, "not_accepted", instrument.accepts)


def _faults_of_items(instrument: Instrument, data: Mapping[str, Any]) -> Iterator[Fault]:
    for number, answer in (data.get("items") or {}).items():
        item = instrument.items.get(number)
        if item is None:
            message = "the instrument has no such item"
            yield Fault(_at(number), message, "unknown_item", tuple(instrument.items))
        elif answer is not None and not item.minimum <= answer <= item.maximum:
            message = f"an answer lies between {item.minimum:g} and {item.maximum:g}"
            yield Fault(_at(number), message, "out_of_range")
        elif answer is not None and not _on_step(answer - item.minimum, item.step):
            yield Fault(_at(number), f"answers go in steps of {item.step:g}", "not_a_step")


def _at(number: str) -> str:
    return f"/items/{_escaped(number)}"


def _faults_of_form(instrument: Instrument, data: Mapping[str, Any]) -> Iterator[Fault]:
    scored_as = data.get("scored_as")
    if scored_as is None and _has_scores(data) and len(instrument.forms) > 1:
        message = "say whether scales and total are sums or means: this instrument has both"
        yield Fault("/scored_as", message, "required", instrument.forms)
    elif scored_as is not None and scored_as not in instrument.forms:
        message = "this instrument is not scored so"
        yield Fault("/scored_as", message, "not_allowed", instrument.forms)


def _has_scores(data: Mapping[str, Any]) -> bool:
    return data.get("scales") is not None or data.get("total") is not None


def _faults_of_scales(instrument: Instrument, data: Mapping[str, Any]) -> Iterator[Fault]:
    if not _has_scores(data):
        return
    by_name = {scale.name: scale for scale in instrument.scales}
    sent = [(f"/scales/{_escaped(name)}", by_name.get(name), value)
            for name, value in (data.get("scales") or {}).items()]  # fmt: skip
    if data.get("total") is not None:
        sent.append(("/total", instrument.leading, data["total"]))
    for pointer, scale, value in sent:
        if scale is None:
            message = "the instrument has no such scale"
            yield Fault(pointer, message, "unknown_scale", tuple(by_name))
        elif value is not None:
            times = _times(instrument, scale, data)
            if not scale.minimum <= round(value * times, DECIMALS) <= scale.maximum:
                low, high = scale.minimum / times, scale.maximum / times
                message = f"a score lies between {low:g} and {high:g}"
                yield Fault(pointer, message, "out_of_range")


_ANOTHER = "the answers give another score: leave it out"
_TURNED = (
    "the answers to reversed items seem to be turned round already: send what was answered, it is"
    " turned here"
)


def _disagreements(instrument: Instrument, data: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield a fault for each score that the answers, or the scales that it is made of, belie."""
    if not _has_scores(data):
        return
    answers = _answers(instrument, data)
    named = _named(instrument, data)
    wholes = _from_parts(instrument, named)
    by_name = data.get("scales") or {}
    total = data.get("total")
    for scale in instrument.scales:
        if scale.name not in named:
            continue
        value, slack = named[scale.name], ROUNDING * _times(instrument, scale, data)
        is_total = scale is instrument.leading and total is not None
        pointer = "/total" if is_total else f"/scales/{_escaped(scale.name)}"
        if answers and not _possible(instrument, scale, answers, value, slack):
            as_sent = {number: data["items"][number] for number in answers}
            turned = _possible(instrument, scale, as_sent, value, slack)
            yield Fault(pointer, _TURNED if turned else _ANOTHER, "disagree")
        elif abs(wholes.get(scale.name, value) - value) > slack * max(1, len(scale.parts)):
            yield Fault(pointer, "its scales add up to another score", "disagree")
        elif is_total and by_name.get(scale.name, total) != total:
            yield Fault(pointer, "the same score was sent twice, and differs", "disagree")


def _possible(
    instrument: Instrument,
    scale: Scale,
    answers: Mapping[str, float],
    value: float,
    slack: float,
) -> bool:
    """Return whether the complete form can have this score, given the answers that were seen."""
    items = [instrument.items[number] for number in scale.items]
    times = scale.factor / len(items)
    low = times * sum(answers.get(item.number, item.minimum) for item in items)
    high = times * sum(answers.get(item.number, item.maximum) for item in items)
    return low - slack <= value <= high + slack


def _times(instrument: Instrument, scale: Scale, data: Mapping[str, Any]) -> float:
    """Return how many of our points one of the sender's is: a mean is so many sums, or less."""
    kept = instrument.forms[0]
    if data.get("scored_as") in (None, kept):
        return 1
    return scale.size if kept == "sum" else 1 / scale.size


def _on_step(distance: float, step: float) -> bool:
    steps = distance / step
    return abs(steps - round(steps)) < 1e-6


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")

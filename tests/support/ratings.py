"""Builders of rating data: answers, and the fields around them."""

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from shared.instrument import Instrument


def answers(instrument: Instrument, value: float, **others: float | None) -> dict[str, Any]:
    """Return ``items`` with one answer everywhere, but others where ``_<number>`` says so."""
    given: dict[str, float | None] = dict.fromkeys(instrument.items, value)
    given |= {number.removeprefix("_"): answer for number, answer in others.items()}
    return {"items": given}


def without(instrument: Instrument, value: float, *missing: int) -> dict[str, Any]:
    """Return ``items`` with one answer everywhere, and the numbers in ``missing`` left out."""
    left_out = {str(number) for number in missing}
    return {"items": {n: value for n in instrument.items if n not in left_out}}


def many(instrument: Instrument, seed: int = 3, count: int = 200) -> Iterator[Mapping[str, Any]]:
    """Yield the same varied ratings every time: complete, partial, empty, totals, scales."""
    random = Random(seed)
    for _ in range(count):
        kept = random.choice((1.0, 1.0, 0.95, 0.8, 0.3, 0.0))
        yield {
            "items": {
                item.number: item.minimum
                + random.randrange(round((item.maximum - item.minimum) / item.step) + 1)
                * item.step
                for item in instrument.items.values()
                if random.random() < kept
            }
        }
    scale = instrument.leading
    for fraction in (0.0, 0.1, 0.5, 1.0):
        yield {"total": scale.minimum + fraction * (scale.maximum - scale.minimum)}
        for form in instrument.forms:
            kept = form == instrument.forms[0]
            yield {
                "scored_as": form,
                "scales": {
                    s.name: (s.minimum + fraction * (s.maximum - s.minimum))
                    / (1 if kept else s.size if form == "mean" else 1 / s.size)
                    for s in instrument.scales[1:]
                },
            }

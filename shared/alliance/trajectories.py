"""How far the client's own ratings have come since the first of them. Pure.

What the alliance predicts is where the client comes to: the change since the first score stands
beside it, against the noise of measurement (Jacobson and Truax 1991).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from shared.alliance.change import reliable_difference
from shared.alliance.scoring import ScaleScore
from shared.alliance.things import Phase, Rating
from shared.alliance.wording import rounded
from shared.clock import format_time


def since_the_first(
    phases: Iterable[Phase], construct: Literal["alliance", "outcome"]
) -> list[dict[str, Any]]:
    """Return the first and the latest score of each series of a construct, the latest series last.

    A series crosses neither a phase nor a version, respondent or language; one score is none.

    Args:
        phases: Of one client.
        construct: What the instruments are about.
    """
    found: dict[tuple[Any, ...], list[Rating]] = defaultdict(list)
    for at, phase in enumerate(phases):
        for rating in phase.ratings:
            instrument = rating.instrument
            if (
                instrument is not None
                and instrument.construct == construct
                and rating.rater == "client"
                and not rating.in_group
                and rating.score.scales.get(instrument.leading.name) is not None
            ):
                found[at, *rating.series].append(rating)
    several = [ratings for ratings in found.values() if len(ratings) > 1]
    return [_said(ratings) for ratings in sorted(several, key=_place)]


def _place(ratings: Sequence[Rating]) -> tuple[Any, ...]:
    fact = ratings[-1].fact
    return (fact.occurred_at, fact.source, fact.id)


def _said(ratings: Sequence[Rating]) -> dict[str, Any]:
    first, latest = ratings[0], ratings[-1]
    instrument = latest.instrument
    if instrument is None:
        raise TypeError("an unknown instrument has no leading scale")
    scale = instrument.leading
    was, is_now = (one.score.scales[scale.name] for one in (first, latest))
    found = reliable_difference(scale, was.value, is_now.value)
    return {
        "instrument": latest.instrument_key,
        "version": latest.version,
        "validated": instrument.validated,
        "scale": scale.name,
        "ratings": len(ratings),
        "first": _point(first, was),
        "latest": _point(latest, is_now),
        # Not analysable where no reliable change is published.
        "change": None if found is None else {
            "better_by": found.better_by,
            "needed": rounded(found.needed, 4),
            "category": found.category,
        },
    }  # fmt: skip


def _point(one: Rating, score: ScaleScore) -> dict[str, Any]:
    return {
        "event": one.fact.event,
        "occurred_at": format_time(one.occurred_at),
        "value": score.value,
        "percent": score.percent,
    }

"""How far the client's own ratings have come since the first of them. Pure.

What the alliance predicts is where the client comes to: the change since the first score stands
beside it, against the noise of measurement (Jacobson and Truax 1991).
"""

from collections.abc import Iterable
from typing import Any, Literal

from shared.alliance.change import reliable_difference
from shared.alliance.series import Point, Series, client_series
from shared.alliance.things import Phase
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
    every = [one for phase in phases for one in client_series(phase, construct)]
    return [_said(one) for one in sorted(every, key=_place) if len(one.points) > 1]


def _place(series: Series) -> tuple[Any, ...]:
    latest = series.points[-1]
    return (latest.at, latest.rating.fact.source, latest.rating.fact.id)


def _said(series: Series) -> dict[str, Any]:
    first, latest = series.points[0], series.points[-1]
    found = reliable_difference(series.scale, first.value, latest.value)
    instrument = latest.rating.instrument
    return {
        "instrument": latest.rating.instrument_key,
        "version": latest.rating.version,
        "validated": instrument.validated if instrument else None,
        "scale": series.scale.name,
        "ratings": len(series.points),
        "first": _point(first),
        "latest": _point(latest),
        # Not analysable where no reliable change is published.
        "change": None if found is None else {
            "better_by": found.better_by,
            "needed": rounded(found.needed, 4),
            "category": found.category,
        },
    }  # fmt: skip


def _point(one: Point) -> dict[str, Any]:
    return {
        "event": one.rating.fact.event,
        "occurred_at": format_time(one.at),
        "value": one.value,
        "percent": rounded(one.percent, 1),
    }

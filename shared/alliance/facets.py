"""The facets of the alliance that ratings speak to (domain.md section 7). Pure.

A facet's level is the percent of the best possible on the scales that speak to it: rated by the
client first, the latest within eight weeks. No level without evidence.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from shared.alliance.history import History
from shared.alliance.scoring import ScaleScore
from shared.alliance.things import Rating
from shared.clock import format_time

LATEST_WITHIN = timedelta(weeks=8)
"""Older ratings say nothing of the present (own); counted back from the client's last fact."""

_Evidence = tuple[Rating, str, ScaleScore]


def facets(history: History, last_at: datetime | None) -> dict[str, Any]:
    """Return facet → level, the evidence it stands on, and how old that is.

    Args:
        history: Of one client.
        last_at: When the client's last fact occurred, from which ages are counted: a clock
            would make the same facts give another timeline.
    """
    if last_at is None:
        return {}
    best: dict[str, list[_Evidence]] = {}
    for facet, evidence in _speaking(history, last_at - LATEST_WITHIN):
        known = best.get(facet)
        if known is None or _weight(evidence) > _weight(known[0]):
            best[facet] = [evidence]
        elif _weight(evidence) == _weight(known[0]):
            known.append(evidence)
    return {facet: _as_json(best[facet], last_at) for facet in sorted(best)}


def _speaking(history: History, since: datetime) -> Iterator[tuple[str, _Evidence]]:
    current = history.current
    for phase in history.phases:
        former = phase not in current
        for rating in phase.ratings:
            instrument = rating.instrument
            if instrument is None or rating.in_group or rating.occurred_at < since:
                continue
            if former and instrument.construct == "alliance":
                # How it was with a former therapist says nothing of the alliance with this one.
                continue
            for name, score in rating.score.scales.items():
                for facet in instrument.facets.get(name, ()):
                    if score.percent is not None:
                        yield facet, (rating, name, score)


def _weight(evidence: _Evidence) -> tuple[Any, ...]:
    """Return what puts evidence first; equal only for scales of one rating."""
    rating = evidence[0]
    fact = rating.fact
    return (rating.rater == "client", rating.occurred_at, fact.source, fact.id)


def _as_json(evidence: list[_Evidence], last_at: datetime) -> dict[str, Any]:
    percents = [score.percent for _, _, score in evidence if score.percent is not None]
    return {
        "level": round(sum(percents) / len(percents), 1),
        "evidence": [
            {
                "event": rating.fact.event,
                "instrument": rating.instrument_key,
                "scale": scale,
                "rater": rating.rater,
                "occurred_at": format_time(rating.occurred_at),
                "percent": score.percent,
            }
            for rating, scale, score in evidence
        ],
        "age_days": (last_at - evidence[0][0].occurred_at).days,
    }

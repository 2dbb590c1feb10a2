"""The facets of the alliance (domain.md section 7): ratings, and what stands beside them. Pure.

A facet's level is the percent of the best possible on the scales that speak to it: rated by the
client first, the latest within eight weeks. No level without evidence. Its course is the mean of
each four weeks. Facts move no number.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import datetime
from statistics import fmean
from typing import Any, Final

from shared.alliance.beside import MEASURES, beside
from shared.alliance.calendar import days_from
from shared.alliance.consistency.said import held
from shared.alliance.history import History
from shared.alliance.reading import Fact
from shared.alliance.things import Clinic, Rating
from shared.alliance.trajectories import since_the_first
from shared.alliance.wording import rounded
from shared.clock import format_time

LATEST_STEPS: Final = 2
"""Ratings of more than twice four weeks ago say nothing of the present (own); counted back from
the client's last fact."""

STEP_DAYS: Final = 28
STEPS: Final = 12
"""The course goes so many times four weeks back (own), by the clock of the clinic."""

LATEST_FACTS: Final = 5
"""So many facts are named beside a facet, the latest ones; all are counted (own)."""

TIME: Final = "time"
"""A relationship takes time: how many sessions it has had, and how it is rated since the first."""

OUTCOME: Final = "outcome"
"""What the alliance predicts: how the client fares, and what has changed since the first score."""

FACETS: Final = (
    "trust", "safety", "confidentiality", "understanding", "validation", "listening", "support",
    "collaboration", "goal_orientation", "boundaries", "respect", "consistency", "empowerment",
    "motivation", "expectations", "dynamics", "objectivity", "challenge", "flexibility",
    "relapse_prevention", TIME, OUTCOME,
)  # fmt: skip
"""Every quality that is named in domain.md section 7, in its order."""

_Evidence = tuple[Rating, str, float]
"""A rating, the scale of it, and its percent of the best possible."""


def facets(history: History, last_at: datetime | None) -> dict[str, Any]:
    """Return each facet → level, evidence and its age, course, and the facts beside it.

    All of them, whenever anything is known of the client: that nothing speaks of one is an answer,
    and which are there says nothing of what is hidden from a reader.

    Args:
        history: Of one client.
        last_at: When the client's last fact occurred, from which ages are counted: a clock
            would make the same facts give another timeline.
    """
    if last_at is None:
        return {}
    clinic = history.current[-1].clinic if history.current else Clinic("")
    ends = [days_from(clinic, last_at, -STEP_DAYS * step) for step in range(STEPS, 0, -1)]
    ends.append(last_at)
    rated: dict[str, list[_Evidence]] = {}
    for facet, evidence in _speaking(history, ends[0]):
        rated.setdefault(facet, []).append(evidence)
    facts = beside(one for one in history.phases if one.apart or one in history.current)
    shown = {
        facet: _as_json(facet, rated.get(facet, []), facts.get(facet, []), ends)
        for facet in FACETS
    }
    sessions = [session for phase in history.current for session in held(phase)]
    if sessions:
        shown[TIME] |= {"numbers": {"sessions_held": len(sessions)}}
    shown[TIME] |= {"since_first": since_the_first(history.current, "alliance")}
    shown[OUTCOME] |= {"since_first": since_the_first(history.current, "outcome")}
    return shown


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
                        yield facet, (rating, name, score.percent)


def _weight(evidence: _Evidence) -> tuple[Any, ...]:
    """Return what puts evidence first; equal only for scales of one rating."""
    rating = evidence[0]
    fact = rating.fact
    return (rating.rater == "client", rating.occurred_at, fact.source, fact.id)


def _as_json(
    facet: str, rated: Sequence[_Evidence], facts: Sequence[Fact], ends: Sequence[datetime]
) -> dict[str, Any]:
    recent = [one for one in rated if one[0].occurred_at >= ends[-1 - LATEST_STEPS]]
    first = max(map(_weight, recent), default=None)
    best = [one for one in recent if _weight(one) == first]
    return {
        "level": rounded(fmean(percent for _, _, percent in best), 1) if best else None,
        "evidence": [
            {
                "event": rating.fact.event,
                "instrument": rating.instrument_key,
                "validated": rating.instrument.validated if rating.instrument else None,
                "scale": scale,
                "rater": rating.rater,
                "occurred_at": format_time(rating.occurred_at),
                "percent": percent,
            }
            for rating, scale, percent in best
        ],
        "age_days": (ends[-1] - best[0][0].occurred_at).days if best else None,
        "course": _course(rated, ends),
        "facts": {
            "total": len(facts),
            "latest": [
                {
                    "event": fact.event,
                    "type": fact.type,
                    "occurred_at": format_time(fact.occurred_at),
                }
                for fact in facts[-LATEST_FACTS:]
            ],
        },
        "measures": list(MEASURES.get(facet, ())),
    }


def _course(rated: Sequence[_Evidence], ends: Sequence[datetime]) -> list[dict[str, Any]]:
    """Return the mean level of each four weeks in which there is one, in time.

    Of the client's own ratings where there are any, else of whoever rated it.

    Args:
        rated: What speaks to a facet.
        ends: When each four weeks end, in time; none rates before the first.
    """
    own = [one for one in rated if one[0].rater == "client"] or rated
    steps: dict[int, list[float]] = {}
    for rating, _, percent in own:
        steps.setdefault(bisect_left(ends, rating.occurred_at), []).append(percent)
    return [
        {
            "until": format_time(ends[step]),
            "level": rounded(fmean(steps[step]), 1),
            "n": len(steps[step]),
        }
        for step in sorted(steps)
    ]

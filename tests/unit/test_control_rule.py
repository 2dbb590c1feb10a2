"""Ratings outside the client's own range: exactly at the limit and just under."""

from typing import Any

from services.alerts.rules.alliance_out_of_control import AllianceOutOfControl
from tests.support.phases import judged, ratings

RULE = AllianceOutOfControl()
FIRST = (36, 37, 36, 37, 36)
"""Centre 36.4; mean moving range 1; σ̂ = 1 ÷ 1.128 = 0.8865; limit 33.74, a tenth below 32.4."""


def told(*later: float, **settings: Any) -> Any:
    """Return the episodes of some ratings after the first five."""
    return judged(RULE, *ratings(*FIRST, *later), **settings).episodes


def test_a_rating_beyond_the_limit_and_a_tenth_of_the_scale_is_told() -> None:
    """Both must hold: 3 σ̂ of the first five, by hand, and a tenth of the scale."""
    assert told(33.8, below_percent=0) == ()
    (episode,) = told(33.7, below_percent=0)
    assert episode.steps[0].numbers == {
        "value": 33.7, "centre": 36.4, "limit": 33.7404, "sigma": 0.8865,
    }  # fmt: skip
    assert told(32.5) == ()
    assert len(told(32.4)) == 1
    assert len(episode.steps[0].evidence) == 6


def test_it_clears_by_two_ratings_within_the_limit() -> None:
    """One is not enough, and another rating beyond it begins the count anew."""
    (episode,) = told(30, 36)
    assert episode.cleared_at is None
    (episode,) = told(30, 36, 30, 36, 36)
    assert episode.cleared_at is not None


def test_the_first_five_are_not_judged() -> None:
    """They set the limits."""
    assert judged(RULE, *ratings(36, 37, 36, 37, 20)).episodes == ()


def test_a_flat_course_is_judged_by_a_tenth_of_the_scale_alone() -> None:
    """Who rated the most five times may wobble; who falls by a tenth is told of."""
    flat = ratings(40, 40, 40, 40, 40, 36.1)
    assert judged(RULE, *flat).episodes == ()
    (episode,) = judged(RULE, *ratings(40, 40, 40, 40, 40, 36)).episodes
    assert "all the same" in episode.steps[0].explanation
    assert judged(RULE, *flat, below_percent=0).episodes == ()

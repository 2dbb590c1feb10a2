"""Ruptures by scores: one step or several, repaired, unrepaired or open."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.change.ruptures import Rupture, ruptures

SCORES = st.lists(st.integers(0, 40).map(float), max_size=20)
WORDS = ("begins", "seen", "level", "depth", "in_one_step", "state", "repaired_at")


def said(found: list[Rupture]) -> list[tuple[Any, ...]]:
    """Return ruptures as plain rows."""
    return [tuple(getattr(one, word) for word in WORDS) for one in found]


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([36, 36, 36, 30, 36], [(2, 3, 36, 6, True, "repaired", 4)]),
        ([36, 36, 36, 30, 31, 32, 33, 36], [(2, 3, 36, 6, True, "unrepaired", None)]),
        ([36, 36, 36, 30, 31, 32], [(2, 3, 36, 6, True, "open", None)]),
        ([36, 36, 36, 30, 31, 36], [(2, 3, 36, 6, True, "repaired", 5)]),
        ([36, 36, 36, 34, 32, 30], [(2, 5, 36, 6, False, "open", None)]),
        ([36, 36, 36, 34, 35, 33, 34], []),
        ([36, 36, 36, 30.1, 36], []),
        ([38, 36, 37, 36, 31, 28, 30], [(2, 4, 37, 9, False, "open", None)]),
        ([36, 36, 30], []),
        ([36] * 9, []),
        ([], []),
    ],
)
def test_falls(scores: list[float], expected: list[tuple[Any, ...]]) -> None:
    """Exactly the threshold is a rupture, a tenth less is none; a slow fall is one as well."""
    assert said(ruptures(scores, 6)) == expected


def test_neighbours_alone_would_miss_the_slow_fall() -> None:
    """No step of a multi-session fall is as large as the threshold, and it is found."""
    scores = [36.0, 36, 36, 34, 32, 30]
    steps = [before - after for before, after in pairwise(scores)]
    assert max(steps) < 6
    assert [one.in_one_step for one in ruptures(scores, 6)] == [False]


def test_one_that_lasts_is_told_once() -> None:
    """After an unrepaired rupture the low level is the level; a further fall is a new one."""
    scores = [36.0, 36, 36, 28, 28, 28, 28, 20]
    assert [(one.seen, one.level) for one in ruptures(scores, 6)] == [(3, 36), (7, 28)]


@given(SCORES, st.integers(1, 20))
def test_the_other_direction_is_the_mirror(scores: list[float], threshold: int) -> None:
    """Where higher is worse, a rise is the fall."""
    mirrored = [40 - score for score in scores]
    found, other = ruptures(scores, threshold), ruptures(mirrored, threshold, worse=1)
    assert [(one.seen, one.depth, one.state) for one in found] == [
        (one.seen, one.depth, one.state) for one in other
    ]
    assert [40 - one.level for one in found] == [one.level for one in other]


@given(SCORES, st.integers(1, 20))
def test_every_rupture_is_what_it_says(scores: list[float], threshold: int) -> None:
    """Deep enough, in order, apart; repaired only by a rating back at the level in time."""
    found = ruptures(scores, threshold)
    assert [one.seen for one in found] == sorted({one.seen for one in found})
    for one in found:
        assert one.level - scores[one.seen] >= threshold
        assert one.depth >= threshold
        if one.repaired_at is not None:
            assert scores[one.repaired_at] >= one.level
            assert one.seen < one.repaired_at <= one.seen + 3
        else:
            assert all(score < one.level for score in scores[one.seen : one.seen + 4])
            assert (one.state == "open") == (len(scores) < one.seen + 4)

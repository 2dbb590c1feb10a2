"""Alliance ratings: below the cut-off, falling; each threshold exactly at it and just under."""

from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerts.rules.alliance_below_cutoff import AllianceBelowCutoff
from services.alerts.rules.alliance_decline import AllianceDecline
from tests.support import events as an
from tests.support.events import on
from tests.support.phases import judged, ratings, urgencies, weekly

BELOW, DECLINE = AllianceBelowCutoff(), AllianceDecline()


# alliance-below-cutoff --------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("totals", "expected"),
    [
        ((36,), []),
        ((35.9,), [["information"]]),
        # Below in two of the last three, and lower than the client's own median.
        ((38, 35, 34), [["information", "attention"]]),
        ((38, 35, 37, 34), [["information", "attention"]]),
        # Only one in the last three.
        ((38, 35, 37, 37, 34), [["information"], ["information"]]),
        # Who always rates low is not a decline: not lower than the own median.
        ((30, 30, 30, 30), [["information"]]),
        ((30, 30, 30, 29.9), [["information", "attention"]]),
        ((30, 32, 34, 35), [["information"]]),
    ],
)
def test_below_the_cut_off(totals: tuple[float, ...], expected: list[list[str]]) -> None:
    """One is information, two of three below the client's own level are attention."""
    assert urgencies(judged(BELOW, *ratings(*totals)).episodes) == expected


def test_two_ratings_in_a_row_clear_it() -> None:
    """One good rating clears nothing, two in a row do, at the second."""
    (one,) = judged(BELOW, *ratings(35, 36, 35, 36)).episodes
    assert one.cleared_at is None
    (two,) = judged(BELOW, *ratings(35, 36, 36)).episodes
    assert two.cleared_at == on(14, 11)


def test_its_figures_can_be_checked_by_hand() -> None:
    """Value, cut-off, how many of how many, and the usual level are in the numbers."""
    (episode,) = judged(BELOW, *ratings(38, 37, 35, 34)).episodes
    assert episode.steps[1].numbers == {
        "value": 34.0, "cutoff": 36.0, "below": 2, "ratings": 3, "usual": 37.0,
    }  # fmt: skip
    assert len(episode.steps[1].evidence) == 2


@given(st.lists(st.integers(300, 400).map(lambda tenths: tenths / 10), min_size=1, max_size=9))
def test_the_usual_level_is_the_median_of_all_before(totals: list[float]) -> None:
    """However the ratings go up and down, each is held against all that were given before it."""
    told = ratings(*totals)
    for step in (step for one in judged(BELOW, *told).episodes for step in one.steps):
        before = [total for total, one in zip(totals, told, strict=True)
                  if one.event.time < step.effective_at]  # fmt: skip
        assert step.numbers["usual"] == (median(before) if before else None)


@pytest.mark.parametrize(
    "stated",
    [
        {"rater": "therapist"},
        {"rater": "parent_or_carer"},
        {"instrument": "ors"},
        {"instrument": "wai-sr", "scored_as": "sum"},
    ],
)
def test_only_the_clients_own_alliance_ratings_count(stated: dict[str, Any]) -> None:
    """Another rater, an outcome measure, an instrument without a cut-off say nothing."""
    assert judged(BELOW, *ratings(20, 19, 18, **stated)).episodes == ()


def test_a_change_of_language_starts_anew() -> None:
    """Ratings in another language are another series with a level of its own."""
    english = ratings(40, 40)
    french = [an.a_rating(total, at=on(20 + n), language="fr") for n, total in enumerate((35, 35))]
    (episode,) = judged(BELOW, *english, *french).episodes
    assert urgencies([episode]) == [["information"]]


def test_partial_ratings_have_no_level() -> None:
    """A rating that has no score neither opens nor clears."""
    partial = an.a_rating(None, at=on(8), items={"1": 1})
    assert judged(BELOW, partial).episodes == ()
    (episode,) = judged(BELOW, *ratings(35, 36), partial).episodes
    assert episode.cleared_at is None


# alliance-decline -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("totals", "found"),
    [
        # A tenth of the scale (4 points), exactly and just under.
        ((40, 39, 38, 37, 36), True),
        ((40, 39, 38, 37, 36.1), False),
        # Four falling ratings: p = 1/24; three cannot reach 0.05.
        ((40, 38, 36, 34), True),
        ((40, 38, 36), False),
        # One rating out of order among four: p = 4/24.
        ((40, 36, 38, 34), False),
        # S = -11 of six: p = 20/720 = 0.028; S = -9: p = 49/720 = 0.068.
        ((40, 36, 38, 34, 30, 32), True),
        ((36, 40, 38, 34, 30, 32), False),
        # Rising, flat, empty.
        ((30, 32, 34, 36, 38, 40), False),
        ((36, 36, 36, 36, 36, 36), False),
        ((), False),
        ((36,), False),
    ],
)
def test_a_decline_is_a_trend_and_a_tenth_of_the_scale(
    totals: tuple[float, ...], found: bool
) -> None:
    """Only a significant fall of at least ten percent of the scale is told."""
    life = [an.a_care_event("started", on(-1)), *ratings(*totals)]
    assert len(judged(DECLINE, *life).episodes) == found


def test_a_decline_is_told_when_it_shows_and_cleared_by_two_without() -> None:
    """It begins at the rating that made it, and ends at the second in a row without it."""
    (episode,) = judged(DECLINE, *ratings(40, 38, 36, 34, 34.5, 36, 37)).episodes
    assert episode.effective_at == on(21, 11)
    assert len(episode.steps[0].evidence) == 4
    assert episode.cleared_at is not None
    assert "40, 38, 36, 34" in episode.steps[0].explanation
    assert episode.steps[0].numbers["p"] == pytest.approx(1 / 24, abs=1e-4)


def test_only_the_last_six_count() -> None:
    """A fall long ago is no decline today."""
    (episode,) = judged(DECLINE, *ratings(40, 38, 36, 34, *[34] * 8)).episodes
    assert episode.cleared_at == on(8 * 7, 11)


def test_group_ratings_never_enter_the_trend() -> None:
    """A rating given for a group session is not the client's own course."""
    sessions = [
        an.a_session_held(f"g{n}", on(n * 7), kind="group", id=f"held{n}") for n in range(4)
    ]
    given_there = [
        an.a_rating(total, at=on(n * 7, 11), session=f"g{n}")
        for n, total in enumerate((40, 38, 36, 34))
    ]
    assert judged(DECLINE, *sessions, *given_there).episodes == ()
    assert len(judged(DECLINE, *given_there).episodes) == 1


def test_a_phase_is_a_new_baseline() -> None:
    """Ratings before a transfer never join those after it."""
    before, after = (
        ratings(40, 38),
        [
            an.a_rating(total, at=on(20 + n * 7), therapist="th_new")
            for n, total in enumerate((36, 34))
        ],
    )
    transferred = an.a_care_event("transferred", on(15))
    assert judged(DECLINE, *before, transferred, *after).episodes == ()


@given(st.lists(st.integers(0, 80).map(lambda n: n / 2), min_size=0, max_size=12))
def test_falling_is_never_told_of_the_mirror_image(totals: list[float]) -> None:
    """A course and its mirror image are never both a decline at one and the same rating."""
    opener = an.a_care_event("started", on(-1))
    falls = judged(DECLINE, opener, *ratings(*totals)).episodes
    mirror = judged(DECLINE, opener, *ratings(*[40 - total for total in totals])).episodes
    assert not {one.effective_at for one in falls} & {one.effective_at for one in mirror}


def test_sessions_say_nothing_about_trust() -> None:
    """Without ratings both rules are silent."""
    for rule in (BELOW, DECLINE):
        assert judged(rule, *weekly("held", "cancelled:clinic", "missed:client")).episodes == ()

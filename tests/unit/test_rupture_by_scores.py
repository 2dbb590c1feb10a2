"""A rupture by scores: a drop from the recent level that three ratings do not bring back."""

import pytest

from services.alerts.rules.alliance_drop import AllianceDrop
from services.alerts.rules.rupture_unrepaired import RuptureUnrepaired
from tests.support.events import on
from tests.support.phases import judged, ratings, urgencies

UNREPAIRED = RuptureUnrepaired()
BEFORE = (37, 36.5, 37.5, 37, 36.8)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ((30, 34, 35, 36), [["attention"]]),
        # Exactly at the level in the third rating it is repaired, a tenth below it is not.
        ((30, 34, 35, 37), []),
        ((30, 34, 35, 36.9), [["attention"]]),
        # A tenth of the scale is four points: 33 is such a drop, 33.1 is none.
        ((33, 34, 35, 36), [["attention"]]),
        ((33.1, 34, 35, 36), []),
        # Two ratings since are too few to say.
        ((30, 34, 35), []),
        ((30, 37, 30, 31, 32, 33), [["attention"]]),
        ((), []),
    ],
)
def test_a_drop_has_three_ratings_to_come_back(
    after: tuple[float, ...], expected: list[list[str]]
) -> None:
    """The level before is 37; the third rating decides."""
    assert urgencies(judged(UNREPAIRED, *ratings(*BEFORE, *after)).episodes) == expected


def test_it_says_what_fell_and_what_came_since() -> None:
    """Level, drop and the ratings since are in words, numbers and evidence; nobody is named."""
    (episode,) = judged(UNREPAIRED, *ratings(*BEFORE, 30, 34, 35, 36)).episodes
    assert episode.title == "The client's alliance ratings fell, and have not come back"
    assert episode.effective_at == on(8 * 7, 11)
    (step,) = episode.steps
    assert step.explanation == (
        "An alliance rating (srs-3) fell to 30; the median of the 3 before was 37. Since then the "
        "client rated 34, 35, 36."
    )
    assert step.numbers == {"value": 30, "level": 37, "fell": 7, "ratings_since": 3}
    assert len(step.evidence) == 7


def test_two_ratings_in_a_row_at_the_level_clear_it() -> None:
    """One alone does not."""
    (one,) = judged(UNREPAIRED, *ratings(*BEFORE, 30, 31, 31, 31, 37, 36, 37)).episodes
    assert one.cleared_at is None
    (two,) = judged(UNREPAIRED, *ratings(*BEFORE, 30, 31, 31, 31, 37, 37)).episodes
    assert two.cleared_at == on(10 * 7, 11)


def test_a_reliable_change_needs_no_chart() -> None:
    """An outcome instrument is no alliance; without a change or five ratings nothing is said."""
    falling = (9, 9, 9, 20, 20, 20, 20, 20)
    assert judged(UNREPAIRED, *ratings(*falling, instrument="phq-9")).episodes == ()
    assert judged(UNREPAIRED, *ratings(37, 37, 37, 20, 20, 20, 20)).episodes == ()


def test_the_drop_itself_is_that_of_alliance_drop() -> None:
    """Both rules see the same drop; the one at once, the other when it has not come back."""
    life = ratings(*BEFORE, 30, 34, 35, 36)
    (drop,) = judged(AllianceDrop(), *life).episodes
    (left,) = judged(UNREPAIRED, *life).episodes
    fall = next(step for step in drop.steps if step.urgency == "attention")
    assert fall.numbers["fell"] == left.steps[0].numbers["fell"]
    assert fall.effective_at < left.effective_at

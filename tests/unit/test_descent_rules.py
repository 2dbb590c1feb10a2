"""A slow descent, a facet that falls, a questionnaire overdue: at each threshold, and under it."""

from datetime import timedelta
from typing import Any

from services.alerts.rules.facet_drop import FacetDrop
from services.alerts.rules.high_then_falling import HighThenFalling
from services.alerts.rules.measures_due import MeasuresDue
from shared.envelope import Envelope
from tests.support import events as an
from tests.support.events import on
from tests.support.phases import judged, ratings

HIGH, FACET, DUE = HighThenFalling(), FacetDrop(), MeasuresDue()
GRACE, SECOND = timedelta(hours=48), timedelta(seconds=1)


def high(*totals: float, **settings: Any) -> Any:
    """Return the episodes of some ratings out of 40."""
    return judged(HIGH, *ratings(*totals), **settings).episodes


# high-then-falling ------------------------------------------------------------------------------
def test_a_fall_by_fifteen_points_from_ninety_is_told() -> None:
    """36 of 40 are 90 %, 30 are 75 %: exactly at both; just under either, nothing is said."""
    (episode,) = high(36, 36, 36, 30, 30, 30)
    assert episode.steps[0].numbers == {"first": 90.0, "last": 75.0, "fell": 15.0}
    assert len(episode.steps[0].evidence) == 6
    assert high(35.9, 35.9, 35.9, 20, 20, 20) == ()
    assert high(36, 36, 36, 30.1, 30.1, 30.1) == ()
    assert high(36, 36, 36, 30, 30) == ()


def test_it_clears_when_the_ratings_come_back() -> None:
    """Two medians in a row within the limit: one high rating moves no median of three."""
    (episode,) = high(38, 38, 38, 30, 30, 30, 38)
    assert episode.cleared_at is None
    (episode,) = high(38, 38, 38, 30, 30, 30, 38, 38, 38)
    assert episode.cleared_at == on(56, 11)


# facet-drop -------------------------------------------------------------------------------------
def on_relationship(*values: float, **stated: Any) -> list[Envelope]:
    """Return ratings of the SRS whose scale relationship, out of 10, speaks to all three."""
    rest = {"goals_and_topics": 8, "approach_or_method": 8, "overall": 8}
    return [
        an.a_rating(None, at=on(n * 7, 11), scales={**rest, "relationship": value}, **stated)
        for n, value in enumerate(values)
    ]


def test_a_fall_by_a_fifth_of_the_scale_is_told() -> None:
    """20 points below the median of the three before; at 19 nothing is said."""
    (episode,) = judged(FACET, *on_relationship(9, 8, 9, 7)).episodes
    assert episode.steps[0].numbers == {"percent": 70.0, "level": 90.0}
    assert episode.title == "The client rated trust, safety and respect lower than before"
    assert judged(FACET, *on_relationship(9, 8, 9, 7.1)).episodes == ()
    assert judged(FACET, *on_relationship(9, 9, 2)).episodes == ()


def test_other_scales_and_other_raters_are_not_asked() -> None:
    """What speaks to other facets is another matter; so is what the therapist rates."""
    rest = {"relationship": 9, "approach_or_method": 8, "overall": 8}
    goals = [an.a_rating(None, at=on(n * 7, 11), scales={**rest, "goals_and_topics": value})
             for n, value in enumerate((9, 9, 9, 1))]  # fmt: skip
    assert judged(FACET, *goals).episodes == ()
    theirs = on_relationship(9, 9, 9, 1, rater="therapist")
    assert judged(FACET, *theirs).episodes == ()


def test_one_facet_alone_is_named_alone() -> None:
    """PULSE asks of each by itself: what fell is named, and nothing else."""
    told = [
        an.a_rating(None, at=on(n * 7, 11), instrument="pulse", scales={"safety": value})
        for n, value in enumerate((5, 5, 5, 1))
    ]
    (episode,) = judged(FACET, *told).episodes
    assert episode.title == "The client rated safety lower than before"


# measures-due -----------------------------------------------------------------------------------
AGREED = an.a_care_event("started", on(0), measures=[{"instrument": "phq-9", "every_days": 28}])
SENDS = an.a_clinic_configured(sends=["ratings"], timezone="UTC")


def a_form(day: float) -> Envelope:
    """Return a filled-in form."""
    return an.a_rating(9, at=on(day), instrument="phq-9")


def due(*told: Envelope, **settings: Any) -> Any:
    """Return the episodes beside the agreement."""
    return judged(DUE, SENDS, AGREED, *told, **settings).episodes


def test_four_weeks_past_due_are_told_after_the_grace() -> None:
    """28 days after the agreement it is due, 28 later overdue; never where nothing is agreed."""
    overdue_at = on(56, hour=0)
    assert due(until=overdue_at + GRACE - SECOND) == ()
    (episode,) = due(until=overdue_at + GRACE)
    assert episode.effective_at == overdue_at
    assert judged(DUE, SENDS, a_form(1)).episodes == ()
    assert judged(DUE, AGREED, an.a_session_held("s1", on(3))).episodes == ()


def test_a_rating_or_an_offer_starts_it_anew() -> None:
    """Declined or unanswered it was offered; not offered it was not."""
    (episode,) = due(a_form(40))
    assert episode.effective_at == on(96, hour=0)
    (cleared, again) = due(a_form(70))
    assert (cleared.effective_at, cleared.cleared_at) == (on(56, hour=0), on(70))
    assert again.effective_at == on(126, hour=0)
    for reason, effective_at in (("declined", on(106, hour=0)), ("not_offered", on(56, hour=0))):
        skipped = an.a_rating_skipped(at=on(50), instrument="phq-9", reason=reason)
        (episode,) = due(skipped)
        assert episode.effective_at == effective_at


def test_another_agreement_takes_its_place() -> None:
    """What was agreed before is due no more, and what was told of it is cleared."""
    other = an.a_care_event("started", on(80), measures=[{"instrument": "gad-7", "every_days": 7}])
    (first, second) = due(other)
    assert (first.effective_at, first.cleared_at) == (on(56, hour=0), on(80))
    assert second.effective_at == on(115, hour=0)
    assert "gad-7" in second.steps[0].explanation


def test_sessions_count_where_the_rhythm_is_of_sessions() -> None:
    """Due at the second session after the agreement, overdue four weeks later."""
    agreed = an.a_care_event(
        "started", on(0), measures=[{"instrument": "phq-9", "every_sessions": 2}]
    )
    held = [an.a_session_held(f"s{n}", on(day)) for n, day in enumerate((7, 14))]
    (episode,) = judged(DUE, SENDS, agreed, *held).episodes
    assert episode.effective_at == on(42, hour=0)
    assert judged(DUE, SENDS, agreed, held[0]).episodes == ()

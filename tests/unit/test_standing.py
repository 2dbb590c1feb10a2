"""Falling, low, steady, rising, unknown: by each rater's own ratings, at the thresholds."""

from collections.abc import Sequence
from typing import Any

import pytest

from shared.alliance.history import fold
from shared.alliance.series import client_series
from shared.alliance.timeline import timeline
from shared.envelope import Envelope
from tests.support.events import (
    CLIENT,
    ORGANISATION,
    a_care_event,
    a_rating,
    a_session_held,
    on,
)
from tests.support.facets import spoken_of


def weekly(totals: Sequence[float], start: float = 0, **stated: Any) -> list[Envelope]:
    """Return a rating a week."""
    return [
        a_rating(total, at=on(start + 7 * week), **stated) for week, total in enumerate(totals)
    ]


def standing(*client: Envelope) -> dict[str, Any]:
    """Return what the timeline says of the standing."""
    said: dict[str, Any] = timeline(fold(ORGANISATION, CLIENT, client))["standing"]
    return said


@pytest.mark.parametrize(
    ("totals", "state"),
    [
        ([40, 39.5, 39, 38, 37, 36], "falling"),
        ([40, 39, 38, 36], "falling"),
        ([40, 39, 38, 36.1], "steady"),
        ([40, 38, 36, 36, 37, 38], "steady"),
        ([36, 37, 38, 40], "rising"),
        ([38, 38, 38, 38, 38, 38], "steady"),
        ([38, 37, 38], "unknown"),
        ([36, 35.9, 35.9], "low"),
        ([35, 36, 36], "unknown"),
        ([30], "unknown"),
        ([30, 30], "low"),
        ([40, 36, 32, 28], "falling"),
        ([24, 26, 28, 30], "low"),
    ],
)
def test_the_word_for_it(totals: list[float], state: str) -> None:
    """Falling before low before rising; a cut-off itself is not below; three are no trend."""
    assert standing(*weekly(totals))["state"] == state


def test_only_the_latest_six_count() -> None:
    """What fell long ago and has been steady since is steady."""
    said = standing(*weekly([40, 40, 40, 37, 37, 37, 37, 37, 37]))["raters"]["client"]
    assert (said["state"], said["basis"]["ratings"], said["trend"]) == ("steady", 6, 0.0)


def test_where_no_cut_off_is_published_half_of_the_best_is_low() -> None:
    """The Working Alliance Inventory has no official cut-off; ours is said to be ours."""
    assert standing(*weekly([35, 35], instrument="wai-sr"))["state"] == "low"
    assert standing(*weekly([36, 36], instrument="wai-sr"))["state"] == "unknown"


def test_each_rater_stands_alone_and_the_client_speaks_for_the_whole() -> None:
    """A therapist's falling ratings are shown; the word for the whole stays the client's."""
    said = standing(
        *weekly([37, 38, 37, 38]),
        *weekly([60, 54, 50, 45], instrument="wai-sr-t", rater="therapist"),
    )
    assert said["state"] == "steady"
    assert said["raters"]["therapist"]["state"] == "falling"
    only = standing(*weekly([60, 54, 50, 45], instrument="wai-sr-t", rater="therapist"))
    assert only["state"] == "unknown"


def test_a_trend_crosses_no_phase() -> None:
    """With a new therapist it begins anew, and nothing is known before the first ratings."""
    before = weekly([40, 39, 38, 36])
    moved = a_care_event("transferred", on(30), to_therapist="th_eve")
    assert standing(*before, moved)["state"] == "unknown"
    after = weekly([39, 39], start=31, therapist="th_eve")
    assert standing(*before, moved, *after)["raters"]["client"]["basis"]["ratings"] == 2


def test_a_trend_crosses_no_series() -> None:
    """Another language, respondent or version is another series."""
    said = standing(*weekly([40, 39, 38]), *weekly([36], start=21, language="cy"))
    assert said["raters"]["client"]["basis"]["ratings"] == 1


def test_outcome_and_group_ratings_say_nothing_of_the_alliance() -> None:
    """A questionnaire of symptoms, or one of a group session, is no word on it."""
    group = a_session_held("g1", on(1), kind="group")
    said = standing(
        group,
        a_rating(20, at=on(1), session="g1"),
        *weekly([9, 9, 9, 9], instrument="phq-9"),
    )
    assert (said["state"], said["raters"]) == ("unknown", {})


def test_how_a_session_was_says_nothing_of_the_alliance() -> None:
    """A rating of one session is listed with its scores, and enters no standing and no series."""
    sessions = [
        a_rating(None, at=on(day), instrument="seq-5", scales={"depth": depth, "positivity": 2})
        for day, depth in ((1, 7), (8, 5), (15, 3), (22, 1))
    ]
    history = fold(ORGANISATION, CLIENT, sessions)
    shown = timeline(history)
    assert [one["construct"] for one in shown["ratings"]] == ["session"] * 4
    assert shown["ratings"][0]["scores"]["depth"] == {"value": 7, "percent": 100}
    assert (shown["standing"]["state"], shown["standing"]["raters"]) == ("unknown", {})
    assert spoken_of(shown["facets"]) == {}
    (phase,) = history.phases
    assert client_series(phase, "alliance") + client_series(phase, "outcome") == ()


def test_the_standing_says_what_it_rests_on() -> None:
    """Level, trend, interval and basis as figures, and the same in words."""
    ratings = weekly([40, 39, 38, 36])
    client = standing(*ratings)["raters"]["client"]
    assert client["level"] == 95.0
    assert client["trend"] == pytest.approx(-11.7, abs=0.05)
    assert client["interval"][0] <= client["trend"] <= client["interval"][1]
    assert client["basis"]["events"] == [one.id for one in ratings]
    assert client["basis"]["p_falling"] == pytest.approx(0.0417, abs=0.0001)
    assert client["words"] == (
        "The last 4 ratings by the client (Session Rating Scale 3.0) fell: recent level 95 of "
        "100, -11.7 points per 4 weeks (95 % interval -20 to -10)."
    )


def test_one_rating_is_said_in_the_singular() -> None:
    """Words are read by people."""
    assert standing(*weekly([40]))["words"] == (
        "The one rating by the client (Session Rating Scale 3.0) is too few for a trend: "
        "recent level 100 of 100."
    )

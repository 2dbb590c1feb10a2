"""A rating is scored by the version that it carries, and by no other, ever."""

from datetime import timedelta

from services.ingest.adapter import Draft
from services.ingest.admission import Admitted, Authority, admit
from shared.alliance.history import fold
from shared.alliance.timeline import timeline
from shared.clock import format_time
from tests.support.events import CLIENT, ORGANISATION, a_rating, on

FIVE_OF_SEVEN = {"1": 3, "2": 1, "3": 0, "4": 2, "5": 1}


def test_the_same_answers_score_by_the_version_of_each_rating() -> None:
    """Five of seven answers have a score by a version that allows two missing, else none."""
    ratings = [
        a_rating(None, at=on(day), instrument="gad-7", instrument_version=version,
                 items=FIVE_OF_SEVEN)
        for day, version in ((1, "1"), (8, "2"), (15, "9"))
    ]  # fmt: skip
    one, two, nine = timeline(fold(ORGANISATION, CLIENT, ratings))["ratings"]
    assert (one["scores"], one["unscored_because"]) == ({}, "too_many_missing")
    assert two["scores"]["total"]["value"] == 9.8
    assert (nine["scores"], nine["unscored_because"]) == ({}, "unknown_instrument")


def test_a_change_of_version_starts_a_new_baseline() -> None:
    """Ratings of two versions are never one series, whatever they score."""
    ratings = [
        a_rating(None, at=on(day), instrument="gad-7", instrument_version=version,
                 items=dict.fromkeys("1234567", 1))
        for day, version in ((1, "1"), (8, "2"))
    ]  # fmt: skip
    (phase,) = fold(ORGANISATION, CLIENT, ratings).phases
    assert len({rating.series for rating in phase.ratings}) == 2


def test_a_rating_that_names_no_version_never_gets_a_variant() -> None:
    """Ingest writes in the newest version that is no variant."""
    attributes = {
        "specversion": "1.0", "id": "r1", "source": "/x", "type": "rapport.rating.given",
        "subject": "c-1", "time": format_time(on(1)),
    }  # fmt: skip
    data = {"clinic": "north", "therapist": "t-07", "instrument": "gad-7", "rater": "client",
            "items": FIVE_OF_SEVEN}  # fmt: skip
    draft = Draft(attributes, data, pointer="", locate=lambda fault: fault)
    found = admit(draft, Authority(frozenset({"publish"})), on(1) + timedelta(hours=1))
    assert isinstance(found, Admitted)
    assert found.event.data["instrument_version"] == "1"

"""What nobody has validated says so wherever it shows: items, facets, figures and drawings."""

from typing import Any

from services.projections import story
from services.projections.qualities import qualities
from shared.alliance.history import fold
from shared.alliance.timeline import timeline
from tests.support.events import CLIENT, ORGANISATION, a_rating, on

PULSE = {"instrument": "pulse", "items": {str(number): 7 for number in range(1, 5)}}


def shown(**stated: Any) -> dict[str, Any]:
    """Return the timeline of one rating."""
    told = a_rating(None, at=on(7), **stated)
    return timeline(fold(ORGANISATION, CLIENT, [told]))


def test_our_own_questionnaire_says_that_nobody_validated_it() -> None:
    """In its item, as evidence of a facet, in the line of each facet and of the drawing."""
    said = shown(**PULSE)
    assert said["ratings"][0]["validated"] is False
    assert said["facets"]["trust"]["evidence"][0]["validated"] is False
    assert "not validated" in said["standing"]["words"]
    for quality in qualities(said["facets"]):
        assert "pulse (own, not validated)" in quality.says
    (line,) = story.read(said | {"parked": None, "simulated": False}).lines
    assert line.label == "client, pulse (own, not validated)"
    assert line.stretches[0][0].says.startswith("pulse (own, not validated) by client")


def test_a_published_one_needs_no_such_words() -> None:
    """An instrument with a source, and one that is unknown here, stand by their keys."""
    said = shown(scales={"bond": 20, "goal": 20, "task": 20}, instrument="wai-sr")
    assert said["ratings"][0]["validated"] is True
    assert "not validated" not in str([one.says for one in qualities(said["facets"])])
    unknown = shown(instrument="new-1", items={"1": 1})
    assert unknown["ratings"][0]["validated"] is None

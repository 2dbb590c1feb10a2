"""The profile of the facets in the drawing, and the drawing that the README shows."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from services.projections.drawing import svg
from services.projections.profile import profile
from services.projections.qualities import Quality
from tests.support.drawn import a_full_timeline

SVG = "{http://www.w3.org/2000/svg}"
GOLDEN = Path(__file__).parents[1] / "golden" / "timeline.svg"


def drawn(*facets: Quality) -> ElementTree.Element:
    """Return the profile of some facets."""
    root = ElementTree.Element("svg")
    profile(root, facets, 0)
    return root


def a_quality(level: float | None, *course: float) -> Quality:
    """Return what is known of one facet."""
    return Quality("trust", "in words", level, course)


def circles(root: ElementTree.Element) -> list[tuple[float, float]]:
    """Return radius and place on the scale of what is drawn in the rows."""
    rows = [group for group in root.iter("g") if group.find("title") is not None]
    found: list[Any] = [one.attrib for row in rows for one in row.iter("circle")]
    return [(float(one["r"]), round((float(one["cx"]) - 280) / 4.1, 6)) for one in found]


@pytest.mark.parametrize(
    ("facet", "marks"),
    [
        (a_quality(40, 90, 70, 50), [(1.5, 70), (1.5, 50), (4, 40), (7, 90)]),
        (a_quality(None, 90, 0), [(1.5, 0), (7, 90)]),
        (a_quality(100, 100), [(4, 100), (7, 100)]),
    ],
    ids=["fallen", "no rating of late", "one rating at the maximum"],
)
def test_a_rated_facet_shows_where_it_was_and_is(
    facet: Quality, marks: list[tuple[float, float]]
) -> None:
    """An open circle is the beginning, dots the months since, a disc the level of today."""
    assert circles(drawn(facet)) == marks


def test_facts_alone_draw_no_place_on_a_scale() -> None:
    """A facet that nobody rated has words and no mark; where none was rated nothing is drawn."""
    root = ElementTree.Element("svg")
    assert profile(root, [a_quality(None)], 12.5) == 12.5
    assert not len(root)


def test_a_drawing_of_no_ratings_has_no_profile() -> None:
    """The lane appears with the first rating that speaks to a facet."""
    assert "Facets" in svg(a_full_timeline())
    facets = {
        name: {**one, "level": None, "evidence": [], "course": []}
        for name, one in a_full_timeline()["facets"].items()
    }
    assert "Facets" not in svg(a_full_timeline(facets=facets))


def test_the_picture_of_the_readme_is_what_is_drawn() -> None:
    """It is labelled simulated; ``python -m tests.support.drawn`` writes it anew."""
    picture, readme = GOLDEN.read_text("utf-8"), GOLDEN.parents[2] / "README.md"
    assert picture == svg(a_full_timeline(simulated=True))
    assert "Simulated data: no real person" in picture
    assert 'src="tests/golden/timeline.svg"' in readme.read_text("utf-8")

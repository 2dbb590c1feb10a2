"""The level of a facet at its borders: no rating, one, all the same, all missing, eight weeks."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from services.projections.qualities import qualities
from shared.alliance.beside import FACTS
from shared.alliance.facets import FACETS
from shared.alliance.history import fold
from shared.alliance.timeline import timeline
from shared.envelope import Envelope
from shared.instrument import INSTRUMENTS
from tests.support.events import CLIENT, ORGANISATION, a_rating, a_session_held, on
from tests.support.facets import spoken_of

PULSE = {str(number): 7 for number in range(1, 18)}


def facets(*told: Envelope) -> dict[str, Any]:
    """Return the facets that the timeline of some events shows."""
    shown: dict[str, Any] = timeline(fold(ORGANISATION, CLIENT, told))["facets"]
    return shown


def pulse(items: Mapping[str, int | None], day: float = 0) -> Envelope:
    """Return a pulse by the client."""
    return a_rating(None, at=on(day), instrument="pulse", items=items)


def test_nothing_is_said_of_an_empty_history() -> None:
    """No client, no facets; one session alone speaks of time, and of no level."""
    assert facets() == {}
    shown = facets(a_session_held("s1", on(0)))
    assert tuple(shown) == FACETS
    assert {one["level"] for one in shown.values()} == {None}
    assert set(spoken_of(shown)) == {"time"}


def test_one_full_pulse_is_a_level_for_each_of_its_facets() -> None:
    """Seventeen items, seventeen facets, each with its evidence and age."""
    shown = spoken_of(facets(pulse(PULSE)))
    assert len(shown) == 17
    for facet in shown.values():
        assert (facet["level"], facet["age_days"], len(facet["evidence"])) == (70.0, 0, 1)
        assert facet["course"] == [{"until": "2026-01-05T10:00:00Z", "level": 70.0, "n": 1}]


def test_the_core_speaks_of_four() -> None:
    """Trust, safety, understanding and collaboration; of the others nothing is made up."""
    shown = spoken_of(facets(pulse({str(number): 10 for number in range(1, 5)})))
    assert {name: one["level"] for name, one in shown.items()} == dict.fromkeys(
        ("collaboration", "safety", "trust", "understanding"), 100.0
    )


def test_all_missing_is_no_level() -> None:
    """A pulse without an answer is kept, and speaks of nothing."""
    assert spoken_of(facets(pulse(dict.fromkeys(PULSE)))) == {}


@pytest.mark.parametrize("answer", [0, 5, 10])
def test_all_the_same(answer: int) -> None:
    """One answer throughout, time after time, is that level and a flat course."""
    shown = spoken_of(facets(*(pulse(dict.fromkeys(PULSE, answer), day) for day in (0, 30, 60))))
    assert {one["level"] for one in shown.values()} == {answer * 10.0}
    assert [one["level"] for one in shown["trust"]["course"]] == [answer * 10.0] * 3


@pytest.mark.parametrize(("later", "level"), [(timedelta(0), 70.0), (timedelta(seconds=1), None)])
def test_a_level_is_at_most_eight_weeks_old(later: timedelta, level: float | None) -> None:
    """Exactly eight weeks still count; a second more leaves the course, and no level."""
    end = on(56) + later
    trust = facets(pulse(PULSE), a_session_held("s1", end - timedelta(minutes=50)))["trust"]
    assert trust["level"] == level
    assert trust["age_days"] == (None if level is None else 56)
    assert len(trust["course"]) == 1


def test_every_quality_has_its_place() -> None:
    """Whatever an instrument or a fact speaks to is among the facets, each named once."""
    spoken = {facet for one in INSTRUMENTS.values() for of in one.facets.values() for facet in of}
    spoken |= {facet for of in FACTS.values() for facet, _ in of}
    assert len(set(FACETS)) == len(FACETS) == 22
    assert set(FACETS) - spoken == {"time"}
    assert spoken < set(FACETS)


def test_the_drawings_are_silent_where_nothing_is_known() -> None:
    """The JSON has every facet; a page for people has a line for those that speak."""
    shown = facets(pulse({str(number): 10 for number in range(1, 5)}))
    assert [one.title for one in qualities(shown)] == [
        "trust", "safety", "understanding", "collaboration",
    ]  # fmt: skip

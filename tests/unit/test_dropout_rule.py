"""Ratings that fell and sessions that were not held: what came at one moment, in which order."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import permutations

import pytest

from services.alerts.rule import Episode
from services.alerts.rules.dropout_risk import DropoutRisk
from tests.support import events as an
from tests.support.alert_rules import a_step
from tests.support.events import on
from tests.support.phases import FAR, the_phase

DROP, FACET, GAP = "alliance-drop", "facet-drop", "session-gap"
RULE = DropoutRisk()
PHASE = the_phase(an.a_session_held("s1", on(0)), an.a_rating(20, at=on(1)))


def an_episode_of(rule: str, id: str, at: datetime) -> Episode:
    """Return an episode of a part that holds, under an id of our making."""
    step = a_step("attention", at, PHASE.facts[-1])
    return Episode(id, rule, at, step.known_at, None, f"{rule} holds", (step,))


def combined(ids: Sequence[str], at: Mapping[str, float]) -> tuple[Episode, ...]:
    """Return what comes of a part each, on the days of their rules."""
    parts = {
        rule: [an_episode_of(rule, id, on(at[rule]))] for rule, id in zip(at, ids, strict=True)
    }
    return RULE.combine(PHASE, parts, RULE.defaults, FAR).episodes


@pytest.mark.parametrize(
    "days",
    [{DROP: 5, FACET: 5, GAP: 5}, {DROP: 5, FACET: 5, GAP: 9}, {DROP: 9, FACET: 9, GAP: 5}],
    ids=["all at once", "the gap later", "the ratings later"],
)
def test_what_came_at_one_moment_stays_in_the_order_of_names(days: Mapping[str, float]) -> None:
    """Whatever ids the parts have, the same is told, in the words of the rule named first."""
    found = [combined(ids, days) for ids in permutations(("a", "b", "c"))]
    assert len(found[0]) == 1
    assert all(one == found[0] for one in found)
    assert "alliance-drop holds" in found[0][0].steps[0].explanation

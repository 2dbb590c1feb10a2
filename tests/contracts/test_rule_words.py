"""What rules say, at the edges of what can be set: right in number, whatever the figures are."""

import re
from copy import copy
from typing import Any

import pytest

from services.alerts.bootstrap import EVERY_RULE
from services.alerts.playing import played
from services.alerts.rule import Rule
from services.alerts.rules.confidentiality_breach import ConfidentialityBreach
from services.alerts.rules.reliable_deterioration import ReliableDeterioration
from services.alerts.rules.session_gap import SessionGap
from tests.support import events as an
from tests.support.phases import judged

WRONG = re.compile(
    r"(?<![\d.])1 (days|hours|minutes|weeks|sessions|ratings|alliance ratings|clients|times|kinds"
    r"|events|boundary events|moves|attempts|clinics|bookings)\b"
    r"|(?<![\d.])1 [a-z ]*[a-z] (have|were|are)\b"
    r"|\bthe last 1\b|\d\.0\b|\bNone\b|  |\.\."
)
"""One of something, told as several; a figure that nobody rounded; a value that is not there."""

SINGULAR = re.compile(
    r"weeks$|days$|sessions$|ratings$|hours$|intervals$|^times$|^kinds$|^clients$|moves$|^transfers$"
)


def ones(rule: Rule) -> dict[str, Any]:
    """Return a rule's settings with everything that is counted set to one."""
    return {name: 1 if SINGULAR.search(name) else value for name, value in rule.defaults.items()}


@pytest.mark.parametrize("rule", EVERY_RULE, ids=lambda rule: rule.name)
def test_one_is_told_as_one(rule: Rule) -> None:
    """In its example under its own settings, and where each number that can be set is one."""
    for settings in (rule.defaults, ones(rule)):
        one = copy(rule)
        one.defaults = settings
        for line in played(one):
            assert not WRONG.search(line.words), line.words
            assert line.urgency is None or line.words[0].isupper() or line.words[0].isdigit()


@pytest.mark.parametrize(
    ("instrument", "first", "last", "sure"),
    [("phq-9", 9, 15, "95 %"), ("core-10", 10, 16, "90 %")],
)
def test_a_reliable_change_says_how_sure_it_is(
    instrument: str, first: float, last: float, sure: str
) -> None:
    """A published value of 90 % stands beside others of 95 %: whoever reads it must know."""
    ratings = [
        an.a_rating(total, at=an.on(day), instrument=instrument)
        for day, total in ((0, first), (14, last))
    ]
    (told,) = judged(ReliableDeterioration(), *ratings).episodes
    assert f"the reliable change of {instrument} is 6 ({sure}" in told.steps[0].explanation


def test_what_is_not_known_is_said() -> None:
    """Without a severity no scale is named; without an agreed interval nothing is "agreed"."""
    (breach,) = judged(
        ConfidentialityBreach(), an.a_boundary_noted(area="confidentiality", severity=None)
    ).episodes
    assert breach.steps[0].explanation == (
        "A boundary event about confidentiality is recorded, without a severity so far."
    )
    sessions = [an.a_session_held(f"s{n}", an.on(7 * n)) for n in range(5)]
    (gap, *_) = judged(SessionGap(), *sessions).episodes
    assert gap.title == "More time than usual has passed since the last held session"

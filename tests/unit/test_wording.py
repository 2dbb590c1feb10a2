"""Words and figures of alerts: rounded as by hand, and honest about whose thresholds they are."""

import inspect

import pytest

from services.alerts.bootstrap import EVERY_RULE
from services.alerts.rule import Rule
from shared.alliance.wording import counted, figure, listed, rounded


@pytest.mark.parametrize("rule", EVERY_RULE, ids=[rule.name for rule in EVERY_RULE])
def test_a_rule_says_which_of_its_figures_are_own(rule: Rule) -> None:
    """Every rule has a threshold, a count or a scale of our own, and calls it not validated."""
    said = " ".join((inspect.getdoc(type(rule)) or "").split())
    assert said.startswith("Tell ")
    assert "own, not validated" in said


@pytest.mark.parametrize(
    ("value", "decimals", "expected"),
    [(81.25, 1, 81.3), (10.5, 0, 11), (62.5, 0, 63), (2.675, 2, 2.68), (-0.3, 0, 0),
     ((81.2 + 81.3) / 2, 1, 81.3), (1.005, 2, 1.01), (7, 2, 7)],
)  # fmt: skip
def test_a_half_is_rounded_up(value: float, decimals: int, expected: float) -> None:
    """As whoever recomputes it by hand would; noise of floats decides nothing."""
    assert rounded(value, decimals) == expected
    assert "-0" not in f"{rounded(value, decimals):g}"


def test_figures_have_no_more_digits_than_they_need() -> None:
    """Two decimals at most, unless fewer are asked for."""
    assert (figure(7.0), figure(37.755), figure(81.25, 1), figure(-0.2, 0)) == (
        "7", "37.76", "81.3", "0",
    )  # fmt: skip
    assert (counted(1, "session"), listed(["a", "b", "c"])) == ("1 session", "a, b and c")

"""What can be set of a rule: by name, within bounds, the rest refused by name."""

from typing import Any

import pytest

from services.alerts.bootstrap import EVERY_RULE
from services.alerts.generate import PATH, generated, main
from shared.rule_settings import DEFAULTS, Setting, chosen, faults_of


def found(rule: str, **settings: Any) -> list[tuple[str, str]]:
    """Return pointer and code of every fault."""
    return [(fault.pointer, fault.code) for fault in faults_of(rule, settings)]


def test_the_catalogue_is_what_the_rules_say() -> None:
    """Ingest knows every rule and setting that there is, and no other."""
    assert PATH.read_text(encoding="utf-8") == generated()
    assert main(["--check"]) == 0
    assert set(DEFAULTS) == {rule.name for rule in EVERY_RULE} | {"delivery"}
    for rule in EVERY_RULE:
        assert DEFAULTS[rule.name] == dict(rule.defaults)


@pytest.mark.parametrize("rule", sorted(DEFAULTS))
def test_every_default_fits_its_own_bounds(rule: str) -> None:
    """What holds without a word could have been said."""
    for name, default in DEFAULTS[rule].items():
        assert Setting(name, default).fitting(default) == default


@pytest.mark.parametrize(
    ("name", "default", "fitting", "unfitting"),
    [
        ("grace_hours", 48, [0, 0.5, 10_000], [-1, 10_001, True, "48", None, [1]]),
        ("attention_ratio", 1.5, [0, 2, 2.5], [-0.1, "2"]),
        ("fall_percent", 10, [0, 12.5, 100], [100.1]),
        ("p_at_most", 0.05, [0, 1], [1.1]),
        ("least_share", 0.9, [0, 1.0], [1.5]),
        ("urgent_severity", 3, [0, 4, 4.0], [5, 2.5]),
        ("window_sessions", 8, [1, 9.0], [0, 8.5]),
        ("a_flag", False, [True], [1, "true"]),
    ],
)
def test_bounds_follow_from_the_unit(
    name: str, default: Any, fitting: list[Any], unfitting: list[Any]
) -> None:
    """At the bound fits; just beyond, another kind, or a part of what has none, does not."""
    setting = Setting(name, default)
    assert [setting.fitting(value) for value in fitting] == fitting
    assert [setting.fitting(value) for value in unfitting] == [None] * len(unfitting)


def test_faults_name_the_setting_and_what_would_do() -> None:
    """An unknown rule, an unknown setting and a value out of bounds are each told by name."""
    assert found("session-gap", attention_ratio=2, grace_hours=24) == []
    assert found("no-such-rule", anything=1) == [("/rule", "unknown_rule")]
    assert found("session-gap", ratio=2, urgent_ratio="3") == [
        ("/settings/ratio", "unknown_setting"),
        ("/settings/urgent_ratio", "out_of_range"),
    ]
    [unknown, wrong] = faults_of("session-gap", {"ratio": 2, "urgent_ratio": "3"})
    assert unknown.allowed == ("attention_ratio", "booked_ratio", "grace_hours", "urgent_ratio")
    assert wrong.message == "Send a number from 0 to 10000; the default is 2."


def test_what_cannot_be_computed_with_is_not_heard() -> None:
    """The next word that fits counts, else the default; a name nobody knows is nothing."""
    defaults = {"grace_hours": 48, "times": 2}
    assert chosen(defaults, {"grace_hours": "x", "other": 1}, {"grace_hours": 24}) == {
        "grace_hours": 24,
        "times": 2,
    }
    assert chosen(defaults, {"grace_hours": None, "times": 0}) == defaults

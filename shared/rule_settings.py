"""What can be set of each rule by ``rule.configured``: names, defaults, bounds. Pure.

The rules are the alerts service's; ingest must know what they can compute with, to refuse the
rest by name, and timelines show the same thresholds. So each rule's defaults are written beside
this file, by ``make schemas``, and ``make check`` says when they are not the rules' own.

Bounds follow from the unit that ends a setting's name. They are own: wide enough for every sane
wish, and such that nothing computed from them leaves the calendar.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.resources import files
from typing import Any, Final

from shared.errors import Fault
from shared.events.fields import pointer
from shared.values import frozen

FILE: Final = "rule_settings.json"

UNKNOWN_RULE: Final = "unknown_rule"
UNKNOWN_SETTING: Final = "unknown_setting"

_MOST: Final = 10_000

_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "percent": (0, 100),
    "points": (0, 100),
    "share": (0, 1),
    "p_at_most": (0, 1),
    "severity": (0, 4),
    "ratings": (1, _MOST),
    "sessions": (1, _MOST),
    "kinds": (1, _MOST),
    "times": (1, _MOST),
}
"""End of a name → from, to; what ends otherwise is from 0 to 10,000."""

_DIVISIBLE: Final = ("_hours", "_percent", "_points", "_weeks", "_after_days")
"""Ends of names whose values need not be whole though their defaults are."""


@frozen
class Setting:
    """One setting of a rule.

    Attributes:
        name: Its unit last, such as ``grace_hours``.
        default: What holds where nothing is set; of the same kind as every value of it.
    """

    name: str
    default: Any

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the most that it can be, where it is a number."""
        found = (span for end, span in _RANGES.items() if self.name.endswith(end))
        return next(found, (0, _MOST))

    @property
    def whole(self) -> bool:
        """Whether only whole numbers fit."""
        return isinstance(self.default, int) and not self.name.endswith(_DIVISIBLE)

    def fitting(self, value: Any) -> Any:
        """Return a value as the rule can use it, or None where it cannot."""
        if not _is_number(self.default) or not _is_number(value):
            return value if type(value) is type(self.default) else None
        least, most = self.bounds
        if not least <= value <= most:
            return None
        if isinstance(self.default, int) and value == int(value):
            return int(value)
        return None if self.whole else value

    @property
    def advice(self) -> str:
        """What to send."""
        if not _is_number(self.default):
            return "Send true or false." if isinstance(self.default, bool) else "Send a word."
        least, most = self.bounds
        kind = "whole number" if self.whole else "number"
        return f"Send a {kind} from {least:g} to {most:g}; the default is {self.default:g}."


class _Catalogue(Mapping[str, Mapping[str, Any]]):
    """Rule → its defaults, read when first asked for: an import does nothing."""

    @cached_property
    def _all(self) -> dict[str, dict[str, Any]]:
        said: dict[str, dict[str, Any]] = json.loads(
            files("shared").joinpath(FILE).read_text("utf-8")
        )
        return said

    def __getitem__(self, rule: str) -> Mapping[str, Any]:
        return self._all[rule]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)


DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = _Catalogue()
"""Every rule that can be set → its settings with their defaults."""


def faults_of(rule: str, settings: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield what is wrong with the settings of a rule; pointers into the event's data."""
    if rule not in DEFAULTS:
        yield Fault("/rule", "There is no such rule.", UNKNOWN_RULE, tuple(sorted(DEFAULTS)))
        return
    known = DEFAULTS[rule]
    for name, value in settings.items():
        if name not in known:
            message = "The rule has no such setting."
            yield Fault(
                f"/settings{pointer(name)}", message, UNKNOWN_SETTING, tuple(sorted(known))
            )
            continue
        setting = Setting(name, known[name])
        if setting.fitting(value) is None:
            yield Fault(f"/settings{pointer(name)}", setting.advice, "out_of_range")


def chosen(defaults: Mapping[str, Any], *said: Mapping[str, Any]) -> dict[str, Any]:
    """Return each setting as it was said first, where that fits, else its default.

    What no rule could compute with is not heard: ingest refuses it today, but the stream may
    hold older words, and one of them must not stop the alerts of everybody.
    """
    found: dict[str, Any] = {}
    for name, default in defaults.items():
        setting = Setting(name, default)
        fitting = (setting.fitting(one[name]) for one in said if name in one)
        found[name] = next((value for value in fitting if value is not None), default)
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

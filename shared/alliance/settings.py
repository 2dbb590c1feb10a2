"""Which settings of a rule hold at a clinic, by ``rule.configured``. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from shared.alliance.reading import Fact
from shared.rule_settings import chosen

CONFIGURED: Final = "rule.configured"


@dataclass(slots=True)
class Said:
    """What was set so far, for all clinics or for one: the latest word on each setting."""

    settings: dict[str, Any] = field(default_factory=dict)

    def hear(self, data: Mapping[str, Any]) -> None:
        """Take in one more."""
        self.settings |= data.get("settings") or {}


def settings_of(
    rule: str, defaults: Mapping[str, Any], clinic: str, facts: Iterable[Fact]
) -> dict[str, Any]:
    """Return the settings of a rule: the clinic's own, else everybody's, else the default.

    Args:
        rule: Its name.
        defaults: Its settings with their default values.
        clinic: Its ref; ``""`` for what belongs to no clinic.
        facts: What stands without a subject, in fold order.
    """
    general, own = Said(), Said()
    for fact in facts:
        if fact.type == CONFIGURED and fact.data["rule"] == rule:
            where = fact.data.get("clinic")
            if where in (None, clinic):
                (general if where is None else own).hear(fact.data)
    return chosen(defaults, own.settings, general.settings)

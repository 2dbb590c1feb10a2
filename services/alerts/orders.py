"""Which settings a rule has at a clinic, from when, and whether it is armed there. Pure.

Arming decides whether a rule is judged, not from when (invariant 8): once it is armed it judges
the whole life of a phase. Settings apply to episodes that become true from their time on.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal, Protocol

from shared.alliance.reading import Fact
from shared.alliance.settings import Said
from shared.rule_settings import chosen

BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
END: Final = datetime.max.replace(tzinfo=UTC)

DELIVERY: Final = "delivery"
"""The rule of ``rule.configured`` that holds how alerts are told."""

DELIVERY_DEFAULTS: Final[Mapping[str, Any]] = {
    "daily_cap": 5,
    "history_after_days": 14,
    "quiet_days": 0,
}
"""Own, not validated. So many notices that are not urgent a recipient gets on a day (domain.md
section 5); what became true longer ago than those days, when it is learnt, is history; for so many
days after a clinic's first event nobody is told, but of what is urgent about boundaries and
risk."""

Mode = Literal["on", "shadow", "off"]


@dataclass(frozen=True, slots=True)
class Order:
    """How a rule is judged at one clinic for episodes that begin from ``since`` on.

    Attributes:
        mode: ``shadow`` is judged and told to nobody; ``off`` begins no episode.
    """

    since: datetime
    mode: Mode
    settings: Mapping[str, Any]


class Configurable(Protocol):
    """What can be set: a rule, or anything else with a name, needs and defaults."""

    @property
    def name(self) -> str:
        """The word of ``rule.configured``."""

    @property
    def needs(self) -> frozenset[str]:
        """Words of ``clinic.configured.sends``."""

    @property
    def defaults(self) -> Mapping[str, Any]:
        """Settings with their default values."""


def orders(
    rule: Configurable, clinic: str, facts: Iterable[Fact], seen: frozenset[str] = frozenset()
) -> tuple[Order, ...]:
    """Return the orders in force at a clinic, in time; nothing where nothing was ever said.

    Args:
        rule: What is to be judged.
        clinic: Its ref; ``""`` for what belongs to no clinic.
        facts: What stands without a subject, in fold order.
        seen: Words of ``sends`` that have been seen from the clinic (``feed.seen``).
    """
    general, own, sends = _Said(), _Said(), seen
    states = [_state(rule, BEGINNING, sends, general, own)]
    for fact in facts:
        data = fact.data
        if fact.type == "clinic.configured" and data["clinic"] == clinic and "sends" in data:
            sends = seen | frozenset(data["sends"])
        elif fact.type == "rule.configured" and data["rule"] == rule.name:
            if data.get("clinic") not in (None, clinic):
                continue
            (general if data.get("clinic") is None else own).hear(data)
        else:
            continue
        states.append(_state(rule, fact.occurred_at, sends, general, own))
    return _over_the_whole_life(states)


def along(stays: Sequence[tuple[datetime, Sequence[Order]]]) -> tuple[Order, ...]:
    """Return the orders of what moved between clinics: those of each while it was there.

    Args:
        stays: Since when it was at a clinic, and the orders there; the first since ``BEGINNING``.
    """
    found: list[Order] = []
    ends = [since for since, _ in stays[1:]] + [END]
    for (since, there), end in zip(stays, ends, strict=True):
        until = [*(order.since for order in there[1:]), END][: len(there)]
        for order, over in zip(there, until, strict=True):
            if max(order.since, since) < min(over, end):
                found.append(replace(order, since=max(order.since, since)))
        if not there and since < end:
            found.append(Order(since, "off", {}))
    return tuple(found) if any(order.mode != "off" for order in found) else ()


@dataclass(slots=True)
class _Said(Said):
    """What ``rule.configured`` has said so far, for all clinics or for one."""

    enabled: bool | None = None
    shadow: bool | None = None

    def hear(self, data: Mapping[str, Any]) -> None:
        """Take in one more."""
        Said.hear(self, data)
        self.enabled = data.get("enabled", self.enabled)
        self.shadow = data.get("shadow", self.shadow)


@dataclass(frozen=True, slots=True)
class _State:
    since: datetime
    mode: Mode | None
    settings: Mapping[str, Any]


def _state(
    rule: Configurable, since: datetime, sends: frozenset[str], general: _Said, own: _Said
) -> _State:
    """Return one state; its mode is None where the rule is neither armed nor switched off."""
    enabled = general.enabled if own.enabled is None else own.enabled
    shadow = general.shadow if own.shadow is None else own.shadow
    mode: Mode | None = None
    if enabled is False:
        mode = "off"
    elif enabled or rule.needs <= sends:
        mode = "shadow" if shadow else "on"
    return _State(since, mode, chosen(rule.defaults, own.settings, general.settings))


def _over_the_whole_life(states: Sequence[_State]) -> tuple[Order, ...]:
    armed = [at for at, state in enumerate(states) if state.mode in ("on", "shadow")]
    if not armed:
        off = [state for state in states if state.mode == "off"]
        return (Order(BEGINNING, "off", off[-1].settings),) if off else ()
    found: list[Order] = []
    for at, state in enumerate(states):
        # Before it was first armed it is judged as it was then; once disarmed it is off.
        unsaid = states[armed[0]].mode if at < armed[0] else "off"
        order = Order(state.since, state.mode or unsaid or "off", state.settings)
        if not found or (found[-1].mode, found[-1].settings) != (order.mode, order.settings):
            found.append(order)
    return tuple(found)

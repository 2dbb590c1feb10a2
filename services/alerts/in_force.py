"""What is in force of each rule at a clinic, since when, and by which event. Pure.

``orders`` decides what holds; this says besides who said so, for whoever has to explain it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from services.alerts.orders import Configurable, orders
from services.alerts.seen import SEEN, WORDS, sights, words_from
from shared.alliance.reading import Fact
from shared.alliance.settings import CONFIGURED, settings_of
from shared.clock import format_time
from shared.rule_settings import Setting

CLINIC: Final = "clinic.configured"

UNARMED: Final = "unarmed"
MODES: Final = ("on", "shadow", "off", UNARMED)
"""``shadow`` is judged and told to nobody; ``off`` and ``unarmed`` begin nothing, the latter
because nothing that the rule needs was ever sent from there."""

BECAUSE: Final = ("always", "enabled", "disabled", "shadow", "sends", "seen", "nothing_sent")
"""``always``: it needs nothing; ``enabled``, ``disabled``, ``shadow``: somebody said so by
``rule.configured``; ``sends``: the clinic's configuration says that it sends what is needed;
``seen``: that was seen from there; ``nothing_sent``: neither."""

Said = tuple[Any, Fact | None]
"""What was said last, and by which fact first without another word in between."""


def clinics_in(facts: Iterable[Fact]) -> list[str]:
    """Return the clinics of which anything was said that decides about rules, sorted."""
    speaking = (CLINIC, CONFIGURED, SEEN)
    named = {fact.data.get("clinic") for fact in facts if fact.type in speaking}
    return sorted(one for one in named if one)


def in_force(rule: Configurable, clinic: str | None, facts: Sequence[Fact]) -> dict[str, Any]:
    """Return how a rule is judged at a clinic for what begins now.

    Args:
        rule: A rule, or whatever else has settings.
        clinic: Its ref; None: what was said for all clinics of the organisation.
        facts: What stands without a subject, in fold order.
    """
    said = [one for one in facts if one.type == CONFIGURED and one.data["rule"] == rule.name]
    own = [one for one in said if clinic is not None and one.data.get("clinic") == clinic]
    general = [one for one in said if one.data.get("clinic") is None]
    because, fact = _because(rule, clinic, own, general, facts)
    there = orders(rule, clinic or "", facts, words_from(sights(facts), clinic or ""))
    values = settings_of(rule.name, rule.defaults, clinic or "", facts)
    return {
        "name": rule.name,
        "mode": there[-1].mode if there else UNARMED,
        "because": because,
        **_by(fact),
        "settings": {
            name: _setting(Setting(name, default), values[name], own, general)
            for name, default in rule.defaults.items()
        },
    }


def _because(
    rule: Configurable,
    clinic: str | None,
    own: Sequence[Fact],
    general: Sequence[Fact],
    facts: Sequence[Fact],
) -> Said:
    """Return why a rule is judged as it is, and the fact that says so."""
    enabled, by = _first(_word(own, "enabled"), _word(general, "enabled"))
    if enabled is False:
        return "disabled", by
    shadow, shadowed_by = _first(_word(own, "shadow"), _word(general, "shadow"))
    found: Said = ("enabled", by) if enabled else _armed(rule, clinic, facts)
    return ("shadow", shadowed_by) if shadow and found[0] != "nothing_sent" else found


def _armed(rule: Configurable, clinic: str | None, facts: Sequence[Fact]) -> Said:
    """Return what arms a rule at a clinic: its own word, or what was seen from there."""
    if not rule.needs:
        return "always", None
    here = [one for one in facts if one.data.get("clinic") == clinic is not None]
    told = [one for one in here if one.type == CLINIC and "sends" in one.data]
    sends, by = _latest((one, rule.needs <= set(one.data["sends"])) for one in told)
    if sends:
        return "sends", by
    words = set(told[-1].data["sends"]) if told else set[str]()
    for one in (one for one in here if one.type == SEEN):
        words.add(WORDS.get(one.data["type"], ""))
        if rule.needs <= words:
            return "seen", one
    return "nothing_sent", by


def _setting(
    setting: Setting, value: Any, own: Sequence[Fact], general: Sequence[Fact]
) -> dict[str, Any]:
    """Return one setting as it is in force, and who said so: nobody where the default holds."""
    for where, said in (("clinic", own), ("organisation", general)):
        values = [
            (one, setting.fitting(settings[setting.name]))
            for one in said
            if setting.name in (settings := one.data.get("settings") or {})
        ]
        last, by = _latest(values)
        if last is not None:
            return {"value": value, "default": setting.default, "set_for": where, **_by(by)}
    return {"value": value, "default": setting.default, "set_for": None, **_by(None)}


def _word(said: Iterable[Fact], name: str) -> Said:
    return _latest((one, one.data[name]) for one in said if one.data.get(name) is not None)


def _first(*words: Said) -> Said:
    return next((word for word in words if word[0] is not None), (None, None))


def _latest(words: Iterable[tuple[Fact, Any]]) -> Said:
    """Return what was said last, and the fact since which it was said without a break."""
    last: Said = (None, None)
    for fact, word in words:
        if last[1] is None or word != last[0]:
            last = (word, fact)
    return last


def _by(fact: Fact | None) -> Mapping[str, str | None]:
    if fact is None:
        return {"since": None, "event": None}
    return {"since": format_time(fact.occurred_at), "event": fact.event}

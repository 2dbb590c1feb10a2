"""What a combined alert absorbs: its parts are shown, and told to nobody by themselves. Pure.

It absorbs only where it was told itself, and not as history: nothing that should have been told is
lost. A step of a part that was told before stays told. One that becomes urgent is told all the
same, by the combined alert, which is then urgent too.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from services.alerts.judgement import Held
from services.alerts.rule import Audience, Rule, Step
from shared.alliance.calendar import days_from
from shared.alliance.things import Clinic
from shared.values import frozen

PEERS: Final = (
    "alliance-decline",
    "alliance-drop",
    "alliance-below-cutoff",
    "alliance-out-of-control",
    "facet-drop",
    "high-then-falling",
)
"""Rules that see one and the same fall of a client's ratings, from the most informative to the
least: the first of which people are told tells of the others, to whom it is told itself."""

TOGETHER_DAYS: Final = 28
"""Own: what a peer saw so long before is the same fall."""


@frozen
class Absorbing:
    """A combined alert of which people were told.

    Attributes:
        parts: Names of the rules that it is made of.
        since: When it began to hold.
        until: When it had cleared; None while it holds.
        tell: Whom it tells: a part that tells others too is not absorbed.
        reaches: How far back a part may have become true.
    """

    alert: str
    parts: frozenset[str]
    tell: frozenset[Audience]
    since: datetime
    until: datetime | None
    reaches: datetime

    def absorbs(self, held: Held, step: Step) -> bool:
        """Return whether a step of an episode is told by it."""
        if held.rule.name not in self.parts:
            return False
        if not self.tell.issuperset(held.rule.tell.get(step.urgency, ())):
            return False
        if self.until is not None and step.effective_at >= self.until:
            return False
        holds = held.cleared_at is None or held.cleared_at > self.since
        return holds or step.effective_at >= self.reaches


def of_peer(
    alert: str, rule: Rule, since: datetime, until: datetime | None, clinic: Clinic
) -> Absorbing:
    """Return what one of several rules that see the same absorbs."""
    others = frozenset(PEERS) - {rule.name}
    tell = frozenset(rule.tell.get("attention", ()))
    reaches = days_from(clinic, since, -TOGETHER_DAYS)
    return Absorbing(alert, others, tell, since, until, reaches)


def informative(rule: Rule) -> int:
    """Return the place of a rule in the order in which alerts are decided: combined ones first."""
    if rule.family == "combined":
        return -1
    return PEERS.index(rule.name) if rule.name in PEERS else len(PEERS)


def absorbed_by(absorbing: Iterable[Absorbing], held: Held, step: Step) -> str | None:
    """Return the combined alert that tells of a step, if any does: the one that began first."""
    found = [one for one in absorbing if one.absorbs(held, step)]
    return min(found, key=lambda one: (one.since, one.alert)).alert if found else None

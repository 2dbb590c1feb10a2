"""What a combined alert absorbs: its parts are shown, and told to nobody by themselves. Pure.

It absorbs only where it was told itself, and not as history: nothing that should have been told is
lost. A step of a part that was told before stays told. One that becomes urgent is told all the
same, by the combined alert, which is then urgent too.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from services.alerts.judgement import Held
from services.alerts.rule import Step
from shared.values import frozen


@frozen
class Absorbing:
    """A combined alert of which people were told.

    Attributes:
        parts: Names of the rules that it is made of.
        since: When it began to hold.
        until: When it had cleared; None while it holds.
        before: How long before ``since`` a part may have become true.
    """

    alert: str
    parts: frozenset[str]
    since: datetime
    until: datetime | None
    before: timedelta

    def absorbs(self, held: Held, step: Step) -> bool:
        """Return whether a step of an episode is told by it."""
        if held.rule.name not in self.parts:
            return False
        if self.until is not None and step.effective_at >= self.until:
            return False
        holds = held.cleared_at is None or held.cleared_at > self.since
        return holds or step.effective_at >= self.since - self.before


def absorbed_by(absorbing: Iterable[Absorbing], held: Held, step: Step) -> str | None:
    """Return the combined alert that tells of a step, if any does: the one that began first."""
    found = [one for one in absorbing if one.absorbs(held, step)]
    return min(found, key=lambda one: (one.since, one.alert)).alert if found else None

"""What judging comes to: what holds of each, and what there is to tell of all of them together."""

from dataclasses import dataclass, field
from datetime import datetime

from services.alerts.decided import Decided
from services.alerts.judging import Found
from services.alerts.store import Shown
from shared.storage.replacing import Who


@dataclass(frozen=True, slots=True)
class Judged:
    """What a judgement of several clients comes to.

    Attributes:
        all: What was found of each.
        stale: What is not shown as it is.
        places: Where each of them stands, whom mergers tie to them too.
        waiting: Who could not be judged now, because somebody tied to them cannot.
        silent: Alerts of which something was hushed: organisation and alert.
    """

    all: list[Found]
    stale: list[Shown]
    places: dict[Who, int] = field(default_factory=dict)
    waiting: list[Who] = field(default_factory=list)
    silent: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Telling:
    """What a transaction has to tell and to show, once everybody in it is judged.

    Attributes:
        places: Who was judged, and the partition of their facts.
        steps: What was decided of anybody.
        hushed: Whose alerts are not told for now: organisation, alert, the present.
        silent: Alerts of which something was hushed: organisation and alert.
        stale: What is not shown as it is.
    """

    places: dict[Who, int] = field(default_factory=dict)
    steps: list[Decided] = field(default_factory=list)
    hushed: list[tuple[str, str, datetime]] = field(default_factory=list)
    silent: list[tuple[str, str]] = field(default_factory=list)
    stale: list[Shown] = field(default_factory=list)

    def add(self, judged: Judged) -> None:
        """Add what a judgement comes to."""
        self.places.update(judged.places)
        self.stale.extend(judged.stale)
        self.silent.extend(judged.silent)
        for one in judged.all:
            organisation, _ = one.life.who
            self.steps.extend(one.steps)
            self.hushed.extend((organisation, alert, at) for alert, at in one.hushed.items())

    @property
    def sayable(self) -> set[tuple[str, str]]:
        """What was hushed and may be said: also what another let fall silent meanwhile."""
        moved = {(step.subject.organisation, step.alert) for step in self.steps if step.number > 1}
        muted = {(organisation, alert) for organisation, alert, _ in self.hushed}
        return {*self.silent, *moved} - muted

    @property
    def organisations(self) -> list[str]:
        """Whose recipients it may concern, in the order in which they are waited for."""
        spoken = {step.subject.organisation for step in self.steps}
        muted = {organisation for organisation, _, _ in self.hushed}
        return sorted(spoken | muted | {organisation for organisation, _ in self.silent})

"""What an organisation's facts about many clients say, as the rules read it, remembered."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from services.alerts.alert import Action, actions_in
from services.alerts.decided import Terms
from services.alerts.orders import (
    BEGINNING,
    DELIVERY,
    DELIVERY_DEFAULTS,
    Order,
    along,
    orders,
)
from services.alerts.rule import Rule
from services.alerts.seen import SEEN, Sight, sights, words_from
from services.alerts.silence import Silences, silences
from services.alerts.tables import Tables
from shared.alliance.clinics import Surroundings, surroundings
from shared.alliance.reading import Fact, standing
from shared.alliance.settings import settings_of
from shared.envelope import Envelope
from shared.storage.shared_facts import MOST_FACTS, Remembered


class Organisation:
    """What an organisation's facts without a subject say, read once for many clients."""

    def __init__(self, organisation: str, envelopes: Sequence[Envelope]) -> None:
        """Read the facts that stand, as one partition holds them."""
        self.id = organisation
        self.facts: tuple[Fact, ...] = standing(envelopes).facts
        self.around: Surroundings = surroundings(organisation, envelopes)
        self.silences: Silences = silences(self.facts)
        self.seen: frozenset[Sight] = sights(self.facts)
        self.actions: list[Action] = actions_in(envelopes)
        self.acted_on: frozenset[str] = frozenset(action.alert for action in self.actions)
        self._delivery: dict[str, Mapping[str, Any]] = {}
        self._orders: dict[tuple[str, str], tuple[Order, ...]] = {}
        self._orders_at: dict[tuple[str, str], tuple[Order, ...]] = {}

    def orders(self, rule: Rule, clinic: str) -> tuple[Order, ...]:
        """Return the orders of a rule at a clinic."""
        key = (rule.name, clinic)
        if key not in self._orders:
            self._orders[key] = orders(rule, clinic, self.facts, words_from(self.seen, clinic))
        return self._orders[key]

    def orders_at(self, rule: Rule, clinic: str) -> tuple[Order, ...]:
        """Return the orders of what was at one clinic alone, always."""
        key = (rule.name, clinic)
        if key not in self._orders_at:
            self._orders_at[key] = along([(BEGINNING, self.orders(rule, clinic))])
        return self._orders_at[key]

    def history_after(self, clinic: str) -> timedelta:
        """Return how old a step may be when it becomes known, to be news."""
        return timedelta(days=self._of_delivery(clinic)["history_after_days"])

    def terms(self, clinic: str, until: datetime, heard: Callable[[], datetime]) -> Terms:
        """Return how people are told at a clinic at a moment.

        Args:
            clinic: Its ref; ``""``: several, or none.
            until: The moment.
            heard: When it was heard of at the latest: the stream may not say yet what it has sent.
        """
        said = self._of_delivery(clinic)
        if not said["quiet_days"]:
            return Terms(said["daily_cap"])
        latest = heard()
        began = min(self._began.get(clinic, latest), latest)
        quiet_until = began + timedelta(days=said["quiet_days"])
        return Terms(said["daily_cap"], quiet_until if until < quiet_until else None)

    @cached_property
    def _began(self) -> dict[str, datetime]:
        """Clinic → when it first sent anything, as far as the stream says so."""
        first: dict[str, datetime] = {}
        for fact in self.facts:
            if fact.type == SEEN:
                for clinic in (fact.data["clinic"], ""):
                    first[clinic] = min(fact.occurred_at, first.get(clinic, fact.occurred_at))
        return first

    def _of_delivery(self, clinic: str) -> Mapping[str, Any]:
        if clinic not in self._delivery:
            self._delivery[clinic] = settings_of(DELIVERY, DELIVERY_DEFAULTS, clinic, self.facts)
        return self._delivery[clinic]


class Organisations(Remembered[Organisation]):
    """Reads organisations, and remembers those read last."""

    def __init__(self, tables: Tables, most_facts: int = MOST_FACTS) -> None:
        """Remember nothing yet."""
        super().__init__(tables.facts, tables.shared, Organisation, most_facts)

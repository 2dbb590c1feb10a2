"""Judge one phase by one rule, as the clinic has ordered it. Pure.

The rule itself knows one set of settings and one ``until``. Here its verdicts under the settings
of each time are put together: an episode keeps the settings that it began with.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import orjson

from services.alerts.orders import BEGINNING, END, Order
from services.alerts.rule import Episode, Rule, Step, Verdict
from shared.alliance.history import Span
from shared.values import frozen


@frozen
class Held:
    """An episode, with what it was judged by.

    Attributes:
        steps: Those that somebody may be told of: neither in shadow nor while the client had
            withdrawn consent to alerts. Empty for an episode that only the shadow knows.
    """

    rule: Rule
    episode: Episode
    settings: Mapping[str, Any]
    steps: tuple[Step, ...]

    @property
    def id(self) -> str:
        """The episode's id."""
        return self.episode.id

    @property
    def effective_at(self) -> datetime:
        """When it began to hold."""
        return self.episode.effective_at

    @property
    def cleared_at(self) -> datetime | None:
        """When it had cleared; None while it holds."""
        return self.episode.cleared_at


@frozen
class Judged:
    """What one rule says of one phase, and when time alone could change it."""

    held: tuple[Held, ...]
    due_at: datetime | None


class Judge(Protocol):
    """Judges under given settings."""

    def __call__(self, settings: Mapping[str, Any], /) -> Verdict:
        """Return the verdict over the whole life, up to the horizon."""


def judged(
    rule: Rule,
    judge: Judge,
    orders: Sequence[Order],
    *,
    stopped: Sequence[Span] = (),
    unwanted: Sequence[Span] = (),
) -> Judged:
    """Return what a rule holds over the whole life of what ``judge`` judges.

    Args:
        rule: The rule.
        judge: The rule, bound to a phase and a horizon.
        orders: The orders in force there.
        stopped: While consent to processing was withdrawn: nothing begins.
        unwanted: While consent to alerts was withdrawn: what becomes true is told to nobody.
    """
    verdicts: dict[bytes, Verdict] = {}
    found: list[Held] = []
    ends = [order.since for order in orders[1:]] + [END]
    for order, end in zip(orders, ends, strict=True):
        if order.mode == "off":
            continue
        key = orjson.dumps(order.settings, option=orjson.OPT_SORT_KEYS)
        if key not in verdicts:
            verdicts[key] = judge(order.settings)
        for episode in verdicts[key].episodes:
            began = episode.effective_at
            if not order.since <= began < end or _within(began, stopped):
                continue
            if found and found[-1].settings != order.settings and _still_holds(found[-1], began):
                continue
            steps = () if order.mode == "shadow" else _told(episode, unwanted)
            found.append(Held(rule, episode, order.settings, steps))
    due = [verdict.due_at for verdict in verdicts.values() if verdict.due_at is not None]
    return Judged(tuple(found), min(due, default=None))


def always(rule: Rule) -> tuple[Order, ...]:
    """Return the orders of a rule that needs no arming: its defaults, always."""
    return (Order(BEGINNING, "on", rule.defaults),)


def _told(episode: Episode, unwanted: Sequence[Span]) -> tuple[Step, ...]:
    return tuple(step for step in episode.steps if not _within(step.effective_at, unwanted))


def _within(moment: datetime, spans: Sequence[Span]) -> bool:
    return any(
        span.start <= moment and (span.until is None or moment < span.until) for span in spans
    )


def _still_holds(held: Held, moment: datetime) -> bool:
    """An open episode keeps the settings that it began with: no other begins meanwhile."""
    return held.cleared_at is None or moment < held.cleared_at

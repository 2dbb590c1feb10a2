"""Decide which steps the alerts of one subject and rule take. Pure.

One judgement gives an alert one step at most: what changed since the step before it. The same
facts judged again give none, because what was said is a matter of record.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from services.alerts.alert import (
    RANKS,
    Action,
    Kind,
    Standing,
    Subject,
    body_of,
    delivered,
    evidence,
    fingerprint,
    history_of,
    name_again,
    peak,
    standing,
    still_said,
    tells_of,
)
from services.alerts.concerns import UNKNOWN
from services.alerts.difference import Difference, Pair, difference
from services.alerts.judgement import Held
from services.alerts.rule import Rule, Step
from shared import ids
from shared.clock import format_time
from shared.values import frozen

SOURCE: Final = "urn:rapport:alerts"
"""The CloudEvents source of what this service writes."""

Telling = Literal["news", "history", "correction", "nobody"]
"""``news`` is told; ``history`` waits in the ledger; ``correction`` is told to who was told."""


@dataclass(frozen=True, slots=True)
class Known:
    """An alert as the record of its steps has it: the last step, and what led to it.

    Attributes:
        first: Orders alerts by when they were opened.
        number: How many steps it has taken.
        round: How often it was opened: again after it was retracted.
        keys: The steps of its episode that were said in this round.
        opened_at: When it was opened for the first time, as the stream knew the time.
        escalated_at: When it was last opened or escalated, as the stream knew the time.
        told: Whether anybody was told of it, or has acted on it.
        concerned: The staff whom it concerned in any of its steps.
        hidden: True where it vanished.
        shown: The number of the step that is shown; 0 where none is.
    """

    alert: str
    first: int
    number: int
    round: int
    kind: Kind
    keys: tuple[str, ...]
    effective_at: datetime
    cleared_at: datetime | None
    opened_at: datetime
    escalated_at: datetime
    told: bool
    concerned: frozenset[str]
    body: Mapping[str, Any]
    hidden: bool
    shown: int

    def known_to_somebody(self) -> "Known":
        """Return the same, told: whoever acted on it knows of it."""
        return replace(self, told=True)

    @property
    def retracted(self) -> bool:
        """Whether it was taken back."""
        return bool(self.body["state"] == "retracted")


@dataclass(frozen=True, slots=True)
class Decided:
    """One step of an alert, ready to be kept.

    Attributes:
        key: What names an opened or escalated step; empty for the others.
        hidden: True for one that vanishes: nobody knew of it, so the list forgets it.
        decided_at: The present, as the stream knew it.
        opened_at: The same, when the alert was opened for the first time.
    """

    subject: Subject
    alert: str
    number: int
    round: int
    kind: Kind
    key: str
    keys: tuple[str, ...]
    effective_at: datetime
    cleared_at: datetime | None
    decided_at: datetime
    opened_at: datetime
    escalated_at: datetime
    concerned: frozenset[str]
    body: Mapping[str, Any]
    telling: Telling
    hidden: bool = False

    @property
    def step(self) -> str:
        """What names the step within its alert: for what is told, equal whenever it is told."""
        if self.kind in ("opened", "escalated"):
            return f"{self.kind}:{self.round}:{self.key}"
        return f"{self.kind}:{self.round if self.kind == 'retracted' else self.number}"

    @property
    def id(self) -> str:
        """The step's id everywhere: ``ce_id`` on the topic, ``webhook-id`` to recipients."""
        return ids.event_id(
            self.subject.organisation, self.subject.client, SOURCE, f"{self.alert}/{self.step}"
        )


def _in_no_group(_: Held) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What else a decision depends on.

    Attributes:
        until: The present, as the stream knows it.
        latest_recorded: When the client's latest fact was recorded.
        history_after: What became true longer ago than this is history.
        actions: What people did about the alerts of this subject, in order.
        concerns: Event ids → the staff whom the boundary events among them concern.
        group: An episode → the group that its alert is told with, if any.
        muted: True while the client's consent to alerts is withdrawn: nobody is told anything.
    """

    until: datetime
    latest_recorded: datetime
    history_after: timedelta
    actions: Sequence[Action]
    concerns: Callable[[Iterable[str]], frozenset[str]]
    group: Callable[[Held], str | None] = _in_no_group
    muted: bool = False


@frozen
class Outcome:
    """What a judgement comes to.

    Attributes:
        steps: What is new.
        wakes_at: When the first snooze ends, if any lasts.
    """

    steps: tuple[Decided, ...]
    wakes_at: datetime | None


_NOTHING: Final = Outcome((), None)


def decide(
    subject: Subject,
    rule: Rule | None,
    held: Sequence[Held],
    alerts: Sequence[Known],
    around: Circumstances,
) -> Outcome:
    """Return the steps that the alerts of one subject and rule take now.

    Without a rule nothing can hold: what is known is closed.
    """
    if not held and not alerts:
        return _NOTHING  # So it is for most rules, of most clients.
    shown = [one for one in held if one.steps]
    found: Difference[Held, Known] = difference(shown, alerts, _another_id)
    steps: list[Decided] = []
    wakes: list[datetime] = []
    if rule is not None:
        for pair in found.pairs:
            decided, stands = _stepped(subject, rule, pair, around)
            steps += [decided] if decided else []
            wakes += [stands.wakes_at] if stands.wakes_at else []
    for known in found.merged:
        step = _closed(subject, known, "resolved", "nobody", around)
        steps += [step] if fingerprint(step.body) != fingerprint(known.body) else []
    moving = {step.alert for step in steps} | {pair.alert for pair in found.pairs}
    moving |= {known.alert for known in (*found.retracted, *found.vanished)}
    for known in alerts:
        if known.alert not in moving and not known.hidden:
            steps += _amended(subject, known, around)
    steps += [
        _closed(subject, known, "retracted", "correction", around) for known in found.retracted
    ]
    steps += [
        replace(_closed(subject, known, "retracted", "nobody", around), hidden=True)
        for known in found.vanished
    ]
    return Outcome(tuple(steps), min(wakes, default=None))


def historical(
    step: Step, rule: Rule, latest_recorded: datetime, history_after: timedelta
) -> bool:
    """Return whether a step became true long before it was learnt (invariant 9).

    Never against a tick: a ticker that was away makes no history.
    """
    learnt = latest_recorded
    if not step.deadline:
        learnt = max(fact.known_at for fact in step.evidence)
    if step.effective_at + history_after >= learnt:
        return False
    return not rule.always_news or all(fact.backfill for fact in step.evidence)


def _stepped(
    subject: Subject, rule: Rule, pair: Pair[Held, Known], around: Circumstances
) -> tuple[Decided | None, Standing]:
    """Return the step that a pair takes, if any, and where the alert stands."""
    held, known = pair.episode, pair.known
    fresh = known is None or known.retracted
    standing_keys = {step.key for step in held.steps}
    said = () if known is None or fresh else still_said(known.keys, standing_keys)
    new = [step for step in held.steps if step.key not in said]
    rises = [step for step in new if RANKS[step.urgency] >= peak(said)]
    escalated_at = around.until if known is None or fresh or rises else known.escalated_at
    mine = [action for action in around.actions if action.alert == pair.alert]
    stands = standing(held.cleared_at, mine, escalated_at, around.until, subject.zone)
    before = frozenset() if known is None else known.concerned
    concerned = before - {UNKNOWN} | around.concerns(fact.event for fact in evidence(held))
    # A late fact may put a step between those that were said: what is told is what is new.
    news = rises[-1] if rises else held.steps[-1]
    is_history = bool(known and known.body["historical"])
    if fresh or rises:
        is_history = historical(news, rule, around.latest_recorded, around.history_after)
    body = body_of(
        pair.alert,
        subject,
        held,
        stands,
        historical=is_history,
        concerned=concerned,
        group=around.group(held),
    )
    kind = _kind(known, bool(rises), body, mine)
    if kind is None and concerned != before:
        kind = "revised"  # It says the same, and another must not read it.
    if kind is None:
        return None, stands
    said_aloud = kind in ("opened", "escalated") and delivered(news.urgency)
    told = said_aloud and not around.muted
    step = Decided(
        subject=subject,
        alert=pair.alert,
        number=(known.number if known else 0) + 1,
        round=(known.round if known else 0) + (1 if fresh else 0),
        kind=kind,
        key=name_again(news.key, said) if kind in ("opened", "escalated") else "",
        keys=(*said, *(step.key for step in new)),
        effective_at=held.effective_at,
        cleared_at=held.cleared_at,
        decided_at=around.until,
        opened_at=known.opened_at if known else around.until,
        escalated_at=escalated_at,
        concerned=concerned,
        body=body,
        telling=("history" if is_history else "news") if told else "nobody",
    )
    return _with_history(step, known, mine), stands


def _kind(
    known: Known | None, rises: bool, body: Mapping[str, Any], actions: Sequence[Action]
) -> Kind | None:
    """Return what the step is, or None where nothing is different."""
    if known is None or known.retracted:
        return "opened"
    if rises:
        return "escalated"
    if fingerprint(body) == fingerprint(known.body) and tells_of(known.body["history"], actions):
        return None
    if body["state"] == "resolved" and known.body["state"] != "resolved":
        return "resolved"
    return "revised"


def _closed(
    subject: Subject, known: Known, kind: Kind, telling: Telling, around: Circumstances
) -> Decided:
    """Return the last step of an alert that has no episode of its own any more."""
    mine = [action for action in around.actions if action.alert == known.alert]
    step = Decided(
        subject=subject,
        alert=known.alert,
        number=known.number + 1,
        round=known.round,
        kind=kind,
        key="",
        keys=known.keys,
        effective_at=known.effective_at,
        cleared_at=known.cleared_at,
        decided_at=around.until,
        opened_at=known.opened_at,
        escalated_at=known.escalated_at,
        concerned=known.concerned - {UNKNOWN}
        | around.concerns(one["event"] for one in known.body["evidence"]),
        body={**_own(known.body), "state": kind, "snoozed_until": None},
        telling=telling,
    )
    return _with_history(step, known, mine)


def _own(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body without what belongs to one step alone."""
    return {name: said for name, said in body.items() if name != "settled"}


def _amended(subject: Subject, known: Known, around: Circumstances) -> list[Decided]:
    """Return the step of an alert that is over, where people act on it, or it concerns others."""
    step = _closed(subject, known, "revised", "nobody", around)
    mine = [action for action in around.actions if action.alert == known.alert]
    if step.concerned == known.concerned and tells_of(known.body["history"], mine):
        return []
    return [replace(step, body={**step.body, "state": known.body["state"]})]


def _with_history(step: Decided, known: Known | None, actions: Sequence[Action]) -> Decided:
    entry = {
        "step": step.kind,
        "at": format_time(step.decided_at),
        "urgency": step.body["urgency"],
        "id": step.id,
    }
    before = known.body["history"] if known else []
    return replace(step, body={**step.body, "history": history_of(before, entry, actions)})


def _another_id(episode: str, n: int) -> str:
    return ids.derived_id("alert", episode, str(n))

"""Decide which steps the alerts of one subject and rule take. Pure.

One judgement gives an alert one step at most: what changed since the step before it. The same
facts judged again give none, because what was said is a matter of record.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from services.alerts.absorbing import Absorbing, absorbed_by
from services.alerts.alert import (
    URGENT,
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
    standing,
    tells_of,
)
from services.alerts.decided import SOURCE, Decided, Known, Telling, Terms
from services.alerts.difference import Difference, Pair, difference
from services.alerts.judgement import Held
from services.alerts.news import New, new_of
from services.alerts.rule import Rule, Step
from shared import ids
from shared.alliance.matters import UNKNOWN
from shared.clock import format_time
from shared.values import frozen

__all__ = [
    "SOURCE",
    "Circumstances",
    "Decided",
    "Known",
    "Outcome",
    "Telling",
    "Terms",
    "decide",
]


def _in_no_group(_: Held) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What else a decision depends on.

    Attributes:
        until: The present, as the stream knows it.
        latest_recorded: When the client's latest fact was recorded.
        history_after: What became true longer ago than this is history.
        terms: How people are told at the clinic.
        actions: What people did about the alerts of this subject, in order.
        concerns: Event ids → the staff whom the boundary events among them concern.
        absorbing: Combined alerts of the same phase that tell of their parts.
        group: An episode → the group that its alert is told with, if any.
        muted: True while the client's consent is withdrawn: nobody is told anything.
    """

    until: datetime
    latest_recorded: datetime
    history_after: timedelta
    terms: Terms
    actions: Sequence[Action]
    concerns: Callable[[Iterable[str]], frozenset[str]]
    group: Callable[[Held], str | None] = _in_no_group
    absorbing: Sequence[Absorbing] = ()
    muted: bool = False


@frozen
class Outcome:
    """What a judgement comes to.

    Attributes:
        steps: What is new.
        wakes_at: When the first snooze ends, if any lasts.
        alerts: The alert of each episode.
    """

    steps: tuple[Decided, ...]
    wakes_at: datetime | None
    alerts: tuple[tuple[str, Held], ...] = ()


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
    steps += [_vanished(subject, known, around) for known in found.vanished]
    named = tuple((pair.alert, pair.episode) for pair in found.pairs)
    return Outcome(tuple(steps), min(wakes, default=None), named)


def _stepped(
    subject: Subject, rule: Rule, pair: Pair[Held, Known], around: Circumstances
) -> tuple[Decided | None, Standing]:
    """Return the step that a pair takes, if any, and where the alert stands."""
    held, known = pair.episode, pair.known
    new = new_of(rule, pair, around.latest_recorded, around.history_after)
    before = frozenset() if known is None else known.concerned
    concerned = before - {UNKNOWN} | around.concerns(fact.event for fact in evidence(held))
    absorbed, released = _absorption(held, known, new.news, around, new.moves, new.historical)
    released = released or _holds_again(held, known, new, around)
    escalated_at = known.escalated_at if known and not (new.moves or released) else around.until
    mine = [action for action in around.actions if action.alert == pair.alert]
    stands = standing(held.cleared_at, mine, escalated_at, around.until, subject.zone)
    body = body_of(
        pair.alert,
        subject,
        held,
        stands,
        historical=new.historical,
        concerned=concerned,
        group=around.group(held),
        absorbed_by=absorbed,
    )
    kind = _kind(known, new, body, mine, released=released, concerns_others=concerned != before)
    if kind is None:
        return None, stands
    said_aloud = kind in ("opened", "escalated") and delivered(new.news.urgency)
    telling = _instead(known, concerned)
    if said_aloud and absorbed is None:
        telling = _telling(rule, new.news, around, new.historical)
    step = Decided(
        subject=subject,
        alert=pair.alert,
        number=(known.number if known else 0) + 1,
        round=(known.round if known else 0) + (1 if new.fresh or released else 0),
        kind=kind,
        key=name_again(new.news.key, new.said) if kind in ("opened", "escalated") else "",
        keys=new.keys,
        effective_at=held.effective_at,
        cleared_at=held.cleared_at,
        decided_at=around.until,
        opened_at=known.opened_at if known else around.until,
        escalated_at=escalated_at,
        concerned=concerned,
        body=body,
        telling=telling,
        terms=around.terms,
        muted=around.muted,
    )
    return _with_history(step, known, mine), stands


def _telling(rule: Rule, news: Step, around: Circumstances, history: bool) -> Telling:
    """Return whether a step is told at once, or waits as history or for a quiet start to end."""
    if history:
        return "history"
    cannot_wait = rule.always_news and news.urgency == URGENT
    return "news" if around.terms.quiet_until is None or cannot_wait else "quiet"


def _instead(known: Known | None, concerned: frozenset[str]) -> Telling:
    """Return whether others may have to be told: it concerns somebody whom it did not before."""
    if known is None or not known.told:
        return "nobody"
    return "instead" if concerned - known.concerned - {UNKNOWN} else "nobody"


def _absorption(
    held: Held, known: Known | None, news: Step, around: Circumstances, moves: bool, history: bool
) -> tuple[str | None, bool]:
    """Return the combined alert that tells of it instead, and whether none does any more.

    What was told by itself stays told. Of what was not, people are told once the combined alert
    was taken back, where it holds still.
    """
    now = None
    if delivered(news.urgency) and not history:
        now = absorbed_by(around.absorbing, held, news)
    if known is None or moves:
        return now, False
    was: str | None = known.body.get("absorbed_by")
    if was is None or now is not None:
        return (None if was is None else now), False
    if held.cleared_at is None and known.body["state"] in ("open", "snoozed"):
        return None, True
    return was, False


def _holds_again(held: Held, known: Known | None, new: New, around: Circumstances) -> bool:
    """Return whether an alert that was over before anybody was told of it holds after all.

    It opens again, for who is told of it for the first time. What a quiet start holds back is
    named in its report as it stands then.
    """
    if known is None or known.told or new.moves or not delivered(new.news.urgency):
        return False
    reported = around.terms.quiet_until is not None and not new.historical
    return known.cleared_at is not None and held.cleared_at is None and not reported


def _kind(
    known: Known | None,
    new: New,
    body: Mapping[str, Any],
    actions: Sequence[Action],
    *,
    released: bool,
    concerns_others: bool,
) -> Kind | None:
    """Return what the step is, or None where nothing is different."""
    if known is None or known.retracted:
        return "opened"
    if released and not known.told:
        return "opened"  # So it is for who is told of it for the first time.
    if new.rises or released:
        return "escalated"
    if fingerprint(body) == fingerprint(known.body) and tells_of(known.body["history"], actions):
        # It says the same; another may have to be kept from reading it.
        return "revised" if concerns_others else None
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
        body={
            **_own(known.body),
            "client": subject.client,
            "state": kind,
            "snoozed_until": None,
        },
        telling=telling,
        terms=around.terms,
        muted=around.muted,
    )
    return _with_history(step, known, mine)


def _vanished(subject: Subject, known: Known, around: Circumstances) -> Decided:
    """Return the last step of an alert of which nobody was told: it is shown nowhere any more."""
    step = _closed(subject, known, "retracted", "nobody", around)
    return replace(step, hidden=True, body={**step.body, "untold": True})


def _own(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body without what belongs to one step alone."""
    return {name: said for name, said in body.items() if name not in ("settled", "untold")}


def _amended(subject: Subject, known: Known, around: Circumstances) -> list[Decided]:
    """Return the step of an alert that is over, where people act on it, or it concerns others."""
    step = _closed(subject, known, "revised", "nobody", around)
    mine = [action for action in around.actions if action.alert == known.alert]
    if step.concerned == known.concerned and tells_of(known.body["history"], mine):
        return []
    # What was taken back concerns nobody else any more.
    telling = "nobody" if known.retracted else _instead(known, step.concerned)
    return [replace(step, body={**step.body, "state": known.body["state"]}, telling=telling)]


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

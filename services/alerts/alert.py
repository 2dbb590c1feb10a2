"""What leadership sees of an episode: the alert, as contract.md writes it. Pure."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import orjson

from services.alerts.judgement import Held
from services.alerts.rule import Step, Urgency
from shared.alliance.reading import Fact
from shared.alliance.registers import instrument_of
from shared.alliance.wording import listed
from shared.clock import format_time, parse_time
from shared.envelope import Envelope

Kind = Literal["opened", "escalated", "revised", "resolved", "retracted"]
State = Literal["open", "snoozed", "resolved", "retracted"]

URGENT: Final = "urgent"
RANKS: Final[Mapping[str, int]] = {"information": 0, "attention": 1, URGENT: 2}

VOIDED: Final = "~"
"""Ends the key of a step that was said, and does not hold any more."""

ACTIONS: Final = ("alert.acknowledged", "alert.snoozed", "alert.resolved", "alert.commented")
"""What people do about alerts; on the topic of events they are nothing else."""

UNHASHED: Final = frozenset({"id", "known_at", "history", "settled"})
"""Fields that change without anything being different for who reads the alert."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What alerts are about: a client with one therapist in one course of care, or a source.

    Attributes:
        client: Opaque id; for an alert about a feed, the source's id.
        clinics: The phase's clinic; for a feed, every clinic that it sent for.
        zone: IANA name of the clinic's time zone.
    """

    organisation: str
    client: str
    care: str
    therapist: str
    clinics: tuple[str, ...]
    zone: str = "UTC"

    @property
    def clinic(self) -> str:
        """The one clinic; empty where there are none or several."""
        return self.clinics[0] if len(self.clinics) == 1 else ""

    @property
    def key(self) -> tuple[str, str]:
        """What tells subjects of one client apart."""
        return (self.care, self.therapist)


@dataclass(frozen=True, slots=True)
class Action:
    """What somebody did about an alert.

    Attributes:
        by: Opaque reference of the person, or of the key where it belongs to nobody.
        until: The last day of a snooze, in the clinic's zone.
        word: The code of a comment, the reason of a resolve.
    """

    name: str
    alert: str
    by: str
    at: datetime
    recorded_at: datetime
    until: date | None = None
    word: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an alert stands between its condition and what people did.

    Attributes:
        snoozed_until: Last day of a snooze that still hides it.
        wakes_at: When that snooze ends.
    """

    state: State
    acknowledged_by: tuple[str, ...]
    snoozed_until: date | None = None
    wakes_at: datetime | None = None


def actions_in(envelopes: Iterable[Envelope]) -> list[Action]:
    """Return people's actions among envelopes, in the order in which they were done."""
    found = [envelope for envelope in envelopes if envelope.event.type in ACTIONS]
    found.sort(key=lambda one: (one.event.time, one.recorded_at, one.event.source, one.event.id))
    return [_action(envelope) for envelope in found]


def standing(
    cleared_at: datetime | None,
    actions: Sequence[Action],
    escalated_at: datetime,
    until: datetime,
    zone: str,
) -> Standing:
    """Return where an alert stands.

    Args:
        cleared_at: When its condition had cleared, if it has.
        actions: What people did about it, in order.
        escalated_at: When it was last opened or escalated: that ends what was done before.
        until: The present, as the stream knows it.
        zone: IANA name of the clinic's time zone.
    """
    known_by = tuple(dict.fromkeys(one.by for one in actions if one.name == "alert.acknowledged"))
    since = [one for one in actions if one.recorded_at >= escalated_at]
    if cleared_at is not None or any(one.name == "alert.resolved" for one in since):
        return Standing("resolved", known_by)
    snoozes = [one.until for one in since if one.name == "alert.snoozed" and one.until]
    if snoozes:
        wakes_at = snooze_end(snoozes[-1], zone)
        if until < wakes_at:
            return Standing("snoozed", known_by, snoozes[-1], wakes_at)
    return Standing("open", known_by)


def snooze_end(last_day: date, zone: str) -> datetime:
    """Return the end of a day in a clinic's zone."""
    midnight = datetime.min.time()
    return datetime.combine(last_day + timedelta(days=1), midnight, ZoneInfo(zone))


def body_of(
    alert: str,
    subject: Subject,
    held: Held,
    stands: Standing,
    *,
    historical: bool,
    concerned: Collection[str],
    group: str | None = None,
    absorbed_by: str | None = None,
) -> dict[str, Any]:
    """Return an alert as contract.md writes it, without its history."""
    rule, last = held.rule, held.steps[-1]
    told_by = {} if absorbed_by is None else {"absorbed_by": absorbed_by}
    return {
        "id": alert,
        "client": subject.client,
        "clinic": subject.clinic or None,
        "therapist": subject.therapist or None,
        "rule": rule.name,
        "rule_version": rule.version,
        "family": rule.family,
        "urgency": last.urgency,
        "state": stands.state,
        "historical": historical,
        "effective_at": format_time(held.effective_at),
        "known_at": format_time(last.known_at),
        "cleared_at": None if held.cleared_at is None else format_time(held.cleared_at),
        "title": held.episode.title,
        "explanation": _explained(last),
        "numbers": dict(last.numbers),
        "settings": dict(held.settings),
        "evidence": [_evidence(fact, subject.clinic) for fact in evidence(held)],
        "not_counted": [
            {"reason": reason, "n": n} for reason, n in sorted(last.not_counted.items())
        ],
        "next_steps": list(rule.next_steps),
        "tell": list(rule.tell.get(last.urgency, ())),
        "concerns_hidden": bool(concerned),
        "group": group,
        "acknowledged_by": list(stands.acknowledged_by),
        "snoozed_until": (
            None if stands.snoozed_until is None else stands.snoozed_until.isoformat()
        ),
        **told_by,
    }


def _explained(step: Step) -> str:
    """Return the words of a step; where they rest on what nobody has validated, they say so."""
    given = [fact.data for fact in step.evidence if fact.type == "rating.given"]
    asked = [instrument for data in given if (instrument := instrument_of(data))]
    own = sorted({one.key for one in asked if not one.validated})
    if not own:
        return step.explanation
    said = step.explanation.removesuffix(".")
    return f"{said} (by {listed(own)}: Rapport's own, not validated)."


def evidence(held: Held) -> list[Fact]:
    """Return the facts that an episode's steps stand on, each once, in order."""
    return list({fact.event: fact for step in held.steps for fact in step.evidence}.values())


def history_of(
    before: Sequence[Mapping[str, Any]],
    entry: Mapping[str, Any],
    actions: Sequence[Action],
) -> list[dict[str, Any]]:
    """Return the steps so far and people's actions in between, oldest first; never shorter."""
    entries = [dict(one) for one in before]
    entries += [one for one in _entries(actions) if one not in entries] + [dict(entry)]
    return sorted(entries, key=lambda one: parse_time(one["at"]))


def tells_of(history: Sequence[Mapping[str, Any]], actions: Sequence[Action]) -> bool:
    """Return whether a history tells of everything that people did."""
    return all(entry in history for entry in _entries(actions))


def fingerprint(body: Mapping[str, Any]) -> str:
    """Return what is equal for two bodies that say the same."""
    said = {name: value for name, value in body.items() if name not in UNHASHED}
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def etag(body: Mapping[str, Any]) -> str:
    """Return the tag of an alert as it is shown; it changes with every step."""
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def peak(keys: Iterable[str]) -> int:
    """Return the rank of the highest urgency among step keys; below all where there are none."""
    holding = (key for key in keys if not key.endswith(VOIDED))
    return max((RANKS[key.partition(":")[0]] for key in holding), default=-1)


def still_said(said: Iterable[str], standing: Collection[str]) -> tuple[str, ...]:
    """Return the keys of steps that were said, those that hold no longer marked as voided.

    What a correction took back and what then really comes are two steps: the second is told too.
    """
    return tuple(key if key in standing or key.endswith(VOIDED) else key + VOIDED for key in said)


def name_again(key: str, said: Sequence[str]) -> str:
    """Return the name of a step that may have been said, and taken back, before."""
    return key + VOIDED * said.count(key + VOIDED)


def delivered(urgency: Urgency) -> bool:
    """Return whether anybody is told at this urgency; information is shown, never delivered."""
    return urgency != "information"


def _action(envelope: Envelope) -> Action:
    event = envelope.event
    until = event.data.get("until")
    return Action(
        name=event.type,
        alert=event.data["alert"],
        by=event.data["by"],
        at=event.time,
        recorded_at=envelope.recorded_at,
        until=None if until is None else date.fromisoformat(until),
        word=event.data.get("code") or event.data.get("reason"),
    )


def _entries(actions: Sequence[Action]) -> list[dict[str, Any]]:
    return [_entry(action) for action in actions]


def _entry(action: Action) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "step": action.name.removeprefix("alert."),
        "at": format_time(action.at),
        "by": action.by,
    }
    if action.until is not None:
        entry["until"] = action.until.isoformat()
    if action.word is not None:
        entry["code" if action.name == "alert.commented" else "reason"] = action.word
    return entry


def _evidence(fact: Fact, clinic: str) -> dict[str, str]:
    said = {
        "event": fact.event,
        "type": fact.type,
        "occurred_at": format_time(fact.occurred_at),
    }
    where = fact.data.get("clinic", clinic)
    return said if where == clinic else {**said, "clinic": where}

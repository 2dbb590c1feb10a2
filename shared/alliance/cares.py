"""One course of care from its ``care.*`` facts, in fold order. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from shared.alliance.clinics import dates
from shared.alliance.reading import Fact
from shared.alliance.things import Care, Clinic, Session, Span
from shared.clock import parse_time


@dataclass(slots=True)
class _Draft:
    """A course of care while its facts are read."""

    referred_at: datetime | None = None
    urgency: str | None = None
    started_at: datetime | None = None
    ended: Fact | None = None
    agreed: dict[str, Any] = field(default_factory=dict)
    pauses: list[Span] = field(default_factory=list)
    transfers: list[Fact] = field(default_factory=list)


def care(
    ref: str,
    facts: Sequence[Fact],
    clinic: str,
    clinics: Mapping[str, Clinic],
    held: Sequence[Session] = (),
) -> Care:
    """Return a course of care.

    Args:
        ref: The sender's reference, ``main`` when none was given.
        facts: Its ``care.*`` facts, in fold order; none where only other facts speak of it.
        clinic: The latest clinic named in it.
        clinics: What is known of clinics, for the days on which pauses end.
        held: The sessions that were held in it, with whomever, in time.
    """
    draft = _Draft()
    for fact in facts:
        _read(draft, fact, clinics)
    agreed, ended = draft.agreed, draft.ended
    return Care(
        ref=ref,
        clinic=clinic,
        referred_at=draft.referred_at,
        started_at=draft.started_at,
        ended_at=ended.occurred_at if ended else None,
        end_reason=ended.data["reason"] if ended else None,
        agreed_interval_days=agreed.get("agreed_interval_days"),
        planned_sessions=agreed.get("planned_sessions"),
        therapy=agreed.get("therapy"),
        pauses=tuple(draft.pauses),
        facts=tuple(facts),
        measures=tuple(agreed.get("measures") or ()),
        transfers=tuple(draft.transfers),
        held=tuple(held),
        urgency=draft.urgency,
    )


def _read(draft: _Draft, fact: Fact, clinics: Mapping[str, Clinic]) -> None:
    if fact.type == "care.referred":
        draft.referred_at, draft.ended = fact.occurred_at, None
        draft.urgency = fact.data.get("urgency", draft.urgency)
    elif fact.type == "care.started":
        _started(draft, fact)
    elif fact.type == "care.paused":
        _paused(draft, fact, clinics)
    elif fact.type == "care.transferred":
        draft.transfers.append(fact)
    elif fact.type in ("care.resumed", "care.ended"):
        _unpause(draft, fact.occurred_at)
        draft.ended = fact if fact.type == "care.ended" else None


def _started(draft: _Draft, fact: Fact) -> None:
    """Begin, or begin again; what is agreed stays until something else is."""
    draft.started_at, draft.ended = fact.occurred_at, None
    referred_at = fact.data.get("referred_at")
    if referred_at is not None:
        draft.referred_at = parse_time(referred_at)
    draft.agreed.update(fact.data)


def _paused(draft: _Draft, fact: Fact, clinics: Mapping[str, Clinic]) -> None:
    """Pause from then; paused again, the earlier pause ends there."""
    _unpause(draft, fact.occurred_at)
    ref = fact.data["clinic"]
    span = dates(clinics.get(ref) or Clinic(ref), fact, fact.data["reason"])
    if span.until is None or span.until > span.start:
        draft.pauses.append(span)


def _unpause(draft: _Draft, at: datetime) -> None:
    if draft.pauses and (draft.pauses[-1].until is None or draft.pauses[-1].until > at):
        draft.pauses[-1] = replace(draft.pauses[-1], until=at)

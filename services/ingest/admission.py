"""Admission: a draft becomes an event, or is refused with every reason. Pure.

The one place that says what may enter, for all adapters and all ways in. Nothing behind it
validates again: what stands in the stream has passed here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from services.ingest.adapter import Draft
from services.ingest.attributes import (
    Attributes,
    fault_of_time,
    read_attributes,
)
from services.ingest.canonical import canonical_content
from shared import rule_settings
from shared.alliance.scoring import check
from shared.clock import parse_time
from shared.envelope import Event
from shared.errors import Fault
from shared.events import EVENT_TYPES, EventType, target_type, validate
from shared.events.family import Scope
from shared.instrument import INSTRUMENTS, Instrument, latest
from shared.values import frozen

NEEDS_CONFIGURE: Final = "needs_configure"
OTHER_CLINIC: Final = "other_clinic"
FORBIDDEN: Final = frozenset({NEEDS_CONFIGURE, OTHER_CLINIC})
"""Codes that say: what was sent may be right, but not with this credential (403, not 422)."""

RULE_PAST: Final = timedelta(hours=24)
"""How far in the past a rule's new settings may begin (contract.md, ``rule.configured``)."""

CODES: Final[Mapping[str, str]] = {
    "data_not_json": "The data is not a JSON object.",
    "unknown_type": "There is no such event type; those that there are are in `allowed`.",
    "rapport_only": "Only Rapport itself writes this type.",
    "in_the_future": "The time is more than 5 minutes ahead of our clock.",
    "too_long_ago": "The settings of a rule would begin more than 24 hours ago.",
    "subject_required": "The event is about one client: name them in `subject`.",
    "subject_not_allowed": "The event concerns many clients: leave `subject` out.",
    "unknown_instrument": "There is no such instrument; those that there are are in `allowed`.",
    rule_settings.UNKNOWN_RULE: "There is no such rule; those that there are are in `allowed`.",
    rule_settings.UNKNOWN_SETTING: "The rule has no such setting; those that it has are in "
    "`allowed`.",
    NEEDS_CONFIGURE: "The credential lacks the right that this needs.",
    OTHER_CLINIC: "The key is bound to other clinics, which are in `allowed`.",
}
"""The codes of faults found here, beside those of shared/events/codes.py and of the answers."""


@dataclass(frozen=True, slots=True)
class Authority:
    """What the credential of a request allows.

    Attributes:
        rights: From the key; ``{"publish"}`` for a signed webhook and for an import.
        clinics: The clinics that the key is bound to; None: all of the organisation.
    """

    rights: frozenset[str]
    clinics: frozenset[str] | None = None


@frozen
class Admitted:
    """An event that may enter.

    Attributes:
        event: Its references are still the sender's own.
        content: Canonical JSON of what the sender said; its keyed hash tells redelivery from
            conflict.
    """

    event: Event
    content: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event that may not enter.

    Attributes:
        pointer: Where it stands in the body as it was sent.
        faults: Every reason; pointers into the body as it was sent.
    """

    pointer: str
    faults: tuple[Fault, ...]


def admit(draft: Draft, authority: Authority, now: datetime) -> Admitted | Refusal:
    """Judge one draft.

    Args:
        draft: As an adapter read it.
        authority: What its sender may do.
        now: The present: events from the future are refused.
    """
    attributes = read_attributes(draft.attributes, now)
    faults = [*attributes.faults, *_faults_of_type(draft, attributes, authority, now)]
    if faults or attributes.type is None:
        return Refusal(draft.pointer, tuple(draft.locate(fault) for fault in faults))
    event = Event(
        type=attributes.type.name,
        source=attributes.source,
        id=attributes.id,
        time=attributes.time,
        subject=attributes.subject,
        data=_completed(attributes.type, draft.data),
        backfill=attributes.backfill,
        version=attributes.version,
    )
    content = canonical_content(event.type, attributes.subject, attributes.time, draft.data)
    return Admitted(event, content)


def _faults_of_type(
    draft: Draft, attributes: Attributes, authority: Authority, now: datetime
) -> Iterator[Fault]:
    """Yield what is wrong by the rules of the event's type."""
    event_type, data = attributes.type, draft.data
    if event_type is None:
        return
    shape = [fault.at("/data") for fault in _faults_of_shape(event_type, data, attributes)]
    yield from shape
    # A field too many disturbs no other rule; any other fault of shape would.
    sound = all(fault.code == "unknown_field" for fault in shape)
    if sound or not event_type.amends:
        given = "subject" in draft.attributes
        yield from _faults_of_subject(_scope(event_type, data), given=given)
    if not sound:
        return
    about = _about(event_type, data)
    if _may_concern_a_rule(about, attributes.subject) and "configure" not in authority.rights:
        message = "Send this through the API, with a key that has the right configure."
        yield Fault("/type", message, NEEDS_CONFIGURE)
    yield from _faults_of_clinics(about, data, authority)
    yield from _faults_of_times(about, data, attributes.time, now)
    yield from _faults_of_instruments(about)
    if about.type == "rule.configured" and about.data:
        found = rule_settings.faults_of(about.data["rule"], about.data.get("settings") or {})
        yield from (fault.at(about.pointer) for fault in found)


@frozen
class _About:
    """What an event says, an amendment being about what it amends.

    Attributes:
        type: The name of the type spoken of.
        data: Its fields; empty for a retraction, which tells none.
        pointer: Where they stand in the draft.
        amends: Whether an amendment speaks.
    """

    type: str
    data: Mapping[str, Any]
    pointer: str
    amends: bool


def _about(event_type: EventType, data: Mapping[str, Any]) -> _About:
    if not event_type.amends:
        return _About(event_type.name, data, "/data", amends=False)
    return _About(target_type(data) or "", data.get("data", {}), "/data/data", amends=True)


def _faults_of_shape(event_type: EventType, data: Any, attributes: Attributes) -> list[Fault]:
    if not isinstance(data, Mapping):
        return [Fault("", "Send the fields of the type as a JSON object.", "data_not_json")]
    return validate(event_type.name, data, attributes.version)


def _scope(event_type: EventType, data: Any) -> Scope:
    """Return the scope of a type; an amendment stands where its target stands."""
    if not event_type.amends:
        return event_type.scope
    # What is taken back by kind and ref is always a client's.
    named = target_type(data)
    return "client" if named is None else EVENT_TYPES[named].scope


def _faults_of_subject(scope: Scope, *, given: bool) -> Iterator[Fault]:
    if scope == "client" and not given:
        message = "Name the client that this is about in subject."
        yield Fault("/subject", message, "subject_required")
    elif scope == "clinic" and given:
        message = "This concerns many clients: leave subject out."
        yield Fault("/subject", message, "subject_not_allowed")


def _may_concern_a_rule(about: _About, subject: str | None) -> bool:
    """Return whether this sets a rule, or may undo what set one.

    Who takes back an amendment names only the amendment: without a subject it may be a rule's.
    """
    spoken_of = EVENT_TYPES.get(about.type)
    undoes = about.amends and spoken_of is not None and spoken_of.amends is not None
    return about.type == "rule.configured" or (undoes and subject is None)


def _faults_of_clinics(
    about: _About, data: Mapping[str, Any], authority: Authority
) -> Iterator[Fault]:
    if authority.clinics is None:
        return
    spoken = {"/data": data, about.pointer: about.data or data}
    for pointer, fields in spoken.items():
        # A rule configured for no clinic in particular is configured for all.
        if fields.get("clinic") not in authority.clinics:
            message = "This key may not speak for this clinic."
            allowed = tuple(sorted(authority.clinics))
            yield Fault(f"{pointer}/clinic", message, OTHER_CLINIC, allowed)


def _faults_of_times(
    about: _About, data: Mapping[str, Any], time: datetime, now: datetime
) -> Iterator[Fault]:
    pointer = "/time"
    if about.amends:
        if "corrected_time" not in data:
            return
        pointer, time = "/data/corrected_time", parse_time(data["corrected_time"])
        fault = fault_of_time(time, now)
        if fault:
            yield fault.at(pointer)
    if about.type == "rule.configured" and time < now - RULE_PAST:
        message = "New settings of a rule begin at most 24 hours ago."
        yield Fault(pointer, message, "too_long_ago")


def _faults_of_instruments(about: _About) -> Iterator[Fault]:
    for pointer, key in _instruments_named(about):
        if latest(key) is None:
            keys = tuple(sorted({known for known, _ in INSTRUMENTS}))
            message = "There is no such instrument."
            yield Fault(pointer, message, "unknown_instrument", keys)
    if about.type == "rating.given" and about.data and latest(about.data["instrument"]):
        instrument = _instrument(about.data)
        if instrument is None:
            key = about.data["instrument"]
            versions = tuple(version for known, version in INSTRUMENTS if known == key)
            pointer = f"{about.pointer}/instrument_version"
            message = "This instrument has no such version."
            yield Fault(pointer, message, "unknown_version", versions)
        else:
            for fault in check(instrument, about.data):
                yield fault.at(about.pointer)


def _instruments_named(about: _About) -> Iterator[tuple[str, str]]:
    if about.type in ("rating.given", "rating.skipped") and about.data:
        yield f"{about.pointer}/instrument", about.data["instrument"]
    if about.type == "care.started":
        for index, measure in enumerate(about.data.get("measures", ())):
            yield f"{about.pointer}/measures/{index}/instrument", measure["instrument"]


def _instrument(data: Mapping[str, Any]) -> Instrument | None:
    """Return the version of the instrument that a rating carries, or would be given."""
    key, version = data["instrument"], data.get("instrument_version")
    return latest(key) if version is None else INSTRUMENTS.get((key, version))


def _completed(event_type: EventType, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data with what ingest writes in: the version that the rating will be scored by.

    Written once, now, so that a later version of the instrument never changes an old score.
    """
    about = _about(event_type, data)
    if about.type != "rating.given" or not about.data or "instrument_version" in about.data:
        return dict(data)
    instrument = latest(about.data["instrument"])
    version = instrument.version if instrument else None
    completed = {**about.data, "instrument_version": version}
    return {**data, "data": completed} if about.amends else completed

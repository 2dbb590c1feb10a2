"""The language: every type of event, what its data holds, and how the newest version is read.

``FAMILIES`` is the visible tuple of the family; ``EVENT_TYPES`` holds every type by its name. The
functions take the types as an argument only so that their own tests can bring others.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

from shared.envelope import TYPE_PREFIX, Event
from shared.errors import Fault, Unreadable
from shared.events.codes import CODES
from shared.events.families import (
    boundary,
    care,
    client,
    clinic,
    consent,
    contact,
    dynamics,
    goal,
    plan,
    rapport,
    rating,
    record,
    rule,
    rupture,
    session,
    therapist,
)
from shared.events.family import Data, EventType, Family
from shared.events.references import Reference, references_in, replaced
from shared.events.schema import faults_of

__all__ = [
    "CODES",
    "EVENT_TYPES",
    "FAMILIES",
    "SENDER_TYPES",
    "Data",
    "EventType",
    "Family",
    "Reference",
    "amendable",
    "collect",
    "rank",
    "references",
    "target_type",
    "upcast",
    "validate",
    "with_references",
]

FAMILIES: Final[tuple[Family, ...]] = (
    session.FAMILY,
    care.FAMILY,
    rating.FAMILY,
    boundary.FAMILY,
    rupture.FAMILY,
    dynamics.FAMILY,
    goal.FAMILY,
    plan.FAMILY,
    contact.FAMILY,
    consent.FAMILY,
    client.FAMILY,
    record.FAMILY,
    clinic.FAMILY,
    therapist.FAMILY,
    rule.FAMILY,
    rapport.FAMILY,
)
"""Every family, in the order of contract.md's tables, which is the order of ranks."""

Types = Mapping[str, EventType]


def collect(families: Sequence[Family]) -> Types:
    """Return the types of the families by name, each told its family and its rank."""
    flat = [(family, one) for family in families for one in family.types]
    types = {
        one.name: dataclasses.replace(one, family=family.name, rank=place)
        for place, (family, one) in enumerate(flat)
    }
    if len(types) != len(flat):
        raise ValueError("two event types share a name")
    return types


EVENT_TYPES: Final[Types] = collect(FAMILIES)
"""Every type by its name without prefix, in the order of rank."""

SENDER_TYPES: Final = tuple(name for name, one in EVENT_TYPES.items() if one.writer == "sender")
"""What senders may publish, in the order of rank."""


def rank(type_name: str) -> int:
    """Return a type's place in fold order among facts of one moment."""
    return EVENT_TYPES[type_name].rank


def validate(
    type_name: str, data: object, version: int | None = None, *, types: Types = EVENT_TYPES
) -> list[Fault]:
    """Return everything that is wrong with an event's data; nothing when it can be taken.

    Args:
        type_name: A key of ``types``.
        data: What was sent, as JSON; never changed.
        version: The version that it claims to follow; the newest when None.
        types: The types to validate by.

    Returns:
        Faults with pointers relative to ``data``, in stable order.
    """
    event_type = types[type_name]
    wanted = event_type.version if version is None else version
    if not 1 <= wanted <= event_type.version:
        allowed = tuple(str(number) for number in range(1, event_type.version + 1))
        return [Fault("", "Use a version that exists.", "unknown_version", allowed)]
    faults = faults_of(event_type.schema_of(wanted), data)
    if event_type.amends and isinstance(data, Mapping):
        faults += _target_faults(event_type, data, types)
    return faults


def _target_faults(amendment: EventType, data: Data, types: Types) -> list[Fault]:
    named = target_type(data)
    if named is None:
        return []
    corrects = amendment.amends == "corrects"
    allowed = amendable(corrects=corrects, types=types)
    if named not in allowed:
        message = "Name a type that can be amended."
        return [Fault("/target/type", message, "not_allowed", allowed)]
    if not corrects or not isinstance(data.get("data"), Mapping):
        return []
    return [fault.at("/data") for fault in validate(named, data["data"], types=types)]


def amendable(*, corrects: bool, types: Types = EVENT_TYPES) -> tuple[str, ...]:
    """Return what can be retracted, or corrected: to amend a correction, amend its original."""
    return tuple(
        name
        for name, one in types.items()
        if one.writer == "sender" and not (corrects and one.amends)
    )


def target_type(data: Data) -> str | None:
    """Return the type, without prefix, of the event that an amendment names, if it names one."""
    target = data.get("target")
    named = target.get("type") if isinstance(target, Mapping) else None
    return named.removeprefix(TYPE_PREFIX) if isinstance(named, str) else None


def references(
    type_name: str, data: Data, version: int | None = None, *, types: Types = EVENT_TYPES
) -> list[Reference]:
    """Return every reference of a person in valid data, in stable order.

    The new data of a correction is searched by the type that it corrects.

    Args:
        type_name: A key of ``types``.
        data: Data that ``validate`` finds nothing wrong with, in the same version.
        version: The version that it follows; the newest when None.
        types: The types to read by.
    """
    event_type = types[type_name]
    schema = event_type.schema_of(event_type.version if version is None else version)
    found = list(references_in(schema, data))
    named = target_type(data) if event_type.amends == "corrects" else None
    if named is not None:
        nested = references(named, data["data"], types=types)
        found += [dataclasses.replace(one, path=("data", *one.path)) for one in nested]
    return found


def with_references(
    type_name: str,
    data: Data,
    opaque: Mapping[tuple[str, str], str],
    version: int | None = None,
    *,
    types: Types = EVENT_TYPES,
    found: Sequence[Reference] | None = None,
) -> dict[str, Any]:
    """Return valid data as the stream keeps it; ``data`` itself is left alone.

    Every reference is replaced by its opaque id, and the type of an amendment's target is
    written without prefix, so that readers meet one spelling.

    Args:
        type_name: A key of ``types``.
        data: Valid data, as sent.
        opaque: (register, text) → opaque id.
        version: The version that the data follow; the newest when None.
        types: The types to read by.
        found: What ``references`` says of the data, where it was asked already.

    Raises:
        KeyError: when a reference has no opaque id; it must never reach the stream as it is.
    """
    if found is None:
        found = references(type_name, data, version, types=types)
    kept = replaced(data, [(one.path, opaque[one.register, one.text]) for one in found])
    named = target_type(data) if types[type_name].amends else None
    if named is not None:
        kept["target"] = {**data["target"], "type": named}
    return kept


def upcast(event: Event, *, types: Types = EVENT_TYPES) -> Event:
    """Return the event with its data in the newest version of its type.

    Stored bytes are never rewritten: the chain of upcasters runs whenever an event is read.

    Raises:
        Unreadable: when the type, or its version, is not known here.
    """
    event_type = types.get(event.type)
    if event_type is None:
        raise Unreadable(f"no event type {event.type!r} is known here")
    if event.version == event_type.version:
        return event
    if not 1 <= event.version < event_type.version:
        raise Unreadable(f"version {event.version} of {event.type} is not known here")
    data = event.data
    for step in event_type.earlier[event.version - 1 :]:
        data = step.upcast(data)
    return dataclasses.replace(event, data=data, version=event_type.version)

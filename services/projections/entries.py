"""A boundary event of the register as JSON: what a list shows of it, and its whole life. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from shared.alliance.boundaries import Entry, Pattern, name_of, patterns, state_of
from shared.alliance.items import when
from shared.alliance.reading import Fact

ROLE: Final[Mapping[str, str]] = {
    "boundary.noted": "reported_by",
    "boundary.assessed": "assessed_by",
}
"""Type of a step → the field that says in which role it was taken."""

CODE: Final[Mapping[str, str]] = {
    "boundary.noted": "area",
    "boundary.assessed": "assessment",
    "boundary.acted_on": "action",
    "boundary.closed": "outcome",
    "boundary.reopened": "reason",
}
"""Type of a step → the field with its reason code."""


def listed(organisation: str, client: str, entry: Entry) -> dict[str, Any]:
    """Return what a list shows; who reported it is in it, whoever is to read it."""
    one, due = entry.event, entry.deadline
    judged = one.assessments[-1] if one.assessments else None
    return {
        "id": entry.id,
        "client": client,
        "clinic": one.clinic,
        "therapist": one.therapist or None,
        "care": one.care,
        "boundary_event": one.ref,
        "state": state_of(one),
        "severity": one.severity,
        "area": one.area,
        "about": one.about,
        "concerns": one.concerns,
        "reported_by": one.reported_by,
        "reporter_protected": entry.protected,
        "harm_physical": one.harm_physical,
        "harm_psychological": one.harm_psychological,
        "discussed_with_client": one.discussed_with_client,
        "session": one.session,
        "happened_on": one.happened_on.isoformat() if one.happened_on else None,
        "noted_at": when(one.noted_at),
        "due_at": when(due.due_at) if due else None,
        "due_on": due.due_on.isoformat() if due else None,
        "settled_at": when(due.settled_at) if due else None,
        "assessment": judged.assessment if judged else None,
        "assessed_by": judged.by if judged else None,
        "aggravators": list(judged.aggravators) if judged else [],
        "actions": [{"occurred_at": when(at), "action": action} for at, action in one.actions],
        "closed_at": when(one.closed_at),
        "outcome": one.outcome,
        "merged_into": one.merged_into and name_of(organisation, client, one.merged_into),
        "merged": list(entry.merged),
        "reopened_at": when(one.reopened_at),
    }


def whole(
    organisation: str, client: str, entry: Entry, visible: Sequence[Entry], *, may_know: bool
) -> dict[str, Any]:
    """Return a boundary event with its whole life, and the patterns that it belongs to.

    Args:
        organisation: Whose.
        client: Opaque id.
        entry: What is asked for.
        visible: Every boundary event of the client that the reader may know of.
        may_know: Whether the reader may know a protected reporter.
    """
    said = listed(organisation, client, entry)
    hidden = entry.protected and not may_know
    if hidden:
        said["reported_by"] = None
    due = entry.deadline
    return {
        **said,
        "deadline": None
        if due is None
        else {
            "due_at": when(due.due_at),
            "due_on": due.due_on.isoformat(),
            "severity": due.severity,
            "working_days": due.working_days,
            "clinic": entry.calendar.ref,
            "set_by": due.noted.event,
            "settled_at": when(due.settled_at),
            "settled_late": due.settled_at is not None and due.missed,
        },
        "steps": [_step(fact, hidden=hidden) for fact in entry.event.facts],
        "patterns": [_pattern(organisation, client, pattern) for pattern in _of(entry, visible)],
    }


def _of(entry: Entry, visible: Sequence[Entry]) -> Iterable[Pattern]:
    """Yield the patterns that an event belongs to; one that another holds whole is left out."""
    where = (entry.event.care, entry.event.therapist)
    beside = [one.event for one in visible if (one.event.care, one.event.therapist) == where]
    clinics = {one.calendar.ref: one.calendar for one in visible}
    every = patterns(beside, clinics.__getitem__)
    found = [one for one in every if any(e.ref == entry.event.ref for e in one.events)]
    sets = [frozenset(event.ref for event in one.events) for one in found]
    return (one for one, refs in zip(found, sets, strict=True) if not any(refs < o for o in sets))


def _pattern(organisation: str, client: str, pattern: Pattern) -> dict[str, Any]:
    return {
        "from": when(pattern.events[0].noted_at),
        "until": when(pattern.events[-1].noted_at),
        "kinds": pattern.kinds,
        "boundary_events": [name_of(organisation, client, one.ref) for one in pattern.events],
    }


def _step(fact: Fact, *, hidden: bool) -> dict[str, Any]:
    """Return one step of a life: in which role, when, with which code, by which event."""
    role = fact.data.get(ROLE.get(fact.type, ""))
    said = {
        "step": fact.type.removeprefix("boundary."),
        "occurred_at": when(fact.occurred_at),
        "role": None if hidden and fact.type == "boundary.noted" else role,
        "code": fact.data.get(CODE[fact.type]),
        "severity": fact.data.get("severity"),
        "event": fact.event,
    }
    return {**said, "corrected": True} if fact.corrected else said

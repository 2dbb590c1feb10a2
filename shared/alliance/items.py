"""What stands on a timeline, one function per kind of item: things as JSON. Pure.

An item carries its fields by the names of the contract, ``event`` and ``occurred_at`` of the fact
that counts, and ``events``: every fact that speaks of it, with what only that fact says.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from shared.alliance.amendments import WaitingAmendment
from shared.alliance.boundaries import state_of
from shared.alliance.reading import Conflict, Fact, fold_order
from shared.alliance.things import (
    BoundaryEvent,
    Care,
    Clinic,
    Phase,
    Rating,
    Rupture,
    Session,
    Span,
)
from shared.clock import format_time

COMMON: Final = ("clinic", "therapist", "care")
"""Fields that an item says once."""


def when(moment: datetime | None) -> str | None:
    """Return a time as Rapport writes it, or None."""
    return None if moment is None else format_time(moment)


def fact(one: Fact) -> dict[str, Any]:
    """Return a fact as an item of its own, with all its fields."""
    return {**one.data, **_named(one)}


def facts(several: Iterable[Fact]) -> list[dict[str, Any]]:
    """Return facts as items of their own."""
    return [fact(one) for one in several]


def steps(several: Sequence[Fact], ref: str) -> list[dict[str, Any]]:
    """Return the facts of one thing; what all of them say alike, the item says once."""
    without: tuple[str, ...] = (*COMMON, ref)
    if len(several) > 1:
        without = (ref, *(name for name in COMMON if _alike(several, name)))
    return [_step(one, without) for one in several]


def thing(several: Sequence[Fact], ref: str) -> dict[str, Any]:
    """Return a thing that has no form of its own yet: the latest word on each field."""
    merged: dict[str, Any] = {}
    for one in several:
        merged.update(one.data)
    return {**merged, **_named(several[-1]), "events": steps(several, ref)}


def session(one: Session) -> dict[str, Any]:
    """Return a session."""
    who = {"cancelled": "cancelled_by", "missed": "missed_by"}.get(one.state)
    return {
        "session": one.ref,
        "state": one.state,
        **_about(one),
        "starts_at": format_time(one.due_at),
        "planned_minutes": one.planned_minutes,
        "started_at": when(one.started_at),
        "ended_at": when(one.ended_at),
        **({who: one.by} if who else {}),
        "reason": one.reason,
        "modality": one.modality,
        "kind": one.kind,
        "co_therapists": list(one.co_therapists),
        "session_number": one.session_number,
        "client_arrival": one.client_arrival,
        "ended_early_by": one.ended_early_by,
        "time_precision": one.time_precision,
        "moves": [
            {
                "event": move.fact.event,
                "occurred_at": when(move.at),
                "requested_by": move.by,
                "from": when(move.from_start),
                "to": when(move.to_start),
            }
            for move in one.moves
        ],
        "events": steps(_all_facts(one), "session"),
    }


def rating(one: Rating) -> dict[str, Any]:
    """Return a rating with its scores, or why it has none."""
    unscored = one.score.unscored_because
    return {
        "id": one.fact.event,
        "rating": one.fact.data.get("rating"),
        **_about(one),
        "instrument": one.instrument_key,
        "version": one.version,
        "construct": one.instrument.construct if one.instrument else None,
        "validated": one.instrument.validated if one.instrument else None,
        "rater": one.rater,
        "respondent": one.respondent,
        "session": one.session,
        "language": one.language,
        "in_group": one.in_group,
        "scores": {
            name: {"value": score.value, "percent": score.percent}
            for name, score in one.score.scales.items()
        },
        **({"unscored_because": unscored} if unscored else {}),
        "risk_items": one.score.risk_items,
        "events": steps(one.facts, "rating"),
    }


def boundary_event(one: BoundaryEvent) -> dict[str, Any]:
    """Return a boundary event from noted to closed."""
    judged = one.assessments[-1] if one.assessments else None
    return {
        "boundary_event": one.ref,
        "state": state_of(one),
        **_about(one),
        "noted_at": when(one.noted_at),
        "happened_on": one.happened_on.isoformat() if one.happened_on else None,
        "area": one.area,
        "about": one.about,
        "concerns": one.concerns,
        "reported_by": one.reported_by,
        "reporter_protected": one.reporter_protected,
        "severity": one.severity,
        "harm_physical": one.harm_physical,
        "harm_psychological": one.harm_psychological,
        "discussed_with_client": one.discussed_with_client,
        "session": one.session,
        "assessment": judged.assessment if judged else None,
        "assessed_by": judged.by if judged else None,
        "aggravators": list(judged.aggravators) if judged else [],
        "actions": [{"occurred_at": when(at), "action": action} for at, action in one.actions],
        "closed_at": when(one.closed_at),
        "outcome": one.outcome,
        "merged_into": one.merged_into,
        "reopened_at": when(one.reopened_at),
        "events": steps(one.facts, "boundary_event"),
    }


def rupture(one: Rupture) -> dict[str, Any]:
    """Return a rupture, noted and perhaps repaired."""
    return {
        "rupture": one.ref,
        "state": "repaired" if one.repaired_at else "noted",
        **_about(one),
        "noted_at": when(one.noted_at),
        "kind": one.kind,
        "noted_by": one.noted_by,
        "intensity": one.intensity,
        "session": one.session,
        "repaired_at": when(one.repaired_at),
        "resolution": one.resolution,
        "events": steps(one.facts, "rupture"),
    }


def care(one: Care) -> dict[str, Any]:
    """Return a course of care."""
    return {
        "care": one.ref,
        "clinic": one.clinic,
        **_last(one.facts),
        "referred_at": when(one.referred_at),
        "urgency": one.urgency,
        "started_at": when(one.started_at),
        "agreed_interval_days": one.agreed_interval_days,
        "planned_sessions": one.planned_sessions,
        "therapy": one.therapy,
        "measures": [dict(measure) for measure in one.measures],
        "pauses": [span(pause) for pause in one.pauses],
        "transfers": facts(one.transfers),
        "ended_at": when(one.ended_at),
        "reason": one.end_reason,
        "events": [{**one.data, **_named(one)} for one in one.facts],
    }


def phase(one: Phase) -> dict[str, Any]:
    """Return a phase with its counts; what happened in it is listed beside it."""
    states = [session.state for session in one.sessions]
    return {
        "therapist": one.therapist or None,
        "care": one.care.ref,
        "clinic": one.clinic.ref,
        "opened_at": when(one.opened_at),
        "closed_at": when(one.closed_at),
        "close_reason": one.close_reason,
        "closed_by": one.closed_by.event if one.closed_by else None,
        "apart": one.apart,
        "sessions": {state: states.count(state) for state in sorted(set(states))},
        "ratings": len(one.ratings),
        "away": [span(absence) for absence in one.away],
    }


def clinic(one: Clinic) -> dict[str, Any]:
    """Return what is known of a clinic."""
    return {
        "clinic": one.ref,
        "timezone": one.timezone,
        "working_days": list(one.working_days),
        "holidays": sorted(day.isoformat() for day in one.holidays),
        "sends": None if one.sends is None else sorted(one.sends),
        "closures": [span(closure) for closure in one.closures],
        "events": [_named(configured) for configured in one.facts],
    }


def span(one: Span) -> dict[str, Any]:
    """Return a stretch of time, with what its fact says; ``until`` is its end, None so far."""
    said = {name: value for name, value in one.fact.data.items() if name not in COMMON}
    return {
        **said,
        "event": one.fact.event,
        "occurred_at": when(one.fact.occurred_at),
        "from": when(one.start),
        "until": when(one.until),
        "reason": one.reason,
    }


def waiting(one: WaitingAmendment) -> dict[str, Any]:
    """Return an amendment that changes nothing (yet)."""
    return {
        "event": one.event,
        "type": one.type,
        "occurred_at": when(one.occurred_at),
        "target": dict(one.target),
        "because": one.because,
    }


def conflict(one: Conflict) -> dict[str, Any]:
    """Return that other content came under an id already taken."""
    return {
        "event": one.event,
        "type": one.type,
        "occurred_at": when(one.occurred_at),
        "contents": one.contents,
    }


def _step(one: Fact, without: Iterable[str]) -> dict[str, Any]:
    said = {
        **one.data,
        "event": one.event,
        "type": one.type,
        "occurred_at": format_time(one.occurred_at),
    }
    if one.corrected:
        said["corrected"] = True
    for name in without:
        said.pop(name, None)
    return said


def _alike(several: Sequence[Fact], name: str) -> bool:
    """Return whether all facts that name the clinic, therapist or care name the same."""
    said = [one.data[name] for one in several if name in one.data]
    return not said or said.count(said[0]) == len(said)


def _all_facts(one: Session) -> Sequence[Fact]:
    if not one.without_effect:
        return one.facts
    return sorted((*one.facts, *one.without_effect), key=fold_order)


def _named(one: Fact) -> dict[str, Any]:
    named: dict[str, Any] = {
        "event": one.event,
        "type": one.type,
        "occurred_at": format_time(one.occurred_at),
    }
    if one.corrected:
        named["corrected"] = True
    return named


def _last(several: Sequence[Fact]) -> dict[str, Any]:
    """Return which fact counts."""
    if not several:
        return {"event": None, "occurred_at": None}
    return {"event": several[-1].event, "occurred_at": format_time(several[-1].occurred_at)}


def _about(one: Session | Rating | BoundaryEvent | Rupture) -> dict[str, Any]:
    """Return which fact counts, and where the thing belongs."""
    last = one.facts[-1]
    return {
        "event": last.event,
        "occurred_at": format_time(last.occurred_at),
        "clinic": one.clinic,
        "therapist": one.therapist or None,
        "care": one.care,
    }

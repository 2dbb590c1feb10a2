"""What of one client is extracted for rules about a therapist's whole caseload. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from services.alerts.caseload import Extract, Matter, Stay, in_time
from shared.alliance.attendance import lapses, outcomes, why_not_counted
from shared.alliance.boundaries import NONE_AFTER_ALL
from shared.alliance.calendar import covers
from shared.alliance.history import History, Phase, Span
from shared.alliance.reading import ALERTS, PROCESSING, Fact

SICKNESS_WINDOW: Final = 8
SICKNESS_GRACE: Final = 1
"""Own, as for a single client: the first sickness among so many bookings does not count."""


def extracts(history: History) -> list[Extract]:
    """Return what is extracted of one client for each of their therapists."""
    by_therapist: dict[str, list[Phase]] = {}
    for phase in history.phases:
        if phase.therapist and not phase.apart:
            by_therapist.setdefault(phase.therapist, []).append(phase)
        for event in phase.boundary_events:
            if event.concerns:
                by_therapist.setdefault(event.concerns, [])
    return [
        _extract(history, therapist, phases) for therapist, phases in sorted(by_therapist.items())
    ]


def _extract(history: History, therapist: str, phases: Sequence[Phase]) -> Extract:
    unwanted = history.withdrawn.get(ALERTS, ())
    counted: list[Fact] = []
    excused: list[tuple[datetime, str]] = []
    for phase in phases:
        standing = [one for one in outcomes(phase) if one.until is None]
        standing.sort(key=lambda one: (one.session.due_at, one.session.ref))
        for at, outcome in enumerate(standing):
            if not outcome.by_provider or any(covers(one, outcome.since) for one in unwanted):
                continue
            window = standing[max(0, at + 1 - SICKNESS_WINDOW) : at + 1]
            if outcome in lapses(phase, window, SICKNESS_GRACE)[0]:
                counted.append(outcome.fact)
            else:
                excused.append((outcome.since, why_not_counted(phase, outcome.session)))
    return Extract(
        history.client,
        therapist,
        tuple(_stay(phase, history.withdrawn.get(PROCESSING, ())) for phase in phases),
        tuple(sorted(counted, key=in_time)),
        tuple(sorted(excused)),
        _first_seen(phases),
        tuple(
            fact
            for fact in history.others.get("supervision", ())
            if fact.data.get("therapist") == therapist
        ),
        _matters(history, therapist, unwanted),
    )


def _first_seen(phases: Sequence[Phase]) -> Fact | None:
    held = [one.facts[-1] for phase in phases for one in phase.sessions if one.state == "held"]
    return min(held, key=in_time, default=None)


def _matters(history: History, person: str, unwanted: Sequence[Span]) -> tuple[Matter, ...]:
    found: list[Matter] = []
    for event in (event for phase in history.phases for event in phase.boundary_events):
        noted = next((fact for fact in event.facts if fact.type == "boundary.noted"), None)
        if event.concerns != person or noted is None or event.outcome in NONE_AFTER_ALL:
            continue
        if any(covers(span, noted.occurred_at) for span in unwanted):
            continue
        said = [(noted.occurred_at, noted.data.get("severity"))]
        said += [(one.at, one.severity) for one in event.assessments]
        found.append(Matter(history.client, event.clinic, noted, noted.occurred_at,
                            tuple(said), event.closed_at))  # fmt: skip
    return tuple(found)


def _stay(phase: Phase, withdrawn: Sequence[Span]) -> Stay:
    """Return a stay; who has withdrawn consent to processing has left the caseload then."""
    ends = [span.start for span in withdrawn if span.until is None]
    ends += [phase.closed_at] if phase.closed_at is not None else []
    return Stay(phase.clinic.ref, phase.opened_at, min(ends, default=None))

"""A history as JSON: the timeline of contract.md, all of it but ``alerts``. Pure.

It shows nothing that depends on how the facts arrived: no recorded_at, no clock of ours. The same
set of events gives the same bytes (invariant 2); ``judged_at`` alone is said by the caller.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, Final, TypeVar

from shared.alliance import items
from shared.alliance.attendance import SICKNESS, excuse
from shared.alliance.consistency import consistency, settings_at
from shared.alliance.facets import facets
from shared.alliance.history import History
from shared.alliance.phases import NOBODY
from shared.alliance.reading import Fact, fold_order
from shared.alliance.standing import as_json, by_raters
from shared.alliance.things import BoundaryEvent, Phase, Rating, Rupture, Session

_WithFacts = TypeVar("_WithFacts", Rating, BoundaryEvent, Rupture)

_LISTED: Final[Mapping[str, tuple[str, ...]]] = {
    "contacts": ("contact",),
    "ratings_skipped": ("rating",),
    "dynamics": ("dynamics",),
    "plan": ("plan", "relapse_plan"),
    "setbacks": ("setback",),
    "mergers": ("client",),
}
"""Key of the timeline → first words of the types whose facts it lists as they are."""

_GROUPED: Final[Mapping[str, str]] = {"assignments": "assignment", "goals": "goal"}
"""Key of the timeline → first word of the types, and field of the ref, of things without form."""


def timeline(
    history: History,
    *,
    valid_at: datetime | None = None,
    known_at: datetime | None = None,
    judged_at: datetime | None = None,
) -> dict[str, Any]:
    """Return the timeline; ``alerts`` is empty, for the caller to fill.

    Args:
        history: Folded at the same ``valid_at`` and ``known_at``.
        valid_at: Said as asked; None is everything.
        known_at: Said as asked; None is everything.
        judged_at: The last tick of the client's partition, if there was one.
    """
    phases = history.phases
    now = _present(history)
    last_at = max((phase.facts[-1].occurred_at for phase in phases), default=None)
    return {
        "client": history.client,
        "clinic": now.clinic.ref if now else None,
        "therapist": now.therapist or None if now else None,
        "valid_at": items.when(valid_at),
        "known_at": items.when(known_at),
        "judged_at": items.when(judged_at),
        "clinics": [items.clinic(clinic) for clinic in history.clinics],
        "phases": _phases(history, last_at),
        "care": [items.care(care) for care in history.cares],
        "consents": _consents(history),
        "attendance": _attendance(phases),
        "sessions": [items.session(session) for session in _sessions(phases)],
        "ratings": [items.rating(one) for one in _in_order(one.ratings for one in phases)],
        "boundary_events": [
            items.boundary_event(one)
            for one in _in_order(phase.boundary_events for phase in phases)
        ],
        "ruptures": [items.rupture(one) for one in _in_order(one.ruptures for one in phases)],
        "merged_into": None,
        **_listed(history),
        **_grouped(history),
        "supervision": items.facts(_supervision(history)),
        "facets": facets(history, last_at),
        "standing": as_json(by_raters(history)),
        "waiting_amendments": [items.waiting(one) for one in history.waiting],
        "conflicts": [items.conflict(one) for one in history.conflicts],
        "alerts": [],
    }


def _sessions(phases: Sequence[Phase]) -> list[Session]:
    every = (session for phase in phases for session in phase.sessions)
    return sorted(every, key=lambda session: (session.due_at, session.ref))


def _present(history: History) -> Phase | None:
    """Return the latest open phase with a therapist, else the latest phase of any kind."""
    led = [phase for phase in history.current if phase.therapist != NOBODY]
    return next(reversed(led or history.current), None)


def _phases(history: History, last_at: datetime | None) -> list[dict[str, Any]]:
    """Return each phase with its figures of consistency, counted to the client's last fact.

    Their thresholds are those of the rules that tell of them, as they are set at the clinic.
    """
    return [
        {
            **items.phase(phase),
            "consistency": consistency(
                phase, last_at or phase.opened_at, settings_at(phase.clinic.ref, history.rules)
            ),
        }
        for phase in history.phases
    ]


def _in_order(several: Iterable[Sequence[_WithFacts]]) -> list[_WithFacts]:
    """Return the things of several phases in the fold order of the facts that count."""
    return sorted(chain.from_iterable(several), key=lambda one: fold_order(one.facts[-1]))


def _listed(history: History) -> dict[str, list[dict[str, Any]]]:
    return {
        key: items.facts(
            sorted(chain.from_iterable(history.others.get(w, ()) for w in words), key=fold_order)
        )
        for key, words in _LISTED.items()
    }


def _grouped(history: History) -> dict[str, list[dict[str, Any]]]:
    listed: dict[str, list[dict[str, Any]]] = {}
    for key, word in _GROUPED.items():
        by_ref: dict[str, list[Fact]] = {}
        for fact in history.others.get(word, ()):
            by_ref.setdefault(fact.data[word], []).append(fact)
        listed[key] = [items.thing(facts, word) for facts in by_ref.values()]
    return listed


def _supervision(history: History) -> list[Fact]:
    """Return what was about this client, and what its therapists had while they saw them."""
    around = (fact for phase in history.phases for fact in phase.supervision)
    every = {fact.event: fact for fact in (*history.others.get("supervision", ()), *around)}
    return sorted(every.values(), key=fold_order)


def _consents(history: History) -> dict[str, Any]:
    return {
        scope: {
            "state": said,
            "withdrawn": [items.span(span) for span in history.withdrawn.get(scope, ())],
            "events": items.facts(
                fact
                for fact in history.facts
                if fact.type.startswith("consent.") and fact.data["scope"] == scope
            ),
        }
        for scope, said in history.given.items()
    }


def _attendance(phases: Sequence[Phase]) -> dict[str, Any]:
    """Return how many sessions were held, missed, cancelled; by whom; what is no lapse.

    Every session is counted by its state; ``not_counted`` says how many of those that the client
    did not cancel or miss are nobody's lapse, and why. Sickness depends on how often it comes:
    the rules say it beside their figures.
    """
    states = Counter(session.state for phase in phases for session in phase.sessions)
    by_whom: dict[str, Counter[str]] = {}
    excused: Counter[str] = Counter()
    for phase in phases:
        for session in phase.sessions:
            if session.state not in ("cancelled", "missed"):
                continue
            by_whom.setdefault(session.by or "unknown", Counter())[session.state] += 1
            reason = None if session.by == "client" else excuse(phase, session)
            if reason is not None and reason != SICKNESS:
                excused[reason] += 1
    return {
        "held": states["held"],
        "missed": states["missed"],
        "cancelled": states["cancelled"],
        "scheduled": states["scheduled"],
        "by_whom": {
            who: {"missed": said["missed"], "cancelled": said["cancelled"]}
            for who, said in sorted(by_whom.items())
        },
        "not_counted": [{"reason": reason, "n": n} for reason, n in sorted(excused.items())],
    }

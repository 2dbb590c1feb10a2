"""A boundary matter moves nothing else: what is said of the rest is the same without it.

From somebody a matter may be kept. What it would move, in a phase, a figure or an alert of another
kind, would give it away to them, and would take facts from where they belong.
"""

from typing import Any

import pytest

from services.alerts.extracting import extracts
from services.alerts.rules.measures_due import MeasuresDue
from services.projections import story
from shared.alliance.history import History, Phase, fold
from shared.alliance.standing import by_raters
from shared.alliance.timeline import timeline
from shared.envelope import Envelope
from tests.support.events import (
    CLIENT,
    CLINIC,
    ORGANISATION,
    THERAPIST,
    a_boundary_assessed,
    a_boundary_noted,
    a_care_event,
    a_clinic_configured,
    a_rating,
    a_session_held,
    an_event,
    on,
)

LIFE = (
    a_care_event("referred", on(0), therapist=None),
    *(a_session_held(f"s{n}", on(7 * n)) for n in range(1, 5)),
    # Questionnaires come from elsewhere, and name no therapist.
    *(a_rating(38 - 4 * n, at=on(7 * n, 11), therapist=None) for n in range(1, 5)),
)
ENDED = (*LIFE, a_care_event("ended", on(40), therapist=None))

MATTERS: dict[str, tuple[Envelope, ...]] = {
    "amid": (a_boundary_noted(at=on(9)),),
    "before all": (a_boundary_noted(at=on(-3)),),
    "after all": (a_boundary_noted(at=on(60)), a_boundary_assessed(at=on(61))),
    "by another clinic": (a_boundary_noted(at=on(60), clinic="hq"),),
    "by another clinic, before all": (a_boundary_noted(at=on(-3), clinic="hq"),),
    "with another therapist": (a_boundary_noted(at=on(9), therapist="th_eve"),),
    "with another therapist, before all": (a_boundary_noted(at=on(-3), therapist="th_eve"),),
    "with another therapist, after all": (a_boundary_noted(at=on(60), therapist="th_eve"),),
    "with another therapist, of a session": (
        a_boundary_noted(at=on(9), therapist="th_eve", session="s1"),
    ),
    "in another care": (a_boundary_noted(at=on(9), care="group"),),
}


def folded(*told: Envelope) -> History:
    """Return the history of some events."""
    return fold(ORGANISATION, CLIENT, told)


def without_matters(phase: Phase) -> dict[str, Any]:
    """Return what is said of a phase, matters aside."""
    facts = [one.event for one in phase.facts if not one.type.startswith("boundary.")]
    return {
        "where": (phase.care, phase.therapist, phase.clinic.ref, phase.first, phase.in_care),
        "when": (phase.opened_at, phase.closed_at),
        "what": (phase.sessions, phase.ratings, phase.ruptures, facts),
    }


@pytest.mark.parametrize("life", [LIFE, ENDED], ids=["open", "ended"])
@pytest.mark.parametrize("matter", MATTERS.values(), ids=MATTERS)
def test_everything_else_is_as_without_it(
    life: tuple[Envelope, ...], matter: tuple[Envelope, ...]
) -> None:
    """Phases, the present, the standing and the clinic: none of them knows of the matter."""
    plain, shown = folded(*life), folded(*life, *matter)
    rest = [one for one in shown.phases if not one.apart]
    assert [*map(without_matters, rest)] == [*map(without_matters, plain.phases)]
    assert [one.therapist for one in shown.current] == [one.therapist for one in plain.current]
    assert by_raters(shown) == by_raters(plain)
    (found,) = (event for phase in shown.phases for event in phase.boundary_events)
    assert found.facts[0].event == matter[0].id


def test_a_matter_stands_with_whom_it_names() -> None:
    """In the phase that was open then, in fold order; else with the first that came later."""
    early, late = a_boundary_noted("b1", at=on(-3)), a_boundary_noted("b2", at=on(9))
    (phase,) = (one for one in folded(*LIFE, late, early).phases if one.therapist)
    assert [one.ref for one in phase.boundary_events] == ["b1", "b2"]
    assert [one.occurred_at for one in phase.facts] == sorted(
        one.occurred_at for one in phase.facts
    )
    assert (phase.therapist, phase.opened_at) == (THERAPIST, on(7, 10, 50))


def test_a_matter_of_the_moment_that_opens_a_phase_is_no_evidence() -> None:
    """What was agreed before is counted from what opened it, not from a matter of that day."""
    agreed = [{"instrument": "phq-9", "every_days": 7}]
    said = {"clinic": CLINIC, "therapist": "th_ada", "goal": "g1", "agreed_by": ["client"]}
    told = (
        a_care_event("started", on(0), therapist="th_bob", measures=agreed),
        an_event("goal.agreed", on(14), said),
        a_boundary_noted(at=on(14), therapist="th_ada"),
    )
    found = fold(ORGANISATION, CLIENT, told, [a_clinic_configured(sends=["ratings"])])
    (theirs,) = (one for one in found.phases if one.therapist == "th_ada")
    (episode,) = MeasuresDue().judge(theirs, {}, on(300)).episodes
    assert [one.type for one in episode.steps[-1].evidence] == ["care.started", "goal.agreed"]


def test_a_matter_puts_nobody_into_a_caseload() -> None:
    """Of whom it names there is an extract only where it concerns them, and no stay in it."""
    told = folded(*LIFE, a_boundary_noted(at=on(9), therapist="th_eve", concerns="th_ada"))
    stays = {one.therapist: len(one.stays) for one in extracts(told)}
    assert stays == {"th_ada": 0, THERAPIST: 1}


def test_a_matter_alone_is_a_phase_apart() -> None:
    """Whoever is known by a matter alone is in the caseload, until care has ended."""
    (phase,) = folded(a_boundary_noted(at=on(9))).phases
    assert (phase.apart, phase.in_care, phase.therapist) == (True, True, THERAPIST)
    ended = folded(*ENDED, a_boundary_noted(at=on(9), therapist="th_eve"))
    assert [one.therapist for one in ended.phases if one.apart] == ["th_eve"]
    assert not any(one.in_care for one in ended.phases)


def test_a_phase_apart_is_drawn_as_no_phase_of_care() -> None:
    """The JSON says so; in a drawing the matter stands in its own lane alone."""
    told = folded(*LIFE, a_boundary_noted(at=on(9), therapist="th_eve"))
    shown = timeline(told) | {"parked": None, "simulated": False}
    assert [one["therapist"] for one in shown["phases"] if one["apart"]] == ["th_eve"]
    drawn, plain = story.read(shown), story.read(timeline(folded(*LIFE)))
    assert (drawn.phases, drawn.consistency) == (plain.phases, plain.consistency)
    assert len(drawn.boundary) == 1
    alone = story.read(timeline(folded(a_boundary_noted(at=on(9)))))
    assert (alone.phases, alone.is_empty) == ((), False)

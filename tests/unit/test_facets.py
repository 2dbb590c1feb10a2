"""The facets of the alliance: levels over time, and the facts that stand beside them."""

from typing import Any

from services.projections.qualities import qualities
from shared.alliance.beside import MEASURES
from shared.alliance.consistency import MEASURES as CONSISTENCY
from shared.alliance.history import fold
from shared.alliance.timeline import timeline
from shared.envelope import Envelope
from shared.instrument import INSTRUMENTS
from tests.support.events import (
    CLIENT,
    CLINIC,
    ORGANISATION,
    THERAPIST,
    a_boundary_noted,
    a_care_event,
    a_rating,
    a_rupture_noted,
    a_session_held,
    an_event,
    on,
)
from tests.support.facets import spoken_of

COMMON = {"clinic": CLINIC, "therapist": THERAPIST}
SCALES = {"relationship": 9, "goals_and_topics": 5, "approach_or_method": 8, "overall": 8}


def facets(*told: Envelope) -> dict[str, Any]:
    """Return the facets that the timeline of some events shows."""
    shown: dict[str, Any] = timeline(fold(ORGANISATION, CLIENT, told))["facets"]
    return shown


def test_the_course_of_a_facet_is_the_mean_of_each_four_weeks() -> None:
    """Back from the client's last fact, at most a year, by the client's own ratings."""
    told = [
        a_rating(None, at=on(day, 10), scales={**SCALES, "relationship": relationship})
        for day, relationship in ((0, 4), (40, 6), (50, 7), (83, 8), (84, 9))
    ]
    told.append(a_session_held("s9", on(84, 9), minutes=60))
    theirs = a_rating(
        None, at=on(80), instrument="wai-sr-t", rater="therapist", scales={"bond": 10}
    )
    trust = facets(*told, theirs)["trust"]
    assert [(one["level"], one["n"]) for one in trust["course"]] == [
        (40.0, 1), (65.0, 2), (85.0, 2),
    ]  # fmt: skip
    assert trust["course"][-1]["until"] == "2026-03-30T10:00:00Z"
    far = facets(*told, a_session_held("far", on(84 + 337), minutes=60))
    assert "trust" not in spoken_of(far)


def test_facts_stand_beside_a_facet_and_move_no_number() -> None:
    """What was noted, agreed and repaired is named, the latest of it, and all is counted."""
    rated = a_rating(None, at=on(10), scales=SCALES)
    noted = [a_rupture_noted(f"r{n}", at=on(n)) for n in range(7)]
    trust = facets(rated, *noted)["trust"]
    assert trust["level"] == 90.0
    assert trust["facts"]["total"] == 7
    assert [one["event"] for one in trust["facts"]["latest"]] == [one.id for one in noted[2:]]


def test_each_fact_speaks_to_the_facets_that_it_is_of() -> None:
    """By area, by who agreed, by what was done; a contact speaks to support after a setback."""

    def speaks_to(*told: Envelope) -> set[str]:
        return set(spoken_of(facets(*told))) - {"time"}

    def a_goal(*agreed_by: str) -> Envelope:
        return an_event("goal.agreed", on(1), {**COMMON, "goal": "g", "agreed_by": agreed_by})

    assert speaks_to(a_boundary_noted(area="confidentiality")) >= {"confidentiality", "safety"}
    assert "objectivity" in speaks_to(a_boundary_noted(area="dual_relationship"))
    assert speaks_to(a_goal("client", "therapist")) == {"collaboration", "empowerment"}
    assert speaks_to(a_goal("therapist")) == set()
    reached = an_event("contact.attempted", on(40), {**COMMON, "by": "therapist", "reached": True})
    assert speaks_to(reached) == set()
    for day, support in ((12, {"support"}), (11, set())):
        set_back = an_event("setback.noted", on(day), {**COMMON, "severity": "mild"})
        assert speaks_to(set_back, reached) == {"relapse_prevention"} | support


def test_a_relationship_takes_time() -> None:
    """How many sessions it has had stands among the facets; consistency names its figures."""
    told = [a_session_held("s1", on(0)), a_session_held("s2", on(7))]
    assert facets(*told)["time"]["numbers"] == {"sessions_held": 2}
    assert set(MEASURES) <= {facet for one in INSTRUMENTS.values() for of in one.facets.values()
                             for facet in of}  # fmt: skip
    assert {name for names in MEASURES.values() for name in names} <= {
        measure.name for measure in CONSISTENCY
    }


def test_the_change_since_the_first_score_stands_beside_time_and_outcome() -> None:
    """Against the reliable change, where one is published; of one score there is none."""
    told = [a_rating(score, at=on(day), instrument="phq-9") for day, score in ((0, 18), (28, 9))]
    told += [a_rating(score, at=on(day)) for day, score in ((0, 38), (7, 30), (14, 27))]
    told.append(a_rating(30, at=on(3), instrument="ors"))
    shown = facets(*told, a_session_held("s1", on(0)))
    (phq,) = shown["outcome"]["since_first"]
    assert (phq["first"]["value"], phq["latest"]["value"], phq["ratings"]) == (18, 9, 2)
    assert phq["change"] == {"better_by": 9, "needed": 6, "category": "recovered"}
    (srs,) = shown["time"]["since_first"]
    assert (srs["first"]["percent"], srs["latest"]["percent"], srs["change"]) == (95, 67.5, None)
    said = {one.title: one.says for one in qualities(shown)}
    assert said["outcome"].endswith(
        "phq-9 18 at first and 9 now, 2 ratings: a reliable change for the better, past the "
        "cut-off (from 6 on it is one)"
    )
    assert "srs-3 38 at first and 27 now, 3 ratings: whether that is reliable" in said["time"]
    over = a_care_event("transferred", on(60), to_therapist="th_eve")
    assert facets(*told, over)["outcome"]["since_first"] == []

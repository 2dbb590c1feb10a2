"""Reading through a bound key: to clinics, to a person. What it may not see is not there."""

from typing import Any

from tests.support import events as an
from tests.support.projected import World, an_alert_step

EVE = "th_eve"


def address(client: str, query: str = "") -> str:
    """Return where a timeline is read."""
    return f"/v1/clients/{client}/timeline{query}"


# Bound to clinics -------------------------------------------------------------------------------
def test_a_key_bound_to_a_clinic_sees_that_clinic(world: World) -> None:
    """Another clinic's client is a 404; what happened elsewhere to one's own is left out."""
    world.tell(
        an.a_session_held("here", an.on(7)),
        an.a_session_held("there", an.on(8), clinic="oak", therapist=EVE),
        an.a_session_held("far", an.on(9), clinic="oak", client="cl_ben"),
        an.a_consent("given", an.on(6), scope="alerts"),
    )
    elm: dict[str, Any] = {"clinics": [an.CLINIC]}
    timeline = world.timeline(**elm)
    assert [one["session"] for one in timeline["sessions"]] == ["here"]
    assert "oak" not in str(timeline)
    assert timeline["consents"] != {}
    assert world.get(address(world.client("cl_ben")), world.key(**elm)).status_code == 404
    assert world.get(address(world.client("new")), world.key(**elm)).status_code == 404
    assert world.caseload(**elm) == [an.CLIENT]
    assert world.caseload("?clinic=oak", **elm) == []
    assert len(world.timeline()["sessions"]) == 2


def test_a_corrected_clinic_counts(world: World) -> None:
    """A fact belongs to the clinic that its correction names, in both directions."""
    wrong = an.a_session_held("s1", clinic="oak")
    world.tell(wrong, an.a_correction(wrong, clinic=an.CLINIC))
    assert len(world.timeline(clinics=[an.CLINIC])["sessions"]) == 1
    assert world.get(address(world.client()), world.key(clinics=["oak"])).status_code == 404


def test_what_another_clinic_took_back_is_gone_here(world: World) -> None:
    """Whoever takes a session back, it is gone for all; taken back twice over, it is there."""
    gone = an.a_retraction_of_thing("session", "s1", at=an.on(10), clinic="oak")
    elsewhere = an.a_retraction_of_thing("session", "s9", at=an.on(10), clinic="oak")
    world.tell(an.a_session_held("s1"), an.a_rating(clinic="oak", session="s9"), gone, elsewhere)
    elm: dict[str, Any] = {"clinics": [an.CLINIC]}
    assert world.timeline(**elm)["sessions"] == world.timeline()["sessions"] == []
    assert world.timeline(**elm)["waiting_amendments"] == []
    world.tell(an.a_retraction(gone, at=an.on(11), clinic="oak"))
    assert len(world.timeline(**elm)["sessions"]) == len(world.timeline()["sessions"]) == 1


def test_supervision_and_leave_elsewhere_are_left_out(world: World) -> None:
    """Of what concerns many clients, too, a key bound to a clinic reads that clinic's alone."""
    for clinic in (an.CLINIC, "oak"):
        held = {"clinic": clinic, "therapist": an.THERAPIST, "topics": ["risk"]}
        world.tell(
            an.an_event("supervision.held", an.on(8), held, client=None),
            an.a_therapist_away("2026-02-02", "2026-02-06", clinic=clinic),
        )
    world.tell(an.a_session_held())
    for clinics, n in ([an.CLINIC], 1), ([], 2):
        timeline = world.timeline(clinics=clinics)
        assert len(timeline["supervision"]) == len(timeline["phases"][0]["away"]) == n


def test_elsewhere_shapes_nothing_here_within_one_phase(world: World) -> None:
    """Not even where one therapist sees the client in two clinics."""
    ratings = [an.a_rating(36 - 4 * n, at=an.on(7 * n, 11), clinic="oak") for n in range(1, 7)]
    world.tell(*ratings, an.a_session_held("s1", an.on(50)))
    (row,) = world.get("/v1/clients", world.key(clinics=[an.CLINIC])).json["clients"]  # type: ignore[index]
    assert (row["standing"], row["last_held_at"], row["clinic"]) == ("unknown", None, an.CLINIC)
    assert world.caseload(clinics=["oak"]) == []


def test_elsewhere_shapes_nothing_here(world: World) -> None:
    """In the caseload of a clinic, who is also in care elsewhere stands as unknown."""
    ratings = [an.a_rating(36 - 4 * n, at=an.on(7 * n, 11), clinic="oak") for n in range(1, 7)]
    world.tell(an.a_session_held("s1", therapist=EVE), *ratings)
    (row,) = world.get("/v1/clients", world.key(clinics=[an.CLINIC])).json["clients"]  # type: ignore[index]
    assert (row["standing"], row["last_held_at"], row["clinic"]) == ("unknown", None, an.CLINIC)
    (row,) = world.get("/v1/clients").json["clients"]  # type: ignore[index]
    assert row["standing"] == "falling"


def test_evidence_of_an_alert_from_elsewhere_is_counted(world: World) -> None:
    """Of an alert that goes on here, what happened at another clinic is a number, no event."""
    here, there = an.a_session_held("s1"), an.a_session_held("s2", an.on(8), clinic="oak")
    world.tell(here, there)
    step = an_alert_step(client=world.client(), evidence=[world.placed(here), world.placed(there)])
    step.event.data["evidence"][1]["clinic"] = "oak"
    world.alert(step)
    (whole,) = world.timeline()["alerts"]
    (seen,) = world.timeline(clinics=[an.CLINIC])["alerts"]
    assert len(whole["evidence"]) == 2
    assert seen == {**whole, "evidence": whole["evidence"][:1], "evidence_elsewhere": 1}


# Bound to a person ------------------------------------------------------------------------------
def test_nobody_reads_what_concerns_them(world: World) -> None:
    """A boundary matter is left out, with all its steps and alerts, for the person it concerns."""
    noted = an.a_boundary_noted(concerns=EVE, severity=4)
    steps = [noted, an.a_boundary_assessed(), an.a_boundary_step("closed", at=an.on(10))]
    world.tell(an.a_session_held(), *steps)
    world.alert(
        an_alert_step(
            client=world.client(),
            family="boundary",
            urgency="urgent",
            evidence=[world.placed(noted)],
        )
    )
    hers = world.timeline(person=EVE)
    assert (hers["boundary_events"], hers["alerts"]) == ([], [])
    assert EVE not in str(hers)
    for event in steps:
        assert world.placed(event).id not in str(hers)
    somebody = world.timeline(person="th_ada")
    assert len(somebody["boundary_events"]) == len(somebody["alerts"]) == 1


def test_no_amendment_opens_a_matter(world: World) -> None:
    """A corrected name, a retraction and a merger leave the matter closed to whom it named."""
    noted = an.a_boundary_noted("b1", concerns=EVE)
    merged = an.a_boundary_step("closed", "b1", at=an.on(20), outcome="merged", merged_into="b2")
    world.tell(
        an.a_session_held(),
        noted,
        an.a_correction(noted, concerns="th_ada"),
        merged,
        an.a_boundary_noted("b2", concerns="th_ada", at=an.on(19)),
        an.a_boundary_noted("b3", concerns=EVE, at=an.on(21)),
        an.a_retraction_of_thing("boundary_event", "b3", at=an.on(22)),
        an.a_retraction(an.a_boundary_noted("b4", concerns=EVE, at=an.on(23))),
    )
    for query in ("", "?known_at=2026-01-13T12:00:00Z"):
        hers = world.timeline(query=query, person=EVE)
        assert (hers["boundary_events"], hers["waiting_amendments"]) == ([], [])
    assert len(world.timeline()["boundary_events"]) == 2


def test_the_caseload_keeps_the_secret(world: World) -> None:
    """An alert about somebody neither counts nor ranks in the caseload that they read."""
    noted = an.a_boundary_noted(concerns=EVE)
    world.tell(an.a_session_held("s1"), noted, an.a_session_held("s2", an.on(1), client="cl_ben"))
    world.alert(
        an_alert_step(
            client=world.client(),
            family="boundary",
            urgency="urgent",
            evidence=[world.placed(noted)],
        ),
        an_alert_step("a2", client=world.client("cl_ben"), family="boundary", urgency="urgent"),
    )
    assert world.caseload() == ["cl_ben", an.CLIENT]
    assert world.caseload(person="th_ada") == [an.CLIENT, "cl_ben"]
    assert world.caseload(person=EVE) == ["cl_ben", an.CLIENT]
    rows = world.get("/v1/clients", world.key(person=EVE)).json["clients"]  # type: ignore[index]
    assert [row["open_alerts"]["urgent"] for row in rows] == [0, 0]


def test_a_protected_reporter_is_withheld(world: World) -> None:
    """Nobody reads who reported a matter whose reporter is protected, by any version of it."""
    noted = an.a_boundary_noted("b1", reported_by="client")
    told = an.a_correction(noted, reporter_protected=True, reported_by="client")
    world.tell(an.a_session_held(), noted, told, an.a_boundary_noted("b2", at=an.on(9)))
    protected, other = world.timeline()["boundary_events"]
    (earlier,) = world.timeline(query="?known_at=2026-01-13T12:00:00Z")["boundary_events"]
    for item in (protected, earlier):
        assert item["reported_by"] is None
        assert [step["reported_by"] for step in item["events"]] == [None]
    assert other["reported_by"] == "supervisor"


def test_an_alert_that_stood_on_a_matter_stays_hidden(world: World) -> None:
    """Its history tells of what it stood on before, so any step's evidence counts, at any time."""
    hers = an.a_boundary_noted("b1", concerns=EVE)
    other = an.a_boundary_noted("b2", concerns="th_ada", at=an.on(9))
    world.tell(hers, other)
    for number, noted in ((1, hers), (2, other)):
        world.alert(
            an_alert_step(
                client=world.client(),
                number=number,
                family="boundary",
                evidence=[world.placed(noted)],
            )
        )
    assert world.timeline(person=EVE)["alerts"] == []
    assert len(world.timeline(person="th_bob")["alerts"]) == 1


def test_a_matter_that_another_team_noted_moves_nobody_in_the_caseload(world: World) -> None:
    """Nor does one with another therapist: whom it concerns reads what they would without it."""
    ratings = [an.a_rating(38 - 4 * n, at=an.on(7 * n, 11), therapist=None) for n in range(1, 6)]
    matters = [
        an.a_boundary_noted("b0", at=an.on(-3), concerns=EVE),
        an.a_boundary_noted("b1", at=an.on(50), clinic="hq", concerns=EVE),
        an.a_boundary_noted("b2", at=an.on(9), therapist="th_ada", concerns=EVE),
    ]
    world.tell(an.a_care_event("started", an.on(1)), *ratings)
    eve: dict[str, Any] = {"person": EVE}
    here: dict[str, Any] = {"clinics": [an.CLINIC], **eve}
    before = [world.get("/v1/clients", world.key(**bound)).json for bound in (eve, here)]
    world.tell(*matters)
    assert [world.get("/v1/clients", world.key(**bound)).json for bound in (eve, here)] == before
    assert before[0] == before[1]
    assert before[0]["clients"][0]["standing"] == "falling"  # type: ignore[index]

"""What callers read, and what they may not: timelines and the caseload over HTTP."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.projections import cursors
from shared.ids import CLIENT, opaque_id
from shared.storage.engine import Database
from shared.stream.codec import encode
from shared.stream.ports import ALERTS, EVENTS
from tests.support import events as an
from tests.support.databases import DIALECTS, migrated, url_of
from tests.support.projected import World, an_alert_step

EVE = "th_eve"
NOBODY = "cl_" + 24 * "0"


@pytest.fixture(params=DIALECTS)
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Yield a migrated database."""
    with migrated(url_of(request, tmp_path)) as opened:
        yield opened


@pytest.fixture
def world(db: Database, tmp_path: Path) -> Iterator[World]:
    """Yield a world in which nothing has happened."""
    made = World(db, tmp_path)
    yield made
    made.close()


def address(client: str, query: str = "") -> str:
    """Return where a timeline is read."""
    return f"/v1/clients/{client}/timeline{query}"


# Who exists -------------------------------------------------------------------------------------
def test_accepted_but_not_yet_projected_is_empty(world: World) -> None:
    """A client whom the registry knows has a timeline, empty until facts arrive."""
    response = world.get(address(world.client("new")))
    assert response.status_code == 200
    assert response.json is not None
    assert (response.json["sessions"], response.json["judged_at"]) == ([], None)


@pytest.mark.parametrize("ending", ["", ".svg", ".html"])
def test_others_and_nobodies_are_alike(world: World, ending: str) -> None:
    """Another organisation's client, a made-up one and a member of staff give the same 404."""
    world.tell(an.a_session_held())
    other = world.office.an_organisation("South")
    theirs = world.key(other)
    staff = world.office.registry.opaque(world.organisation, [("th", "tom")])["th", "tom"]
    mine = world.key()
    answers = [
        world.get(address(world.client()) + ending, theirs),
        world.get(address(opaque_id(CLIENT)) + ending, mine),
        world.get(address(staff) + ending, mine),
        world.get(address("anna") + ending, mine),
        world.get(address("%00") + ending, mine),
    ]
    assert {one.status_code for one in answers} == {404}
    assert len({one.data for one in answers}) == 1
    assert world.get(address(world.client()) + ending, mine).status_code == 200


def test_organisations_never_meet(world: World) -> None:
    """The same references in two organisations are two clients, each seen by its own keys."""
    other = world.office.an_organisation("South")
    world.tell(an.a_session_held("s1"))
    world.tell(an.a_session_held("s2"), organisation=other)
    world.alert(an_alert_step(client=world.client()))
    theirs = world.key(other)
    timeline = world.get(address(world.client(organisation=other)), theirs).json
    assert timeline is not None
    assert [one["session"] for one in timeline["sessions"]] == ["s2"]
    listed = world.get("/v1/clients", theirs).json
    assert listed is not None
    (only,) = listed["clients"]
    assert only["client"] == world.client(organisation=other)
    assert only["open_alerts"] == {"urgent": 0, "attention": 0, "information": 0}


def test_one_opaque_id_in_two_organisations(world: World) -> None:
    """Even under the same opaque id, and in one partition, nothing crosses over."""
    other = world.office.an_organisation("South")
    mine = world.placed(an.a_session_held("s1"))
    theirs = replace(
        world.placed(an.a_session_held("s2", an.on(9), source="urn:simulated:x")),
        organisation=other,
    )
    alert = replace(an_alert_step(client=world.client()), organisation=other)
    world.publish([replace(encode(theirs, EVENTS), partition=0), encode(mine, EVENTS, 0)])
    world.publish([encode(alert, ALERTS)])
    timeline = world.timeline()
    assert [one["session"] for one in timeline["sessions"]] == ["s1"]
    assert (timeline["simulated"], timeline["alerts"]) == (False, [])
    assert world.get("/v1/clients").json["clients"][0]["open_alerts"]["attention"] == 0  # type: ignore[index]


def test_reading_needs_the_right(world: World) -> None:
    """Without a key 401, with a key that may only act 403."""
    path = address(world.client())
    token = world.office.a_token(world.organisation, "act")
    assert world.get(path, {"X-None": ""}).status_code == 401
    assert world.get(path, {"Authorization": f"Bearer {token}"}).status_code == 403
    assert world.get("/v1/clients", {"Authorization": f"Bearer {token}"}).status_code == 403


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


# Conditional, and at two times ------------------------------------------------------------------
@pytest.mark.parametrize("ending", ["", ".svg", ".html"])
def test_unchanged_is_304(world: World, ending: str) -> None:
    """The tag names what is said, but not when it was judged; a new fact changes it."""
    world.tell(an.a_session_held("s1"))
    path, key = address(world.client()) + ending, world.key()
    tag = world.get(path, key).headers["ETag"]
    world.tell(an.an_event("clock.ticked", an.on(30), {}, client=None))
    unchanged = world.get(path, key, **{"If-None-Match": tag})
    assert (unchanged.status_code, unchanged.data) == (304, b"")
    assert unchanged.headers["ETag"] == tag
    world.tell(an.a_session_held("s2", an.on(14)))
    changed = world.get(path, key, **{"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("?valid_at=yesterday", "/query/valid_at"),
        ("?valid_at=2026-01-01T00:00:00", "/query/valid_at"),
        ("?known_at=2026-02-30T00:00:00Z", "/query/known_at"),
        ("?known_at=2026-01-01T00:00:00+01:00", "/query/known_at"),
        ("?known_at=", "/query/known_at"),
        ("?valid-at=2026-01-01T00:00:00Z", "/query/valid-at"),
    ],
)
def test_times_are_read_strictly(world: World, query: str, pointer: str) -> None:
    """A time that is none, or a parameter that does not exist, is 422 and named."""
    response = world.get(address(world.client(), query))
    assert response.status_code == 422
    assert response.json is not None
    assert [fault["pointer"] for fault in response.json["errors"]] == [pointer]


@pytest.mark.parametrize("ending", ["", ".svg", ".html"])
@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
@pytest.mark.parametrize("axis", ["valid_at", "known_at"])
def test_the_ends_of_the_calendar_can_be_asked_about(
    world: World, ending: str, time: str, axis: str
) -> None:
    """Of a client with a history, and of one without."""
    world.tell(an.a_session_held())
    for client in (world.client(), world.client("new")):
        response = world.get(address(client, f"{ending}?{axis}={time}"))
        assert response.status_code == 200
        assert len(response.data) < 10_000


def test_pictures_and_pages_carry_a_strict_policy(world: World) -> None:
    """The drawing and the page load nothing, run nothing, and are framed by nobody."""
    world.tell(an.a_session_held())
    for ending, media_type in ((".svg", "image/svg+xml"), (".html", "text/html")):
        response = world.get(address(world.client()) + ending)
        assert response.mimetype == media_type
        policy = response.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "unsafe" not in policy
        assert "<script" not in response.text


# The caseload -----------------------------------------------------------------------------------
def falling(client: str) -> list[Any]:
    """Return the ratings of a client whose word of the alliance falls."""
    return [an.a_rating(38 - n, at=an.on(7 * n, 11), client=client) for n in range(1, 7)]


def seen(client: str, day: int, **stated: Any) -> Any:
    """Return a held session of a client."""
    return an.a_session_held(f"s{day}", an.on(day), client=client, **stated)


def test_the_worst_come_first(world: World) -> None:
    """Urgent, attention, falling, low, the rest; among equals, longest without a held session."""
    low = [an.a_rating(20, at=an.on(day, 11), client="cl_low") for day in (7, 14)]
    world.tell(
        seen("cl_rest_new", 30), seen("cl_rest_old", 1), seen("cl_urgent", 40),
        seen("cl_attention", 2), seen("cl_falling", 41), *falling("cl_falling"),
        seen("cl_low", 42), *low,
    )  # fmt: skip
    world.alert(
        an_alert_step("a1", client=world.client("cl_urgent"), urgency="urgent"),
        an_alert_step("a2", client=world.client("cl_attention")),
        an_alert_step("a3", client=world.client("cl_rest_new"), urgency="urgent", state="snoozed"),
    )
    order = ["cl_urgent", "cl_attention", "cl_falling", "cl_low", "cl_rest_old", "cl_rest_new"]
    assert world.caseload() == order
    assert world.caseload("?standing=falling") == ["cl_falling"]
    assert world.caseload(f"?therapist={an.THERAPIST}&clinic={an.CLINIC}") == order
    assert world.caseload("?therapist=th_none") == []


def test_who_is_not_in_care_is_not_in_the_caseload(world: World) -> None:
    """Ended care, and a withdrawn consent to processing, take a client out."""
    world.tell(
        seen("cl_in", 1),
        seen("cl_ended", 2),
        an.a_care_event("ended", an.on(3), client="cl_ended"),
        seen("cl_gone", 2),
        an.a_consent("withdrawn", an.on(3), client="cl_gone"),
    )
    assert world.caseload() == ["cl_in"]


def test_a_last_word_after_the_end_brings_nobody_back_into_care(world: World) -> None:
    """A questionnaire after the end that names no therapist; a new booking does."""
    world.tell(
        *(an.a_rating(30, at=an.on(day)) for day in (1, 2)),
        an.a_care_event("ended", an.on(3)),
        an.a_rating(31, at=an.on(30), therapist=None),
    )
    assert world.caseload() == []
    assert world.timeline()["therapist"] == an.THERAPIST
    world.tell(an.a_session_scheduled("s9", an.on(50), therapist=None))
    assert world.caseload() == [an.CLIENT]


def test_a_fact_about_many_reaches_who_it_concerns(world: World) -> None:
    """An absence that comes late moves a cover's session back to the covered phase."""
    world.tell(seen("cl_a", 1), seen("cl_a", 30, therapist=an.COVER), seen("cl_b", 1))
    assert world.caseload(f"?therapist={an.COVER}") == ["cl_a"]
    world.tell(an.a_therapist_away("2026-02-01", "2026-02-10", cover=an.COVER))
    assert world.caseload(f"?therapist={an.COVER}") == []
    assert world.caseload(f"?therapist={an.THERAPIST}") == ["cl_b", "cl_a"]


def test_pages_survive_changes(world: World) -> None:
    """While others come and go, a walk over the pages gives nobody twice and misses nobody."""
    names = [f"cl_{number:02}" for number in range(7)]
    world.tell(*(seen(name, day) for day, name in enumerate(names, 1)))
    key, path, walked = world.key(), "/v1/clients?limit=2", list[str]()
    while path:
        page = world.get(path, key).json
        assert page is not None
        walked += [row["client"] for row in page["clients"]]
        path = f"/v1/clients?limit=2&cursor={page['next']}" if page["next"] else ""
        # Somebody arrives before and after the place, and somebody already passed is gone.
        number = len(walked)
        assert number < 40
        world.tell(seen(f"cl_before{number}", 0), seen(f"cl_after{number}", 100 + number))
        world.tell(an.a_care_event("ended", an.on(50), client=names[0]))
    asked = [world.client(name) for name in names]
    assert [one for one in walked if one in asked] == asked
    assert len(walked) == len(set(walked))


@pytest.mark.parametrize("cursor", ["x", "AAAA", "W10", "WzEsMiwiYyIsIngiXQ", "%C3%A9", "W1s"])
def test_a_cursor_of_somebody_elses_making_is_refused(world: World, cursor: str) -> None:
    """What is no cursor of ours is 422, and named."""
    response = world.get(f"/v1/clients?cursor={cursor}")
    assert response.status_code == 422
    assert response.json is not None
    assert [fault["pointer"] for fault in response.json["errors"]] == ["/query/cursor"]


@pytest.mark.parametrize(
    "place", [(True, 5, NOBODY), (1, True, NOBODY), (1, 5, "a\0b"), (1, 2**62, NOBODY)]
)
def test_a_cursor_made_up_with_care_is_refused_too(
    world: World, place: tuple[int, int, str]
) -> None:
    """A cursor is no secret: one in our own form that names no row is 422, never 500."""
    nothing = {"clinic": None, "therapist": None, "standing": None}
    assert world.get(f"/v1/clients?cursor={cursors.write(place, nothing)}").status_code == 422


def test_a_cursor_belongs_to_its_question(world: World) -> None:
    """A cursor under other filters is refused: its place means nothing there."""
    world.tell(seen("cl_a", 1), seen("cl_b", 2))
    page = world.get("/v1/clients?limit=1").json
    assert page is not None
    cursor = page["next"]
    assert world.get(f"/v1/clients?cursor={cursor}").status_code == 200
    assert world.get(f"/v1/clients?cursor={cursor}&standing=low").status_code == 422


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "standing=bad", "clinic=%00", "therapist=%0Ax", "a=1"],
)
def test_what_cannot_be_asked_is_refused(world: World, query: str) -> None:
    """A limit out of range, an unknown standing or parameter is 422."""
    assert world.get(f"/v1/clients?{query}").status_code == 422

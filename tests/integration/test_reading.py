"""What callers read, and what they may not: timelines and the caseload over HTTP."""

from dataclasses import replace
from typing import Any

import pytest

from shared.ids import CLIENT, opaque_id
from shared.stream.codec import encode
from shared.stream.ports import ALERTS, EVENTS
from tests.support import events as an
from tests.support.projected import World, an_alert_step


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


def test_an_alert_that_vanished_is_not_on_the_timeline(world: World) -> None:
    """Taken back before anybody was told it is where the inbox has it: nowhere, since then."""
    world.tell(an.a_session_held())
    client = world.client()
    untold: dict[str, Any] = {"untold": True}
    for alert, taken_back in ("told", {}), ("vanished", untold):
        world.alert(
            an_alert_step(alert, client=client),
            an_alert_step(alert, "retracted", client=client, at=an.on(22), number=2,
                          state="retracted", **taken_back),
        )  # fmt: skip
    assert [one["id"] for one in world.timeline()["alerts"]] == ["told"]
    before = world.timeline(query="?known_at=2026-01-26T12:00:00Z")["alerts"]
    assert [(one["id"], one["state"]) for one in before] == [
        ("told", "open"),
        ("vanished", "open"),
    ]


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
        assert len(response.data) < 20_000


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

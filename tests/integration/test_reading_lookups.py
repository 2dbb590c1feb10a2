"""Looking up references: who is found is who can be read, whatever call asks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.ids import STAFF
from tests.support import events as an
from tests.support.databases import migrated, sqlite_url
from tests.support.projected import World

EVE = "th_eve"
CALLS = ("timeline", "timeline.svg", "timeline.html")
HIDDEN: list[Any] = [
    pytest.param({"person": EVE}, id="whom all of it concerns"),
    pytest.param({"clinics": ["oak"]}, id="another clinic"),
    pytest.param({"clinics": [an.CLINIC], "person": EVE}, id="both"),
]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Yield a world on SQLite: no question here is the database's own."""
    with migrated(sqlite_url(tmp_path)) as db:
        made = World(db, tmp_path)
        yield made
        made.close()


def look_up(world: World, reference: str, what: str = "clients", **options: Any) -> Any:
    """Return what a look-up answers: the opaque id, or the problem as it was written."""
    response = world.app.test_client().post(
        f"/v1/{what}/lookup", json={"reference": reference}, headers=world.key(**options)
    )
    return response.json["id"] if response.status_code == 200 else response.data  # type: ignore[index]


def revealed(world: World, client: str, organisation: str | None = None, **options: Any) -> Any:
    """Return the references that a key with the right to identify gets for a client."""
    token = world.office.a_token(organisation or world.organisation, "identify", **options)
    headers = {"Authorization": f"Bearer {token}"}
    asked = world.app.test_client().post("/v1/references", json={"ids": [client]}, headers=headers)
    assert asked.status_code == 200
    return asked.json["references"]  # type: ignore[index]


def test_a_reference_is_found_under_its_own_register(world: World) -> None:
    """Clients and staff are two registers; who is unknown stays so."""
    world.tell(an.a_session_held())
    wanted = (STAFF, "t-07")
    staff = world.office.registry.opaque(world.organisation, [wanted])[wanted]
    assert look_up(world, an.CLIENT) == world.client()
    assert look_up(world, "t-07", "therapists") == staff
    nobody = look_up(world, "nobody")
    assert b"not_found" in nobody
    assert nobody == look_up(world, "nobody") == look_up(world, an.CLIENT, "therapists")


def test_another_organisation_s_client_is_not_there(world: World) -> None:
    """The same reference under another organisation's key is unknown (invariant 6)."""
    world.tell(an.a_session_held())
    south = world.office.an_organisation("South")
    assert b"not_found" in look_up(world, an.CLIENT, organisation=south)
    assert revealed(world, world.client(), south) == {}
    assert revealed(world, world.client()) == {world.client(): an.CLIENT}


def test_every_use_of_references_is_logged(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says for how many, and names nobody; who may only read is refused."""
    client = world.client()
    assert revealed(world, client) == {client: an.CLIENT}
    logged = capsys.readouterr().out
    assert "references_revealed" in logged
    assert "count=1" in logged
    assert an.CLIENT not in logged
    refused = world.app.test_client().post(
        "/v1/references", json={"ids": [client]}, headers=world.key()
    )
    assert refused.status_code == 403


@pytest.mark.parametrize("body", [{}, {"reference": ""}, {"reference": 7}, [], {"ref": "x"}])
def test_a_malformed_question_is_refused(world: World, body: object) -> None:
    """A body that is not the one that is asked for names its faults."""
    response = world.app.test_client().post("/v1/clients/lookup", json=body, headers=world.key())
    assert response.status_code == 422


@pytest.mark.parametrize("reader", HIDDEN)
def test_who_is_hidden_is_unknown_to_every_call(world: World, reader: dict[str, Any]) -> None:
    """Of whom nothing may be read, the answers are those for somebody who was never sent."""
    world.tell(an.a_boundary_noted(concerns=EVE))
    if reader == {"clinics": [an.CLINIC], "person": EVE}:
        world.tell(an.a_session_held("far", an.on(9), clinic="oak"))
    client, nobody = world.client(), "cl_" + "0" * 24
    key = world.key(**reader)
    assert look_up(world, an.CLIENT, **reader) == look_up(world, "nobody", **reader)
    assert revealed(world, client, **reader) == {}
    for call in CALLS:
        for query in ("", "?known_at=2020-01-01T00:00:00Z", "?valid_at=2020-01-01T00:00:00Z"):
            hidden, unknown = (
                world.get(f"/v1/clients/{one}/{call}{query}", key) for one in (client, nobody)
            )
            assert (hidden.status_code, hidden.data) == (404, unknown.data)
    assert world.caseload(**reader) == []
    assert look_up(world, an.CLIENT) == client
    assert look_up(world, an.CLIENT, person="th_ada") == client


def test_nobody_is_there_for_a_person_before_anything_is_known(world: World) -> None:
    """What was accepted and not yet read may concern them: until it is, nobody is there."""
    client = world.client()
    for reader, status in ({"person": EVE}, 404), ({"clinics": [an.CLINIC]}, 404), ({}, 200):
        found = world.get(f"/v1/clients/{client}/timeline", world.key(**reader))
        assert found.status_code == status
        assert (look_up(world, an.CLIENT, **reader) == client) == (status == 200)


def test_no_time_tells_of_a_hidden_matter(world: World) -> None:
    """Asked at any time, a timeline is there, and the same before and after a matter was noted."""
    world.tell(
        an.a_boundary_noted(concerns=EVE, at=an.on(5)),
        an.a_session_held("s1", an.on(9), client="cl_ben"),
        an.a_merger(an.CLIENT, at=an.on(10), client="cl_ben"),
    )
    asked = [f"?known_at=2026-01-{day:02}T00:00:00Z" for day in (2, 9, 12, 28)]
    seen = [world.timeline(query=query, person=EVE) for query in asked]
    assert [one | {"known_at": None} for one in seen[:2]] == [seen[0] | {"known_at": None}] * 2
    assert len(seen[-1]["sessions"]) == 1
    assert seen[-1]["boundary_events"] == []

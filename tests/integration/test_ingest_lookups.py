"""References, opaque ids and the catalogue over HTTP."""

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from shared.events import EVENT_TYPES
from tests.support.front_door import FrontDoor, Registered, a_rating


@pytest.fixture
def door(tmp_path: Path) -> Iterator[FrontDoor]:
    """Yield a service on the embedded engine that has taken one rating."""
    made = FrontDoor(tmp_path)
    assert made.post(a_rating()).status_code == 202
    yield made
    made.close()


def look_up(door: FrontDoor, what: str, reference: str, by: Registered) -> tuple[int, str | None]:
    """Return status and opaque id of a look-up."""
    response = door.http.post(
        f"/v1/{what}/lookup", json={"reference": reference}, headers=by.bearer
    )
    return response.status_code, response.get_json().get("id")


def test_a_reference_is_found_under_its_own_register(door: FrontDoor) -> None:
    """Clients and staff are two registers, and what is in the stream is what is found."""
    [envelope] = door.envelopes()
    assert look_up(door, "clients", "c-1024", door.ehr) == (200, envelope.client)
    therapist = envelope.event.data["therapist"]
    assert look_up(door, "therapists", "t-07", door.ehr) == (200, therapist)
    assert look_up(door, "therapists", "c-1024", door.ehr) == (404, None)


def test_looking_up_creates_nobody(door: FrontDoor) -> None:
    """Asking twice for somebody unknown is 404 twice."""
    assert look_up(door, "clients", "nobody", door.ehr) == (404, None)
    assert look_up(door, "clients", "nobody", door.ehr) == (404, None)


def test_another_organisation_s_client_is_not_there(door: FrontDoor) -> None:
    """The same reference under another organisation's key is unknown (invariant 6)."""
    south = door.a_source("ehr", door.an_organisation("South"), "identify")
    assert look_up(door, "clients", "c-1024", south) == (404, None)
    mine = door.envelopes()[0].client
    response = door.http.post("/v1/references", json={"ids": [mine]}, headers=south.bearer)
    assert (response.status_code, response.get_json()) == (200, {"references": {}})


def test_references_are_revealed_to_the_right_identify_alone(
    door: FrontDoor, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who may identify gets the sender's words back; the log says who asked, and for how many."""
    client = door.envelopes()[0].client
    refused = door.http.post("/v1/references", json={"ids": [client]}, headers=door.ehr.bearer)
    assert refused.status_code == 403
    _, token = door.enrolment.create_key(door.ehr.organisation, ["identify"])
    response = door.http.post(
        "/v1/references", json={"ids": [client]}, headers={"Authorization": f"Bearer {token}"}
    )
    assert response.get_json() == {"references": {client: "c-1024"}}
    logged = capsys.readouterr().out
    assert "references_revealed" in logged
    assert "count=1" in logged
    assert "c-1024" not in logged


@pytest.mark.parametrize("body", [{}, {"reference": ""}, {"reference": 7}, [], {"ref": "x"}])
def test_a_malformed_question_is_refused(door: FrontDoor, body: object) -> None:
    """A body that is not the one that is asked for names its faults."""
    response = door.http.post("/v1/clients/lookup", json=body, headers=door.ehr.bearer)
    assert response.status_code == 422


def test_every_type_has_its_schema_and_an_example_that_fits(door: FrontDoor) -> None:
    """Both are served without a key, at the address that ``dataschema`` names."""
    for name, event_type in EVENT_TYPES.items():
        schema = door.http.get(f"/schemas/{name}/1")
        assert schema.status_code == 200
        assert schema.content_type == "application/schema+json"
        example = door.http.get(f"/schemas/{name}/1/example").get_json()
        assert example["dataschema"] == f"/schemas/{name}/1"
        if event_type.amends != "corrects":
            jsonschema.Draft202012Validator(json.loads(schema.data)).validate(example["data"])


def test_what_does_not_exist_has_no_schema(door: FrontDoor) -> None:
    """An unknown type, or version, is 404."""
    for path in ("/schemas/rating.given/2", "/schemas/nothing/1", "/schemas/rating.given/x"):
        assert door.http.get(path).status_code == 404


def test_instruments_are_listed_with_their_numbers_and_sources(door: FrontDoor) -> None:
    """Whoever writes an integration sees which instruments, items and ranges there are."""
    found = {one["key"]: one for one in door.http.get("/v1/instruments").get_json()["instruments"]}
    assert set(found) == {
        "arm-5", "bdi-2", "calpas-p", "core-10", "core-om", "cors", "gad-7", "gbo", "haq-2",
        "oq-45", "ors", "phq-9", "pulse", "seq-5", "srs-3", "wai-s", "wai-sr", "wai-sr-t",
        "wai-srt",
    }  # fmt: skip
    assert [one["rater"] for one in found["cors"]["scales"][0]["cutoffs"]] == [
        "client", "parent_or_carer",
    ]  # fmt: skip
    assert found["calpas-p"]["forms"] == ["mean", "sum"]
    assert {mark["about"] for mark in found["oq-45"]["marks"]} >= {"items", "risk", "missing"}
    assert found["phq-9"]["items"]["9"]["maximum"] == 3
    assert found["phq-9"]["newest"] is True

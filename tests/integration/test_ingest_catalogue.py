"""The catalogue over HTTP: schemas, examples, instruments."""

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from shared.events import EVENT_TYPES
from tests.support.front_door import FrontDoor


@pytest.fixture
def door(tmp_path: Path) -> Iterator[FrontDoor]:
    """Yield a service on the embedded engine."""
    made = FrontDoor(tmp_path)
    yield made
    made.close()


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

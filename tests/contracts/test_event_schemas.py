"""What is published about an event type is what ingest does."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from shared.events import EVENT_TYPES, amendable, validate
from shared.events.documents import documented
from shared.events.generate import FOLDER, generated, main, stale
from shared.events.schema import instance, is_sound
from tests.support.event_specimens import a_specimen
from tests.support.json_schemas import JUNK, accepted, spoilt, validators

INEXPRESSIBLE = {"not_a_time", "not_a_date", "not_a_timezone", "before_start"}
"""What JSON Schema cannot say: the calendar, the time zones, one moment against another."""

VERSIONS = [
    (name, version)
    for name, event_type in EVENT_TYPES.items()
    for version in range(1, event_type.version + 1)
]
VALIDATORS = validators()

every_version = pytest.mark.parametrize(("name", "version"), VERSIONS)


def _agree(name: str, version: int, data: Any) -> None:
    faults = validate(name, data, version)
    if VALIDATORS[f"{name}.{version}"].is_valid(data):
        assert {fault.code for fault in faults} <= INEXPRESSIBLE
    else:
        assert faults
    schema = EVENT_TYPES[name].schema_of(version)
    if isinstance(data, dict) and not any(marker in data for marker, _ in schema.forms):
        # The short way that nearly every event takes says what marshmallow's report would.
        assert is_sound(schema, data) == (not instance(schema).validate(data))


def test_the_committed_schemas_are_fresh() -> None:
    """The folder holds exactly what the code generates today."""
    assert stale() == []
    assert main(["--check"]) == 0


def test_a_stale_schema_is_named(tmp_path: Any) -> None:
    """A file that is missing, outdated or not ours is stale."""
    for name, text in generated().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert stale(tmp_path) == []
    (tmp_path / "rating.given.1.json").write_text("{}", encoding="utf-8")
    (tmp_path / "rating.lost.1.json").write_text("{}", encoding="utf-8")
    (tmp_path / "session.held.1.json").unlink()
    assert stale(tmp_path) == ["rating.given.1.json", "rating.lost.1.json", "session.held.1.json"]


@every_version
def test_a_schema_is_one_of_draft_2020_12_and_holds_its_example(name: str, version: int) -> None:
    """A committed schema is valid by its own dialect, refuses unknown fields and has examples."""
    schema = json.loads((FOLDER / f"{name}.{version}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    found = documented(name, version)
    assert found is not None
    assert schema["examples"] == [found.example]
    assert schema["$id"] == f"/schemas/{name}/{version}"
    for form in schema.get("oneOf", [schema]):
        assert form["additionalProperties"] is False


@every_version
def test_examples_and_specimens_are_valid_by_both(name: str, version: int) -> None:
    """The example, and data with every field, are valid by marshmallow and by JSON Schema."""
    event_type = EVENT_TYPES[name]
    for data in (event_type.example_of(version), a_specimen(event_type, version)):
        assert validate(name, data, version) == []
        VALIDATORS[f"{name}.{version}"].validate(data)


@every_version
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(draws=st.data())
def test_marshmallow_and_json_schema_agree(name: str, version: int, draws: st.DataObject) -> None:
    """What one of them accepts, the other accepts, as far as JSON Schema can say it."""
    data = draws.draw(accepted(name, version))
    if EVENT_TYPES[name].amends == "corrects":
        target = draws.draw(st.sampled_from(amendable(corrects=True)))
        data["target"]["type"] = target
        data["data"] = draws.draw(accepted(target, EVENT_TYPES[target].version))
    _agree(name, version, data)
    _agree(name, version, draws.draw(spoilt(data)))


@every_version
def test_every_field_spoilt_alike_is_refused_alike(name: str, version: int) -> None:
    """Each field of a full specimen, replaced by each piece of junk, gets one verdict by both."""
    from_tests = a_specimen(EVENT_TYPES[name], version)
    for field in from_tests:
        _agree(name, version, {key: held for key, held in from_tests.items() if key != field})
        for junk in JUNK:
            _agree(name, version, {**from_tests, field: junk})


def test_an_unknown_schema_is_not_documented() -> None:
    """A type or version that does not exist has no document."""
    assert documented("rating.forgotten", 1) is None
    assert documented("rating.given", 0) is None
    assert documented("rating.given", 99) is None


def test_an_event_around_the_example_has_a_subject_where_it_needs_one() -> None:
    """The whole event that is served names a client unless its type concerns many."""
    rating, closure = documented("rating.given", 1), documented("clinic.closed", 1)
    assert rating is not None
    assert closure is not None
    assert rating.event["subject"]
    assert rating.event["dataschema"] == "/schemas/rating.given/1"
    assert "subject" not in closure.event

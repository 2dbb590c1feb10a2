"""Every event type, asked or not: what the family's contract promises."""

import re
from pathlib import Path

import pytest

import shared.events.families
from shared.events import (
    CODES,
    EVENT_TYPES,
    FAMILIES,
    SENDER_TYPES,
    EventType,
    rank,
    references,
    validate,
    with_references,
)
from shared.events.fields import Choice, Value
from shared.events.schema import ListOf, MapOf, Part, Schema, values
from shared.events.texts import ClientRef, EventId, Text
from tests.support.event_specimens import a_specimen
from tests.support.json_schemas import JUNK

FEEDS = {"sessions", "ratings", "boundary", "goals", "plan", "supervision", "contacts", "leave"}
NARRATIVE = "She told me about her divorce."

every_type = pytest.mark.parametrize("event_type", EVENT_TYPES.values(), ids=EVENT_TYPES)
every_sent_type = pytest.mark.parametrize(
    "event_type", [EVENT_TYPES[name] for name in SENDER_TYPES], ids=SENDER_TYPES
)


def _fields(schema: type[Schema]) -> list[Value]:
    """Return every field of a schema and of its parts."""
    found: list[Value] = []
    for form in (schema, *(other for _, other in schema.forms)):
        for value in values(form).values():
            found += _within(value)
    return found


def _within(value: Value) -> list[Value]:
    match value:
        case ListOf() | MapOf():
            return [value, *_within(value.each)]
        case Part():
            return [value, *_fields(value.schema)]
        case _:
            return [value]


def test_the_visible_tuple_equals_the_files() -> None:
    """Each file of the folder is one family of the tuple, and each family one file."""
    folder = Path(shared.events.families.__path__[0])
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert {family.name for family in FAMILIES} == files
    assert len(FAMILIES) == len(files)


@every_type
def test_a_type_is_named_and_placed(event_type: EventType) -> None:
    """A type has a two-part name, its family, a docstring and a word on what its time is."""
    assert re.fullmatch(r"[a-z_]+\.[a-z_]+", event_type.name)
    assert event_type.family in {family.name for family in FAMILIES}
    assert event_type.schema.__doc__
    assert event_type.time_means
    assert event_type.feed is None or event_type.feed in FEEDS


@every_type
def test_every_field_describes_itself(event_type: EventType) -> None:
    """Each named field says in a sentence what it is."""
    for name, value in values(event_type.schema).items():
        assert value.description.endswith("."), name


@every_type
def test_unknown_fields_are_refused_with_those_that_exist(event_type: EventType) -> None:
    """A field that the type does not have is pointed at, and the fields that it has are told."""
    (fault,) = validate(event_type.name, {**a_specimen(event_type), "note": NARRATIVE})
    assert (fault.pointer, fault.code) == ("/note", "unknown_field")
    assert set(fault.allowed) == values(event_type.schema).keys()


@every_type
def test_required_fields_are_required(event_type: EventType) -> None:
    """Leaving out a required field gets one fault, at its place."""
    for name, value in values(event_type.schema).items():
        if value.required:
            rest = {key: held for key, held in a_specimen(event_type).items() if key != name}
            faults = validate(event_type.name, rest)
            assert [(fault.pointer, fault.code) for fault in faults] == [(f"/{name}", "required")]


@every_type
def test_a_closed_choice_tells_its_words(event_type: EventType) -> None:
    """A word outside a closed set gets the whole set in the answer."""
    for name, value in values(event_type.schema).items():
        if isinstance(value, Choice):
            faults = validate(event_type.name, {**a_specimen(event_type), name: "nonsense"})
            (fault,) = (fault for fault in faults if fault.pointer == f"/{name}")
            assert (fault.code, fault.allowed) == ("not_allowed", value.allowed)


@every_type
def test_faults_are_documented_and_hold_no_value(event_type: EventType) -> None:
    """Whatever is sent, every code is documented and no message repeats what was sent."""
    specimen = a_specimen(event_type)
    for name in specimen:
        for junk in JUNK:
            for fault in validate(event_type.name, {**specimen, name: junk}):
                assert fault.code in CODES
                assert NARRATIVE not in fault.message


@every_type
def test_data_that_is_no_object_is_one_fault(event_type: EventType) -> None:
    """Data that is not an object is refused as a whole, never with an exception."""
    for junk in JUNK:
        if not isinstance(junk, dict):
            (fault,) = validate(event_type.name, junk)
            assert (fault.pointer, fault.code) == ("", "wrong_type")


@every_type
def test_validation_changes_nothing(event_type: EventType) -> None:
    """Validating leaves the data as they were."""
    data, same = a_specimen(event_type), a_specimen(event_type)
    validate(event_type.name, data)
    assert data == same


@every_sent_type
def test_no_field_takes_narrative(event_type: EventType) -> None:
    """A sentence is refused wherever a sender could put one.

    The CloudEvents id of a target and a client's reference are texts of the sender's choosing by
    contract; the one is an identity, the other is replaced before anything is kept.
    """
    for value in _fields(event_type.schema):
        if isinstance(value, ClientRef | EventId):
            continue
        assert type(value) is not Text
        if isinstance(value, Text):
            assert value.faults(NARRATIVE)
    specimen = a_specimen(event_type)
    for name, value in values(event_type.schema).items():
        if not isinstance(value, ClientRef):
            assert validate(event_type.name, {**specimen, name: NARRATIVE})


@every_sent_type
def test_nobody_is_named_in_what_the_stream_keeps(event_type: EventType) -> None:
    """With its references replaced, data hold opaque ids alone, and the original is untouched."""
    specimen = a_specimen(event_type)
    found = references(event_type.name, specimen)
    opaque = {(one.register, one.text): f"{one.register}_opaque" for one in found}
    kept = with_references(event_type.name, specimen, opaque)
    for text in {one.text for one in found}:
        assert text not in str(kept)
        assert text in str(specimen)
    assert validate(event_type.name, kept) == []


@every_sent_type
def test_every_staff_field_is_found(event_type: EventType) -> None:
    """Each field that names somebody gives a reference; a field is one by its kind alone."""
    naming = [value for value in _fields(event_type.schema) if value.register is not None]
    found = references(event_type.name, a_specimen(event_type))
    outer = [one for one in found if one.path[0] != "data"]
    assert len(outer) == len(naming)
    assert "therapist" not in values(event_type.schema) or ("therapist",) in {
        one.path for one in found
    }


def test_the_common_fields_are_those_of_the_contract() -> None:
    """Clinic is required everywhere but in rule.configured; therapist where people have one."""
    waiting = re.compile(
        r"(care|rating|consent|client|record|contact)\..*|session\.(scheduled|cancelled)"
    )
    for name in SENDER_TYPES:
        schema = values(EVENT_TYPES[name].schema)
        assert {"source_code", "time_precision"} <= schema.keys()
        assert schema["clinic"].required is (name != "rule.configured")
        if EVENT_TYPES[name].scope != "clinic":
            assert schema["therapist"].required is (waiting.fullmatch(name) is None)
            assert not schema["care"].required


def test_ranks_follow_the_contracts_tables() -> None:
    """Forty senders' types come first, in the order of the tables, then Rapport's own."""
    assert len(SENDER_TYPES) == 40
    order = [
        "session.scheduled",
        "session.held",
        "care.referred",
        "care.ended",
        "rating.given",
        "boundary.noted",
        "rupture.noted",
        "dynamics.noted",
        "goal.agreed",
        "plan.reviewed",
        "assignment.set",
        "setback.noted",
        "relapse_plan.agreed",
        "contact.attempted",
        "consent.given",
        "client.merged",
        "record.corrected",
        "record.retracted",
        "clinic.configured",
        "clinic.closed",
        "therapist.away",
        "supervision.held",
        "rule.configured",
        "clock.ticked",
        "client.erased",
    ]
    ranks = [rank(name) for name in order]
    assert ranks == sorted(ranks)
    assert sorted(map(rank, EVENT_TYPES)) == list(range(len(EVENT_TYPES)))

"""CloudEvents in all content modes become the same drafts."""

from typing import Any

import pytest

from services.ingest.adapter import Origin
from services.ingest.adapters.cloudevents import CloudEvents, read_batch, read_binary
from shared.errors import Fault
from tests.support.front_door import a_rating

ORIGIN = Origin("ehr")


def as_headers(event: dict[str, Any]) -> list[tuple[str, str]]:
    """Return an event's attributes as the headers of binary mode."""
    return [(f"Ce-{name.title()}", str(value)) for name, value in event.items() if name != "data"]


def test_the_three_modes_tell_the_same() -> None:
    """One event, structured, in a batch or binary, gives the same attributes and data."""
    event = a_rating()
    structured = CloudEvents().read(event, ORIGIN).drafts[0]
    batch = CloudEvents().read([a_rating(id="first"), event], ORIGIN).drafts[1]
    binary = read_binary(as_headers(event), "", event["data"]).drafts[0]
    assert structured.attributes == batch.attributes == binary.attributes
    assert structured.data == batch.data == binary.data


def test_a_fault_points_into_the_body_as_it_was_sent() -> None:
    """Each mode has its own place for the same field, and a header is named in words."""
    fault = Fault("/data/items/9", "…", "unknown_item")
    batch = read_batch([a_rating(), a_rating()]).drafts[1]
    binary = read_binary(as_headers(a_rating()), "application/json", {}).drafts[0]
    assert batch.locate(fault).pointer == "/1/data/items/9"
    assert binary.locate(fault).pointer == "/items/9"
    header = binary.locate(Fault("/time", "Send …", "not_a_time"))
    assert (header.pointer, header.message) == ("", "Header ce-time: Send …")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("c%C3%A9line", "céline"),
        ('"a b"', "a b"),
        ('"a \\"b\\""', 'a "b"'),
        ("a%2541", "a%41"),
        ("%FF", "�"),
    ],
)
def test_header_values_are_decoded_once(written: str, meant: str) -> None:
    """Quotes, then one round of percent-encoding, as the HTTP binding says."""
    assert read_binary([("ce-subject", written)], "", {}).drafts[0].attributes["subject"] == meant


def test_extension_attributes_are_ignored_each_by_its_place() -> None:
    """What Rapport does not use is told to the sender; a null is as good as absent."""
    event = a_rating(traceparent="00-…", organisation="org_other", partitionkey=None)
    reading = CloudEvents().read([event], ORIGIN)
    assert [(one.pointer, one.what) for one in reading.ignored] == [
        ("/0/organisation", "attribute"),
        ("/0/traceparent", "attribute"),
    ]
    assert "organisation" not in reading.drafts[0].attributes


@pytest.mark.parametrize("body", ["text", 7, None, True])
def test_what_is_no_event_is_said(body: Any) -> None:
    """A body, or one element of a batch, that is no object is a fault at its place."""
    assert [fault.pointer for fault in CloudEvents().read(body, ORIGIN).faults] == [""]
    in_batch = CloudEvents().read([a_rating(), body], ORIGIN)
    assert [fault.pointer for fault in in_batch.faults] == ["/1"]
    assert len(in_batch.drafts) == 1


def test_base64_data_is_refused_where_it_stands() -> None:
    """Data are JSON: bytes are told from them, not decoded."""
    reading = CloudEvents().read(a_rating(data_base64="e30="), ORIGIN)
    assert [(f.pointer, f.code) for f in reading.faults] == [("/data_base64", "data_not_json")]

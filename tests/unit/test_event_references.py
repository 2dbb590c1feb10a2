"""Where events name people, and what stands there once they are published."""

import pytest

from shared.events import Reference, references, with_references

HELD = {
    "clinic": "north",
    "therapist": "t-07",
    "session": "s-1",
    "started_at": "2026-05-12T14:00:00Z",
    "ended_at": "2026-05-12T14:50:00Z",
    "co_therapists": ["t-11", "t-07"],
}


def test_references_are_found_in_the_order_of_fields() -> None:
    """Fields come in their order, the elements of a list in theirs, repeats each by itself."""
    assert references("session.held", HELD) == [
        Reference(("therapist",), "th", "t-07"),
        Reference(("co_therapists", 0), "th", "t-11"),
        Reference(("co_therapists", 1), "th", "t-07"),
    ]


def test_each_kind_of_person_has_its_register() -> None:
    """Staff, clients and respondents are told apart."""
    merged = {"clinic": "north", "into": "c-2"}
    assert references("client.merged", merged) == [Reference(("into",), "cl", "c-2")]
    rating = {"clinic": "north", "respondent": "p-1", "total": 28}
    assert references("rating.given", rating) == [Reference(("respondent",), "pe", "p-1")]
    noted = {"concerns": "t-12", "therapist": "t-07"}
    assert {one.text for one in references("boundary.noted", noted)} == {"t-07", "t-12"}


def test_a_correction_is_searched_by_the_type_that_it_corrects() -> None:
    """References in new data are found under ``data``, after the correction's own."""
    correction = {
        "clinic": "north",
        "therapist": "t-01",
        "target": {"id": "1", "type": "rapport.session.held"},
        "data": HELD,
    }
    found = references("record.corrected", correction)
    assert [one.path for one in found] == [
        ("therapist",),
        ("data", "therapist"),
        ("data", "co_therapists", 0),
        ("data", "co_therapists", 1),
    ]
    opaque = {("th", text): f"th_{text[2:]}" for text in ("t-01", "t-07", "t-11")}
    kept = with_references("record.corrected", correction, opaque)
    assert kept["therapist"] == "th_01"
    assert kept["target"] == {"id": "1", "type": "session.held"}
    assert kept["data"] == {**HELD, "therapist": "th_07", "co_therapists": ["th_11", "th_07"]}


def test_a_retraction_of_a_thing_has_no_type_to_spell() -> None:
    """A target of kind and ref is kept as it is."""
    data = {"clinic": "north", "target": {"kind": "session", "ref": "s-1"}, "reason": "other"}
    assert with_references("record.retracted", data, {}) == data


def test_the_original_is_left_alone() -> None:
    """The copy shares nothing with what was sent."""
    sent = {**HELD, "co_therapists": ["t-11"]}
    opaque = {("th", "t-07"): "th_a", ("th", "t-11"): "th_b"}
    assert with_references("session.held", sent, opaque)["co_therapists"] == ["th_b"]
    assert sent["co_therapists"] == ["t-11"]


def test_a_reference_without_an_opaque_id_never_gets_through() -> None:
    """A missing opaque id is an error, not a reference on the stream."""
    with pytest.raises(KeyError):
        with_references("session.held", HELD, {("th", "t-07"): "th_a"})

"""Admission: every reason to refuse is found, and nothing else enters."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.adapter import Origin
from services.ingest.adapters.cloudevents import CloudEvents
from services.ingest.admission import Admitted, Authority, Refusal, admit
from shared.clock import format_time
from shared.events import EVENT_TYPES, SENDER_TYPES
from shared.events.documents import documented
from tests.support.front_door import NOW, a_clinic, a_rating, a_rule, an_event

PUBLISH = Authority(frozenset({"publish"}))
CONFIGURE = Authority(frozenset({"publish", "configure"}))


def judge(event: dict[str, Any], authority: Authority = PUBLISH) -> Admitted | Refusal:
    """Return admission's verdict on one event in structured mode."""
    [draft] = CloudEvents().read(event, Origin("ehr")).drafts
    return admit(draft, authority, NOW)


def codes(event: dict[str, Any], authority: Authority = PUBLISH) -> list[tuple[str, str]]:
    """Return pointer and code of every fault, sorted; none when it is admitted."""
    verdict = judge(event, authority)
    return (
        sorted((fault.pointer, fault.code) for fault in verdict.faults)
        if isinstance(verdict, Refusal)
        else []
    )


def admitted(event: dict[str, Any], authority: Authority = PUBLISH) -> Admitted:
    """Return the event as it enters."""
    verdict = judge(event, authority)
    assert isinstance(verdict, Admitted), verdict
    return verdict


@pytest.mark.parametrize("name", SENDER_TYPES)
def test_the_published_example_of_every_type_is_admitted(name: str) -> None:
    """What the documents show is what may be sent."""
    published = documented(name, EVENT_TYPES[name].version)
    assert published is not None
    event = {**published.event, "time": format_time(NOW)}
    assert admitted(event, CONFIGURE).event.type == name


@pytest.mark.parametrize("name", sorted(EVENT_TYPES.keys() - set(SENDER_TYPES)))
def test_what_only_rapport_writes_is_refused(name: str) -> None:
    """A sender cannot speak in Rapport's name, and learns which types there are."""
    verdict = judge(a_rating(type=f"rapport.{name}"))
    assert isinstance(verdict, Refusal)
    [fault] = verdict.faults
    assert (fault.pointer, fault.code) == ("/type", "rapport_only")
    assert "rapport.rating.given" in fault.allowed
    assert f"rapport.{name}" not in fault.allowed


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"specversion": None}, ("/specversion", "required")),
        ({"specversion": "0.3"}, ("/specversion", "not_allowed")),
        ({"id": None}, ("/id", "required")),
        ({"id": ""}, ("/id", "out_of_range")),
        ({"id": "x" * 129}, ("/id", "out_of_range")),
        ({"id": 7}, ("/id", "wrong_type")),
        ({"id": "a\x00b"}, ("/id", "control_character")),
        ({"source": None}, ("/source", "required")),
        ({"source": "not a uri"}, ("/source", "not_a_uri_reference")),
        ({"source": "/" * 257}, ("/source", "out_of_range")),
        ({"type": None}, ("/type", "required")),
        ({"type": "rating.given"}, ("/type", "unknown_type")),
        ({"type": "rapport.rating.forgotten"}, ("/type", "unknown_type")),
        ({"type": ["rapport.rating.given"]}, ("/type", "wrong_type")),
        ({"time": None}, ("/time", "required")),
        ({"time": "2026-06-01T11:00:00"}, ("/time", "not_a_time")),
        ({"time": "2026-06-01 11:00:00Z"}, ("/time", "not_a_time")),
        ({"time": "2026-02-30T11:00:00Z"}, ("/time", "not_a_time")),
        ({"time": 1780000000}, ("/time", "wrong_type")),
        ({"time": "2026-06-01T12:05:01Z"}, ("/time", "in_the_future")),
        ({"time": "0001-01-01T00:00:00+14:00"}, ("/time", "not_a_time")),
        ({"time": "1899-12-31T23:59:59Z"}, ("/time", "not_a_time")),
        ({"time": "9999-12-31T23:59:59Z"}, ("/time", "not_a_time")),
        ({"subject": None}, ("/subject", "subject_required")),
        ({"subject": ""}, ("/subject", "out_of_range")),
        ({"subject": "a\nb"}, ("/subject", "control_character")),
        ({"datacontenttype": "text/plain"}, ("/datacontenttype", "data_not_json")),
        ({"dataschema": "/schemas/rating.given/2"}, ("/dataschema", "unknown_version")),
        ({"dataschema": "/schemas/session.held/1"}, ("/dataschema", "unknown_version")),
        ({"dataschema": "https://elsewhere/x"}, ("/dataschema", "unknown_version")),
        ({"backfill": "perhaps"}, ("/backfill", "not_allowed")),
        ({"backfill": 1}, ("/backfill", "not_allowed")),
        ({"data": {"note": "a bad day"}}, ("/data/note", "unknown_field")),
        ({"data": {"instrument": "mood"}}, ("/data/instrument", "unknown_instrument")),
        ({"data": {"instrument_version": "99"}}, ("/data/instrument_version", "unknown_version")),
        ({"data": {"items": {"9": 1}}}, ("/data/items/9", "unknown_item")),
        ({"data": {"items": {"1": 11}}}, ("/data/items/1", "out_of_range")),
        ({"data": {"total": 3}}, ("/data/total", "disagree")),
        ({"data": {"rater": "neighbour"}}, ("/data/rater", "not_allowed")),
        ({"data": {"clinic": None}}, ("/data/clinic", "required")),
    ],
)  # fmt: skip
def test_each_fault_is_named_at_its_place(
    changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    """One thing is wrong, and exactly that is said."""
    assert codes(a_rating(**changes)) == [expected]


@pytest.mark.parametrize(
    "changes",
    [
        {"time": "2026-06-01T12:05:00Z"},
        {"time": "2026-06-01T13:00:00+02:00"},
        {"datacontenttype": "application/json; charset=utf-8"},
        {"dataschema": "https://rapport.example/schemas/rating.given/1"},
        {"backfill": "true"},
        {"source": "urn:source:ehr"},
        {"source": "https://clinic.example/caf%C3%A9#x"},
        {"data": {"items": {"1": 9, "2": None}}},
    ],
)
def test_what_the_contract_allows_is_admitted(changes: dict[str, Any]) -> None:
    """The limits are where the contract puts them."""
    assert codes(a_rating(**changes)) == []


def test_the_ends_of_the_calendar_are_refused() -> None:
    """The usual "without end" of 9999 would lead every consumer out of the calendar."""
    away = {"therapist": "t-07", "from": "2026-06-01", "until": "9999-12-31", "kind": "other"}
    event = an_event("therapist.away", away, subject=None)
    assert codes(event) == [("/data/until", "not_a_date")]
    booked = {"session": "s", "therapist": "t", "starts_at": "0001-01-01T00:00:00Z"}
    event = an_event("session.scheduled", {**booked, "planned_minutes": 50})
    assert codes(event) == [("/data/starts_at", "not_a_time")]


def test_every_fault_is_named_at_once() -> None:
    """Nobody mends a payload one refusal at a time."""
    event = a_rating(id="", time="yesterday", data={"note": "…", "items": {"1": 99}})
    assert codes(event) == [
        ("/data/items/1", "out_of_range"),
        ("/data/note", "unknown_field"),
        ("/id", "out_of_range"),
        ("/time", "not_a_time"),
    ]


def test_a_subject_belongs_to_what_is_about_one_client_and_to_nothing_else() -> None:
    """A clinic's configuration has none, a supervision may have one."""
    supervision = {"therapist": "t-07", "topics": ["risk"]}
    assert codes(a_clinic(subject="c-1")) == [("/subject", "subject_not_allowed")]
    assert codes(an_event("supervision.held", supervision)) == []
    assert codes(an_event("supervision.held", supervision, subject=None)) == []


def test_an_amendment_stands_where_its_target_stands() -> None:
    """A correction of a clinic's fact has no subject, one of a client's fact has."""
    target = {"id": "e-1", "type": "rapport.clinic.configured"}
    corrected = {"target": target, "data": a_clinic()["data"]}
    assert codes(an_event("record.corrected", corrected, subject=None)) == []
    assert codes(an_event("record.corrected", corrected)) == [("/subject", "subject_not_allowed")]
    thing = {"target": {"kind": "session", "ref": "s-1"}, "reason": "duplicate"}
    missing = [("/subject", "subject_required")]
    assert codes(an_event("record.retracted", thing, subject=None)) == missing


def test_a_correction_is_checked_like_the_fact_that_it_corrects() -> None:
    """What could not be sent cannot be brought in by correcting either."""
    target = {"id": "e-1", "type": "rating.given"}
    data = {**a_rating()["data"], "items": {"9": 1}}
    event = an_event("record.corrected", {"target": target, "data": data})
    assert codes(event) == [("/data/data/items/9", "unknown_item")]


@pytest.mark.parametrize("name", ["clock.ticked", "alert.resolved", "client.erased"])
def test_what_rapport_wrote_cannot_be_taken_back(name: str) -> None:
    """A person's action on an alert is not undone by a sender's retraction."""
    target = {"id": "e-1", "type": name}
    event = an_event("record.retracted", {"target": target, "reason": "duplicate"})
    assert codes(event)[-1] == ("/data/target/type", "not_allowed")


def test_a_corrected_time_obeys_the_rules_of_time() -> None:
    """A correction cannot put a fact into the future."""
    corrected = {
        "target": {"id": "e-1", "type": "rating.given"},
        "data": a_rating()["data"],
        "corrected_time": "2026-06-01T12:05:01Z",
    }
    event = an_event("record.corrected", corrected)
    assert codes(event) == [("/data/corrected_time", "in_the_future")]


def test_a_rule_is_configured_by_a_key_with_that_right_alone() -> None:
    """Neither a webhook nor a publishing key changes what alerts say, by correction neither."""
    corrected = an_event(
        "record.corrected",
        {
            "target": {"id": "e-1", "type": "rule.configured"},
            "data": a_rule()["data"],
        },
        subject=None,
    )
    retracted = an_event(
        "record.retracted",
        {"target": {"id": "e-1", "type": "rule.configured"}, "reason": "duplicate"},
        subject=None,
    )
    undone = an_event(
        "record.retracted",
        {"target": {"id": "e-2", "type": "record.corrected"}, "reason": "duplicate"},
        subject=None,
    )
    for event in (a_rule(), corrected, retracted, undone):
        assert codes(event) == [("/type", "needs_configure")]
        assert codes(event, CONFIGURE) == []
    assert codes({**undone, "subject": "c-1024"}) == []


def test_a_rule_cannot_be_configured_into_the_past() -> None:
    """New settings begin at most 24 hours ago."""
    assert codes(a_rule(time=format_time(NOW - timedelta(hours=24))), CONFIGURE) == []
    too_late = a_rule(time=format_time(NOW - timedelta(hours=24, seconds=1)))
    assert codes(too_late, CONFIGURE) == [("/time", "too_long_ago")]


def test_a_rule_is_set_to_what_it_can_compute_with() -> None:
    """An unknown rule or setting and a value out of bounds are refused, in a correction too."""
    wrong = {"rule": "session-gap", "settings": {"ratio": 1, "attention_ratio": -1}}
    assert codes(a_rule(data={"rule": "session-gaps"}), CONFIGURE) == [
        ("/data/rule", "unknown_rule")
    ]
    assert codes(a_rule(data=wrong), CONFIGURE) == [
        ("/data/settings/attention_ratio", "out_of_range"),
        ("/data/settings/ratio", "unknown_setting"),
    ]
    target = {"id": "e-1", "type": "rule.configured"}
    corrected = an_event("record.corrected", {"target": target, "data": wrong}, subject=None)
    assert codes(corrected, CONFIGURE) == [
        ("/data/data/settings/attention_ratio", "out_of_range"),
        ("/data/data/settings/ratio", "unknown_setting"),
    ]
    quiet = {"rule": "delivery", "settings": {"history_after_days": 7}}
    assert codes(a_rule(data=quiet), CONFIGURE) == []


def test_a_key_bound_to_clinics_speaks_for_these_alone() -> None:
    """Not for another clinic, nor for all of them, nor by way of a correction."""
    north = Authority(frozenset({"publish", "configure"}), frozenset({"north"}))
    assert codes(a_rating(), north) == []
    assert codes(a_rating(data={"clinic": "south"}), north) == [("/data/clinic", "other_clinic")]
    assert codes(a_rule(), north) == [("/data/clinic", "other_clinic")]
    data = {**a_rating()["data"], "clinic": "south"}
    target = {"id": "e-1", "type": "rating.given"}
    event = an_event("record.corrected", {"target": target, "data": data})
    assert codes(event, north) == [("/data/data/clinic", "other_clinic")]


def test_a_rating_carries_the_version_that_it_is_scored_by() -> None:
    """Ingest writes the newest version in where none was sent, into corrections too."""
    assert admitted(a_rating()).event.data["instrument_version"] == "1"
    target = {"id": "e-1", "type": "rating.given"}
    corrected = an_event("record.corrected", {"target": target, "data": a_rating()["data"]})
    assert admitted(corrected).event.data["data"]["instrument_version"] == "1"


def test_content_is_what_was_said_however_it_was_written() -> None:
    """Redelivery by another library is no conflict; another answer is."""
    said = admitted(a_rating()).content
    rewritten = a_rating(
        time="2026-06-01T13:00:00.000+02:00",
        backfill=True,
        dataschema="/schemas/rating.given/1",
        data={"items": {"4": 9.0, "3": 8, "2": 8, "1": 9}},
    )
    assert admitted(rewritten).content == said
    for other in (
        a_rating(data={"items": {"1": 9, "2": 8, "3": 8, "4": 8}}),
        a_rating(time="2026-06-01T11:00:00.001Z"),
        a_rating(subject="c-1025"),
        a_rating(data={"instrument_version": "1"}),
    ):
        assert admitted(other).content != said


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(a_rating())), JSON), JSON)
def test_no_payload_breaks_admission(changes: dict[str, Any], data: Any) -> None:
    """Whatever JSON stands where, the answer is a verdict."""
    judge({**a_rating(), **changes})
    judge({**a_rating(), "data": data})
    for name in ("record.corrected", "care.started", "rating.skipped"):
        judge({**a_rating(), "type": f"rapport.{name}", "data": data})

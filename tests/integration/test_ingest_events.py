"""POST /v1/events on the embedded engine: what is taken, what is refused, what is written."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from prometheus_client import REGISTRY

from shared.clock import format_time, parse_time
from shared.ids import event_id
from tests.support.front_door import (
    BATCH,
    NOW,
    STRUCTURED,
    FrontDoor,
    a_clinic,
    a_rating,
    a_rule,
    an_event,
    faults,
)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[FrontDoor]:
    """Yield a service on the embedded engine."""
    made = FrontDoor(tmp_path)
    yield made
    made.close()


def test_an_accepted_event_is_in_the_stream(door: FrontDoor) -> None:
    """202 names the event's id and client, and the stream holds exactly that event."""
    response = door.post(a_rating())
    assert response.status_code == 202
    [accepted] = response.get_json()["accepted"]
    [envelope] = door.envelopes()
    assert accepted == {"id": envelope.id, "client": envelope.client}
    assert envelope.organisation == door.ehr.organisation
    assert envelope.sender == door.ehr.id
    assert envelope.recorded_at == NOW
    expected = event_id(door.ehr.organisation, envelope.client, "/clinics/north", "e-1")
    assert envelope.id == expected
    assert envelope.event.data["instrument_version"] == "1"


def test_nothing_that_a_sender_calls_anybody_leaves_the_registry(door: FrontDoor) -> None:
    """Clients, staff and respondents are opaque wherever a record names them (invariant 7)."""
    target = {"id": "e-1", "type": "rating.given"}
    names = {"therapist": "t-secret", "respondent": "p-secret"}
    nested = {**a_rating()["data"], **names}
    booked = {
        "session": "s-1",
        "therapist": "t-secret",
        "starts_at": "2026-06-02T10:00:00Z",
        "planned_minutes": 50,
        "co_therapists": ["t-secret", "t-other-secret"],
    }
    events = [
        a_rating(subject="c-secret", data=names),
        an_event("session.scheduled", booked, id="e-2", subject="c-secret"),
        an_event("record.corrected", {"target": target, "data": nested}, id="e-3",
                 subject="c-secret"),
        an_event("client.merged", {"into": "c-other-secret"}, id="e-4", subject="c-secret"),
    ]  # fmt: skip
    assert door.post(*events).status_code == 202
    for record in door.records():
        bytes_of_it = [record.key, record.value, *(text for _, text in record.headers)]
        assert not any(b"secret" in part for part in bytes_of_it)
    rating = next(e for e in door.envelopes() if e.event.type == "rating.given")
    assert rating.event.data["therapist"].startswith("th_")
    assert rating.event.data["respondent"].startswith("pe_")


def test_the_sender_s_id_and_source_are_in_no_header_or_key(door: FrontDoor) -> None:
    """They stay inside the value, beside the data."""
    door.post(a_rating(id="id-of-sender", source="/source-of-sender"))
    [record] = door.records()
    outside = record.key + b"".join(text for _, text in record.headers)
    assert b"of-sender" not in outside
    assert b"of-sender" in record.value


def test_the_organisation_is_the_key_s_and_never_the_payload_s(door: FrontDoor) -> None:
    """Two organisations that use one reference speak of two clients, whatever they claim."""
    south = door.a_source("ehr", door.an_organisation("South"))
    claim = {"organisation": door.ehr.organisation, "ceorganisation": door.ehr.organisation}
    mine, theirs = door.post(a_rating()), door.post(a_rating(**claim), by=south)
    assert theirs.status_code == 202
    assert mine.get_json()["accepted"] != theirs.get_json()["accepted"]
    assert {envelope.organisation for envelope in door.envelopes()} == {
        door.ehr.organisation,
        south.organisation,
    }


@pytest.mark.parametrize("mode", ["structured", "binary"])
def test_a_foreign_library_posts_in_both_single_modes(door: FrontDoor, mode: str) -> None:
    """What the CloudEvents SDK writes is taken, and is the same event in either mode."""
    event = a_rating()
    attributes = {name: value for name, value in event.items() if name != "data"}
    attributes["time"] = parse_time(event["time"])
    made = CloudEvent(attributes=attributes, data=event["data"])
    for written in (made, CloudEvent({**attributes, "datacontenttype": "application/json"},
                                     event["data"])):  # fmt: skip
        message: HTTPMessage = {"structured": to_structured, "binary": to_binary}[mode](
            written, JSONFormat()
        )
        response = door.http.post(
            "/v1/events", data=message.body, headers={**message.headers, **door.ehr.bearer}
        )
        assert response.status_code == 202, response.text
    assert door.post(event).status_code == 202
    assert len({(one.id, one.content) for one in door.envelopes()}) == 1


def test_plain_json_is_read_by_its_shape(door: FrontDoor) -> None:
    """An event, or a list of them, needs no special content type."""
    for body in (a_rating(), [a_rating()]):
        response = door.http.post("/v1/events", json=body, headers=door.ehr.bearer)
        assert response.status_code == 202


def test_a_batch_goes_in_whole_or_not_at_all(door: FrontDoor) -> None:
    """One fault refuses all of it, with every fault, and nothing is in the stream."""
    response = door.post(
        a_rating(),
        a_rating(id="e-2", data={"items": {"9": 1}}),
        a_rating(id="e-3", time="2026-06-01T11:00:00", traceparent="00"),
    )
    assert response.status_code == 422
    assert faults(response) == [("/1/data/items/9", "unknown_item"), ("/2/time", "not_a_time")]
    assert door.records() == []


def test_good_ones_are_taken_when_asked_for(door: FrontDoor) -> None:
    """``on_error=skip`` takes what is good and lists what is not, each at its place."""
    body: dict[str, Any] = door.post(
        a_rating(), a_rating(id="e-2", type="rapport.nothing"), query="?on_error=skip"
    ).get_json()
    assert len(body["accepted"]) == 1
    [refused] = body["refused"]
    assert refused["pointer"] == "/1"
    assert [fault["pointer"] for fault in refused["errors"]] == ["/1/type"]
    assert "rapport.rating.given" in refused["errors"][0]["allowed"]
    assert len(door.envelopes()) == 1


def test_redelivery_gives_the_same_event_within_a_batch_and_after(door: FrontDoor) -> None:
    """The id in the answer is the event's, however often it comes."""
    first = door.post(a_rating(), a_rating()).get_json()["accepted"]
    again = door.post(a_rating()).get_json()["accepted"]
    assert first == again * 2
    assert len({envelope.content for envelope in door.envelopes()}) == 1


def test_what_is_not_used_is_said_and_not_kept(door: FrontDoor) -> None:
    """Extension attributes are ignored, told to the sender, and reach no record."""
    body = door.post(a_rating(traceparent="00-secret")).get_json()
    assert body["ignored"] == [
        {
            "pointer": "/traceparent",
            "what": "attribute",
            "reason": "Rapport does not use this extension attribute",
        }
    ]
    assert b"secret" not in door.records()[0].value


def test_what_concerns_many_clients_stands_in_every_partition(door: FrontDoor) -> None:
    """A clinic's configuration is one event, in all partitions, with one id."""
    [accepted] = door.post(a_clinic()).get_json()["accepted"]
    assert accepted["client"] is None
    records = door.records()
    assert [record.partition for record in sorted(records, key=lambda r: r.partition)] == list(
        range(door.settings.partitions)
    )
    assert {envelope.id for envelope in door.envelopes()} == {accepted["id"]}


def test_a_merge_is_written_under_both_clients_keys(door: FrontDoor) -> None:
    """Whoever reads either client's partition learns that they are one."""
    door.post(a_rating(subject="c-2", id="other"))
    other = door.envelopes()[0].client
    [accepted] = door.post(an_event("client.merged", {"into": "c-2"})).get_json()["accepted"]
    merges = [
        record for record in door.records() if b"client.merged" in dict(record.headers)["ce_type"]
    ]
    whose = {
        f"{door.ehr.organisation}:{client}".encode() for client in (other, accepted["client"])
    }
    assert {record.key for record in merges} == whose


def test_a_corrected_merge_is_written_under_the_right_clients_key(door: FrontDoor) -> None:
    """Whoever reads the partition of the client that it should have named learns of it too."""
    door.post(a_rating(subject="c-3", id="other"))
    other = door.envelopes()[0].client
    said = an_event("client.merged", {"into": "c-2"}, id="m-1", subject="c-1")
    target = {"id": "m-1", "type": "rapport.client.merged"}
    right = {"target": target, "data": {"clinic": "north", "into": "c-3"}}
    [accepted] = door.post(an_event("record.corrected", right, subject="c-1")).get_json()[
        "accepted"
    ]
    assert door.post(said).status_code == 202
    written = [one for one in door.records() if b"corrected" in dict(one.headers)["ce_type"]]
    assert {one.key for one in written} == {
        f"{door.ehr.organisation}:{client}".encode() for client in (other, accepted["client"])
    }
    assert len({dict(one.headers)["ce_id"] for one in written}) == 1


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"", STRUCTURED, 400, "not_json"),
        (b"{", STRUCTURED, 400, "not_json"),
        (b'{"id": NaN}', STRUCTURED, 400, "not_finite"),
        (b'{"id": 1, "id": 2}', STRUCTURED, 400, "duplicate_key"),
        (b'{"id": 123456789012345678901234567890}', STRUCTURED, 400, "integer_too_large"),
        (b"[" * 100_000, BATCH, 400, "too_deep"),
        (b'"\xff"', STRUCTURED, 400, "not_utf8"),
        (b'{"id": "\\ud800"}', STRUCTURED, 400, "lone_surrogate"),
        (b"<event/>", "application/xml", 415, None),
        (b"a=b", "application/x-www-form-urlencoded", 415, None),
        (b"[]", STRUCTURED, 422, "wrong_type"),
        (b"{}", BATCH, 422, "wrong_type"),
        (b" " * 1_048_577, STRUCTURED, 413, None),
    ],
)  # fmt: skip
def test_a_body_that_cannot_be_read_is_refused(
    door: FrontDoor, body: bytes, content_type: str, status: int, code: str | None
) -> None:
    """Each kind of unreadable body has its answer, as a problem, and never 500."""
    response = door.http.post(
        "/v1/events", data=body, content_type=content_type, headers=door.ehr.bearer
    )
    assert response.status_code == status, response.text
    assert [found for _, found in faults(response)] == ([code] if code else [])


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer rk_0123456789abcdef01234567_" + "A" * 43},
        {"Authorization": "Bearer é"},
        {"Authorization": "Basic eDp5"},
    ],
)
def test_without_a_live_key_nothing_is_taken(door: FrontDoor, headers: Mapping[str, str]) -> None:
    """Missing, malformed and unknown keys get the same 401."""
    response = door.http.post("/v1/events", json=a_rating(), headers=headers)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"]
    assert door.records() == []


def test_a_key_without_the_right_is_refused(door: FrontDoor) -> None:
    """Reading is not publishing, and publishing is not configuring: 403."""
    _, reader = door.enrolment.create_key(door.ehr.organisation, ["read"])
    response = door.http.post(
        "/v1/events", json=a_rating(), headers={"Authorization": f"Bearer {reader}"}
    )
    assert response.status_code == 403
    assert faults(response) == [("", "needs_publish")]
    rule = door.post(a_rule())
    assert rule.status_code == 403
    assert faults(rule) == [("/type", "needs_configure")]
    configuring = door.a_source("rules", door.ehr.organisation, "configure")
    assert door.post(a_rule(), by=configuring).status_code == 202


def test_a_key_bound_to_clinics_publishes_for_no_other(door: FrontDoor) -> None:
    """What a key is bound to binds its facts too."""
    bound = door.a_source("north-ehr", door.ehr.organisation, clinics=["north"])
    assert door.post(a_rating(), by=bound).status_code == 202
    elsewhere = door.post(a_rating(data={"clinic": "south"}), by=bound)
    assert elsewhere.status_code == 403
    assert faults(elsewhere) == [("/data/clinic", "other_clinic")]


def test_an_unknown_query_parameter_is_refused(door: FrontDoor) -> None:
    """A mistyped switch must not silently mean another thing."""
    for query in ("?on_error=ignore", "?on-error=skip"):
        assert door.post(a_rating(), query=query).status_code == 422
    assert door.records() == []


def test_refusals_are_counted_by_codes_of_a_closed_set(door: FrontDoor) -> None:
    """What a sender writes never becomes a label."""
    name, labels = "rapport_requests_refused_total", {"code": "unknown_field"}
    before = REGISTRY.get_sample_value(name, labels) or 0
    door.post(a_rating(data={"a-very-private-name": 1}))
    assert REGISTRY.get_sample_value(name, labels) == before + 1
    metrics = door.http.get("/metrics").text
    assert "very-private" not in metrics


def test_what_a_name_says_is_kept_of_no_refusal(door: FrontDoor) -> None:
    """A kept refusal holds time, place and code; a field that the sender named becomes a star."""
    door.post(a_rating(data={"anna_smith": "x"}))
    rows = door.refusals()
    assert [(row.outcome, row.pointer, row.code) for row in rows] == [
        ("refused", "/data/*", "unknown_field")
    ]


def test_events_may_be_as_early_as_anybody_lived(door: FrontDoor) -> None:
    """History reaches back; the present ends five minutes ahead."""
    assert door.post(a_rating(time="1900-01-01T00:00:00Z")).status_code == 202
    assert door.post(a_rating(time=format_time(NOW))).status_code == 202


def test_a_refusal_names_many_faults_but_not_without_end(door: FrontDoor) -> None:
    """A thousand are named; the rest are counted."""
    response = door.post(*[a_rating(id="")] * 1_200)
    named = faults(response)
    assert len(named) == 1_001
    assert named[-1] == ("", "more_faults")
    assert "200 more" in json.loads(response.data)["errors"][-1]["message"]

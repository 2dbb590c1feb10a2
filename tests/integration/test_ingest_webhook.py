"""POST /v1/sources/{source}/webhook and /v1/validate/{source} on the embedded engine."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
import standardwebhooks
import svix.webhooks

from tests.support.front_door import (
    BATCH,
    NOW,
    STRUCTURED,
    FrontDoor,
    a_rating,
    a_rule,
    faults,
    signed,
)

BODY = json.dumps(a_rating()).encode()


@pytest.fixture
def door(tmp_path: Path) -> Iterator[FrontDoor]:
    """Yield a service on the embedded engine."""
    made = FrontDoor(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("library", [standardwebhooks.Webhook, svix.webhooks.Webhook])
def test_what_a_foreign_library_signs_is_taken(door: FrontDoor, library: type) -> None:
    """The secret that ``source create`` shows is what the libraries take."""
    signature = library(door.ehr.secret).sign("msg_1", NOW, BODY.decode())
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(NOW.timestamp())),
        "webhook-signature": signature,
    }
    response = door.webhook(BODY, headers)
    assert response.status_code == 202, response.text
    assert door.envelopes()[0].sender == door.ehr.id


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(BODY, STRUCTURED), (b"[" + BODY + b"]", BATCH), (BODY, "application/json")],
)
def test_structured_and_batch_bodies_are_taken(
    door: FrontDoor, body: bytes, content_type: str
) -> None:
    """Plain JSON is what many webhook services send, whatever the event is."""
    assert door.webhook(body, content_type=content_type).status_code == 202


def test_binary_mode_is_not_taken_over_a_webhook(door: FrontDoor) -> None:
    """A signature covers the body, not the headers: attributes in headers are not believed."""
    event = a_rating()
    body = json.dumps(event["data"]).encode()
    attributes = {f"ce-{name}": text for name, text in event.items() if name != "data"}
    headers = {**signed(body, door.ehr.secret), **attributes}
    response = door.webhook(body, headers, content_type="application/json")
    assert response.status_code == 422
    assert ("/specversion", "required") in faults(response)


def test_the_signature_is_over_the_bytes_as_they_came(door: FrontDoor) -> None:
    """The same JSON in other bytes is not what was signed."""
    rewritten = json.dumps(a_rating(), indent=1).encode()
    headers = signed(BODY, door.ehr.secret)
    assert door.webhook(rewritten, headers).status_code == 401
    assert door.records() == []


def test_two_secrets_live_while_one_is_rotated(door: FrontDoor) -> None:
    """After a rotation both verify; an hour after the old one retired only the new one does."""
    new = door.enrolment.rotate_source(door.ehr.organisation, door.ehr.id, keep_hours=1)
    assert door.webhook(BODY, signed(BODY, new)).status_code == 202
    assert door.webhook(BODY).status_code == 202
    door.clock.advance(timedelta(hours=2))
    now = door.clock.now()
    assert door.webhook(BODY, signed(BODY, door.ehr.secret, at=now)).status_code == 401
    assert door.webhook(BODY, signed(BODY, new, at=now)).status_code == 202


GOOD = signed(BODY, "whsec_AAAA")


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="missing"),
        pytest.param(GOOD, id="wrong"),
        pytest.param({**GOOD, "webhook-signature": ""}, id="empty"),
        pytest.param({**GOOD, "webhook-signature": "v1,é"}, id="non-ASCII"),
        pytest.param({**GOOD, "webhook-id": "é"}, id="non-ASCII id"),
        pytest.param({**GOOD, "webhook-id": "a,a"}, id="doubled id"),
        pytest.param({**GOOD, "webhook-timestamp": "1,1"}, id="doubled time"),
        pytest.param({**GOOD, "webhook-signature": " ".join(["v1,AAAA"] * 1000)}, id="a thousand"),
        pytest.param({**GOOD, "webhook-timestamp": "9" * 300}, id="a time beyond time"),
    ],
)
def test_an_unknown_source_and_a_bad_signature_are_alike(
    door: FrontDoor, headers: Mapping[str, str]
) -> None:
    """The same status, headers and body, so that nobody finds out which sources there are."""
    known = door.webhook(BODY, headers)
    unknown, malformed = (
        door.http.post(f"/v1/sources/{source}/webhook", data=BODY, headers=headers,
                       content_type=STRUCTURED)
        for source in ("src_" + "0" * 24, "%00'--")
    )  # fmt: skip
    assert known.status_code == unknown.status_code == malformed.status_code == 401
    assert known.data == unknown.data == malformed.data
    assert dict(known.headers) == dict(unknown.headers) == dict(malformed.headers)


def test_a_body_is_not_looked_at_before_its_signature(door: FrontDoor) -> None:
    """Who does not hold the secret learns nothing of what is wrong with the body."""
    for body in (b"{", b"\xff", b"[" * 50_000):
        assert door.webhook(body, signed(body, "whsec_AAAA")).status_code == 401
        assert door.webhook(body).status_code == 400


def test_a_skewed_clock_is_said(door: FrontDoor) -> None:
    """Who signs rightly with a wrong clock is told so; replaying an old request gets nowhere."""
    late = signed(BODY, door.ehr.secret, at=NOW - timedelta(seconds=301))
    response = door.webhook(BODY, late)
    assert response.status_code == 401
    assert response.get_json()["type"].endswith("skewed_clock")
    assert "301 s behind" in response.get_json()["detail"]
    assert door.records() == []


def test_a_rule_is_not_configured_over_a_webhook(door: FrontDoor) -> None:
    """What alerts say is changed by a person's key with that right, not by a system: 403."""
    response = door.webhook(json.dumps(a_rule()).encode())
    assert response.status_code == 403
    assert faults(response) == [("/type", "needs_configure")]


def test_a_body_over_the_limit_is_refused_unread(door: FrontDoor) -> None:
    """413 comes before the signature is computed."""
    assert door.webhook(b" " * 1_048_577).status_code == 413


@pytest.mark.parametrize("how", ["signature", "key"])
def test_validate_goes_the_same_way_and_changes_nothing(door: FrontDoor, how: str) -> None:
    """It returns the events that it would make, and neither publishes nor registers."""
    headers = signed(BODY, door.ehr.secret) if how == "signature" else door.ehr.bearer
    response = door.http.post(
        f"/v1/validate/{door.ehr.id}", data=BODY, content_type=STRUCTURED, headers=headers
    )
    assert response.status_code == 200, response.text
    [event] = response.get_json()["events"]
    assert event["data"] == {**a_rating()["data"], "instrument_version": "1"}
    assert event["subject"] == "c-1024"
    assert door.records() == []
    assert door.parts.registry.find(door.ehr.organisation, [("cl", "c-1024")]) == {}


def test_validate_refuses_what_would_be_refused(door: FrontDoor) -> None:
    """The same faults with the same pointers, and the same rights."""
    for event, status in ((a_rating(id=""), 422), (a_rule(), 403)):
        body = json.dumps(event).encode()
        rehearsed = door.http.post(
            f"/v1/validate/{door.ehr.id}",
            data=body,
            content_type=STRUCTURED,
            headers=signed(body, door.ehr.secret),
        )
        assert rehearsed.status_code == status
        assert faults(rehearsed) == faults(door.webhook(body))


def test_validate_is_for_the_source_s_own_key(door: FrontDoor) -> None:
    """Another source's key sees no source here, be it of the same organisation."""
    other = door.a_source("other", door.ehr.organisation)
    south = door.a_source("ehr", door.an_organisation("South"))
    for caller in (other, south):
        response = door.http.post(
            f"/v1/validate/{door.ehr.id}", json=a_rating(), headers=caller.bearer
        )
        assert response.status_code == 404

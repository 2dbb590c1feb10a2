"""Ingest as it is deployed: granian over TCP, on the embedded stream and on a real Kafka."""

import base64
import json
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import standardwebhooks

from tests.support.accounts import SECRET_KEY
from tests.support.front_door import BATCH, STRUCTURED, FrontDoor, a_clinic, a_rating, signed
from tests.support.kafka_broker import KafkaBroker
from tests.support.served import Served

BODY = json.dumps(a_rating()).encode()


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontDoor]:
    """Yield a registered source on the embedded engine, and the stream that it reads back."""
    made = FrontDoor(tmp_path_factory.mktemp("served"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def served(door: FrontDoor) -> Iterator[Served]:
    """Yield the service on the same folder."""
    with Served(door.settings) as service:
        yield service


def fresh(door: FrontDoor, body: bytes = BODY) -> dict[str, str]:
    """Return the headers of a request that is signed now."""
    signer = standardwebhooks.Webhook(door.ehr.secret)
    now = datetime.now(UTC)
    return {
        "content-type": STRUCTURED,
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signer.sign("msg_1", now, body.decode()),
    }


def test_a_signed_webhook_is_in_the_stream_when_202_comes(door: FrontDoor, served: Served) -> None:
    """Signed by the foreign library, sent over TCP, read back from the stream's file."""
    before = len(door.records())
    status, answer = served.post(f"/v1/sources/{door.ehr.id}/webhook", BODY, fresh(door))
    assert status == 202, answer
    assert len(door.records()) == before + 1


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("how", ["missing", "doubled", "empty", "non-ASCII", "huge"])
def test_hostile_headers_are_401_through_the_real_server(
    door: FrontDoor, served: Served, name: str, how: str
) -> None:
    """Whatever the server makes of such headers, the answer is a refusal and never 5xx."""
    good = fresh(door)
    right = good.pop(name)
    spoilt: dict[str, list[str | bytes]] = {
        "missing": [],
        "doubled": [right, right],
        "empty": [""],
        "non-ASCII": [right.encode() + b"\xc3\xa9"],
        "huge": [right + "x" * 20_000],
    }
    headers = [*good.items(), *((name, text) for text in spoilt[how])]
    status, _ = served.post(f"/v1/sources/{door.ehr.id}/webhook", BODY, headers)
    assert status in ({401, 431} if how == "huge" else {401})


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_413_however_it_is_sent(
    door: FrontDoor, served: Served, *, chunked: bool
) -> None:
    """Neither a stated length nor an unstated one gets past the limit."""
    large = b" " * (door.settings.max_body_bytes + 1)
    body = [large[:500_000], large[500_000:]] if chunked else large
    path = f"/v1/sources/{door.ehr.id}/webhook"
    status, _ = served.post(path, body, fresh(door), chunked=chunked)
    assert status == 413


def test_a_chunked_body_is_read_whole(door: FrontDoor, served: Served) -> None:
    """A sender that streams its body is taken like any other."""
    path = f"/v1/sources/{door.ehr.id}/webhook"
    status, answer = served.post(path, [BODY[:10], BODY[10:]], fresh(door), chunked=True)
    assert status == 202, answer


def test_a_stop_finishes_what_is_under_way(tmp_path: Path) -> None:
    """After SIGTERM a request that waits for the stream still gets its 202, and is kept."""
    door = FrontDoor(tmp_path)
    service = Served(door.settings)
    blocker = sqlite3.connect(door.settings.stream_file, isolation_level=None)
    assert door.post(a_rating(id="warm")).status_code == 202
    blocker.execute("BEGIN IMMEDIATE")
    answers: list[int] = []
    headers = {"content-type": STRUCTURED, **door.ehr.bearer}
    posting = threading.Thread(
        target=lambda: answers.append(service.post("/v1/events", BODY, headers)[0])
    )
    posting.start()
    posting.join(1.0)
    assert answers == []
    service.terminate()
    posting.join(1.0)
    assert answers == []
    blocker.execute("ROLLBACK")
    posting.join()
    assert answers == [202]
    assert service.stop() == 0
    assert {envelope.event.id for envelope in door.envelopes()} == {"warm", "e-1"}
    blocker.close()
    door.close()


@pytest.mark.kafka
def test_everything_reaches_a_real_kafka(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """Structured, batch and webhook events, one of them in every partition, acknowledged."""
    secret_key = base64.b64encode(SECRET_KEY).decode()
    settings = {**kafka_broker.shared, "SECRET_KEY": secret_key}
    door = FrontDoor(tmp_path, **settings)
    key = door.ehr.bearer
    batch = json.dumps([a_rating(id=f"b-{n}", subject=f"c-{n}") for n in range(50)]).encode()
    with Served(door.settings, **settings) as service:
        accepted = []
        for body, content_type in (
            (BODY, STRUCTURED),
            (batch, BATCH),
            (json.dumps(a_clinic(id="clinic")).encode(), STRUCTURED),
        ):
            headers = {"content-type": content_type, **key}
            status, answer = service.post("/v1/events", body, headers)
            assert status == 202, answer
            accepted += json.loads(answer)["accepted"]
        path = f"/v1/sources/{door.ehr.id}/webhook"
        assert service.post(path, BODY, fresh(door))[0] == 202
        assert service.post(path, BODY, signed(BODY, "whsec_AAAA"))[0] == 401
    mine = [one for one in door.envelopes() if one.organisation == door.ehr.organisation]
    assert {one.id for one in mine} == {one["id"] for one in accepted}
    assert len(mine) == 1 + 50 + door.settings.partitions + 1
    by_client = {one.client: one.sender for one in mine}
    assert set(by_client.values()) == {door.ehr.id}
    door.close()

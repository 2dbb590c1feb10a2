"""Ingest while the stream or the database is away: 503, nothing lost, nothing half said."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from werkzeug.test import TestResponse

from tests.support.front_door import FrontDoor, a_clinic, a_rating

DEADLINE_MS = 400


@pytest.fixture
def door(tmp_path: Path) -> Iterator[FrontDoor]:
    """Yield a service on the embedded engine that waits less than half a second."""
    made = FrontDoor(tmp_path, PUBLISH_DEADLINE_MS=str(DEADLINE_MS))
    yield made
    made.close()


def locked(file: Path) -> sqlite3.Connection:
    """Return a connection that keeps every other writer out of a file until it is closed."""
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return other


def test_without_an_acknowledgement_there_is_no_202(door: FrontDoor) -> None:
    """A stream that does not answer within the deadline gives 503, and sending again is safe."""
    failures = "rapport_publish_failures_total"
    before = REGISTRY.get_sample_value(failures) or 0
    blocker = locked(door.settings.stream_file)
    response = door.post(a_rating())
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert response.get_json()["type"].endswith("stream_unavailable")
    assert REGISTRY.get_sample_value(failures) == before + 1
    blocker.close()
    again = door.post(a_rating())
    assert again.status_code == 202
    assert {envelope.id for envelope in door.envelopes()} == {
        again.get_json()["accepted"][0]["id"]
    }


def test_202_comes_only_after_the_stream_holds_the_event(door: FrontDoor) -> None:
    """While the stream's file is locked no answer is given; once given, the event is there."""
    door.post(a_rating(id="first"))
    blocker = locked(door.settings.stream_file)
    answers: list[TestResponse] = []
    posting = threading.Thread(target=lambda: answers.append(door.post(a_rating(id="second"))))
    posting.start()
    posting.join(DEADLINE_MS / 4000)
    assert answers == []
    blocker.close()
    posting.join()
    assert answers[0].status_code == 202
    assert {envelope.event.id for envelope in door.envelopes()} == {"first", "second"}


def test_a_closed_publisher_is_a_stream_that_is_away(door: FrontDoor) -> None:
    """A request that comes while the process stops is told to come again."""
    door.parts.publisher.close()
    response = door.post(a_rating())
    assert response.status_code == 503
    assert door.http.get("/livez").status_code == 200


def test_a_repeat_completes_what_concerns_many_clients(door: FrontDoor) -> None:
    """After 503 the same event again stands in every partition under the one id."""
    blocker = locked(door.settings.stream_file)
    assert door.post(a_clinic()).status_code == 503
    blocker.close()
    [accepted] = door.post(a_clinic()).get_json()["accepted"]
    assert {envelope.id for envelope in door.envelopes()} == {accepted["id"]}
    partitions = {record.partition for record in door.records()}
    assert partitions == set(range(door.settings.partitions))


def test_known_references_go_on_without_the_database_and_unknown_ones_wait(
    door: FrontDoor, tmp_path: Path
) -> None:
    """What is remembered needs no database; a new client gets 503, and no record names them."""
    assert door.post(a_rating()).status_code == 202
    door.parts.db.close()
    file = tmp_path / "rapport.db"
    for part in tmp_path.glob("rapport.db*"):
        part.rename(part.with_name(f"away-{part.name}"))
    file.mkdir()
    assert door.post(a_rating(id="e-2")).status_code == 202
    response = door.post(a_rating(id="e-3", subject="somebody-new"))
    assert response.status_code == 503
    assert response.headers["Retry-After"]
    assert response.get_json()["type"].endswith("database_unavailable")
    assert {envelope.event.id for envelope in door.envelopes()} == {"e-1", "e-2"}


def test_a_refusal_is_answered_although_it_cannot_be_kept(door: FrontDoor, tmp_path: Path) -> None:
    """Keeping refusals is best effort: the answer does not wait for the database."""
    assert door.post(a_rating()).status_code == 202
    door.parts.db.close()
    for part in tmp_path.glob("rapport.db*"):
        part.rename(part.with_name(f"away-{part.name}"))
    (tmp_path / "rapport.db").mkdir()
    assert door.post(a_rating(id="")).status_code == 422


def test_an_answer_waits_for_no_refusal_to_be_kept(door: FrontDoor) -> None:
    """While somebody else holds the write lock of the database, a refusal is answered at once."""
    assert door.post(a_rating()).status_code == 202
    blocker = locked(door.settings.data_dir / "rapport.db")
    answers: list[TestResponse] = []
    posting = threading.Thread(target=lambda: answers.append(door.post(a_rating(id=""))))
    posting.start()
    posting.join(5)
    assert [answer.status_code for answer in answers] == [422]
    assert door.refusals() == []
    blocker.close()

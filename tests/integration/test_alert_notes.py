"""Short notes on alerts: who writes, reads and erases them, and where they never stand."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, select
from werkzeug.test import TestResponse

from services.alerts.notes import LENGTH_LIMIT, NOTES, PATTERN, PER_ALERT, is_short
from shared.events.texts import whole
from shared.storage.engine import Database
from shared.storage.sealing import SealBroken
from shared.stream.ports import ALERTS, EVENTS
from tests.support import events as an
from tests.support.alerting import AlertsWorld, armed, cancellations, held

ADA, EVE = "th_ada", "th_eve"
SAID = "I call the clinic on Monday"


@pytest.fixture
def world(db: Database, tmp_path: Path) -> Iterator[AlertsWorld]:
    """Yield a world with an armed clinic."""
    with armed(db, tmp_path) as made:
        yield made


def write(
    world: AlertsWorld, alert: Any, text: str, person: str | None = ADA, **headers: str
) -> TestResponse:
    """Write a note on an alert as it is now, with a key of one person."""
    path, key = f"/v1/alerts/{alert['id']}", world.a_key("read", "act", person=person)
    seen = {"If-Match": world.get(path, key).headers.get("ETag", "*")} | headers
    return world.post(f"{path}/notes", {"text": text}, key | seen)


def erase(world: AlertsWorld, alert: Any, note: str, key: Mapping[str, str]) -> int:
    """Erase a note; return the status."""
    path = f"/v1/alerts/{alert['id']}/notes/{note}"
    return world.app.test_client().delete(path, headers=key).status_code


def whole_alert(world: AlertsWorld, alert: Any, key: Mapping[str, str] | None = None) -> Any:
    """Return an alert as it is shown by itself."""
    return world.get(f"/v1/alerts/{alert['id']}", key).json


def an_alert(world: AlertsWorld) -> Any:
    """Return an alert about a client's sessions."""
    world.tell(*cancellations(1))
    return world.the_alert()


def test_a_note_is_shown_with_its_alert(world: AlertsWorld) -> None:
    """By itself with who wrote it and when; in the list it is counted, as comments are."""
    alert = an_alert(world)
    assert (alert["note_count"], alert["comment_count"]) == (0, 0)
    written = write(world, alert, SAID)
    assert written.status_code == 201, written.text
    note: Any = written.json
    assert (note["by"], note["text"]) == (ADA, SAID)
    assert write(world, alert, "done").status_code == 201
    shown = whole_alert(world, alert)
    assert [one["text"] for one in shown["notes"]] == [SAID, "done"]
    assert shown["notes"][0] == note
    path = f"/v1/alerts/{alert['id']}"
    assert world.get(f"{path}/notes").json == {"notes": shown["notes"]}
    key = world.a_key("act")
    seen = {"If-Match": world.get(path, world.a_key()).headers["ETag"]}
    assert world.post(f"{path}/comment", {"code": "waiting"}, key | seen).status_code == 202
    world.settle()
    (listed,) = world.alerts()
    assert (listed["note_count"], listed["comment_count"]) == (2, 1)
    assert "notes" not in listed


def test_an_erased_note_leaves_nothing(world: AlertsWorld) -> None:
    """Whoever may act on the alert erases it; no row of it stays, and a second time it is 404."""
    alert = an_alert(world)
    note: Any = write(world, alert, SAID).json
    assert erase(world, alert, note["id"], world.a_key("read", person=EVE)) == 403
    other = world.a_key("act", person=EVE)
    assert erase(world, alert, note["id"], other) == 204
    assert erase(world, alert, note["id"], other) == 404
    with world.db.read() as db:
        assert db.execute(select(NOTES)).all() == []
    assert whole_alert(world, alert)["notes"] == []


def test_a_note_is_erased_where_it_was_written_alone(world: AlertsWorld) -> None:
    """Its id opens nothing on another alert, and nothing for another organisation."""
    alert = an_alert(world)
    note: Any = write(world, alert, SAID).json
    world.tell(*cancellations(1, client="cl_bert"))
    (other,) = [one for one in world.alerts() if one["client"] == "cl_bert"]
    assert erase(world, other, note["id"], world.a_key("act")) == 404
    stranger = world.a_key("read", "act", organisation=world.office.an_organisation("South"))
    assert erase(world, alert, note["id"], stranger) == 404
    assert world.get(f"/v1/alerts/{alert['id']}/notes", stranger).status_code == 404
    assert len(whole_alert(world, alert)["notes"]) == 1
    assert whole_alert(world, other)["notes"] == []


def test_a_note_needs_the_right_and_the_state_that_was_seen(world: AlertsWorld) -> None:
    """As every action; so one that is sent again after a time-out is not there twice."""
    alert = an_alert(world)
    path, sent = f"/v1/alerts/{alert['id']}/notes", {"text": SAID}
    assert world.post(path, sent, world.a_key("read")).status_code == 403
    assert world.post(path, sent, world.a_key("act")).status_code == 428
    key = world.a_key("read", "act", person=ADA)
    seen = key | {"If-Match": world.get(f"/v1/alerts/{alert['id']}", key).headers["ETag"]}
    statuses = [world.post(path, sent, seen).status_code for _ in range(2)]
    assert statuses == [201, 412]
    assert len(whole_alert(world, alert)["notes"]) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "x" * (LENGTH_LIMIT + 1),
        "two\nlines",
        "ends\n",
        "\x1b[31mred",
        "a\x00b",
        "a\u202eb",
    ],
)
def test_a_note_is_one_short_line(world: AlertsWorld, text: str) -> None:
    """What is empty, long, of several lines or steers a terminal is refused with its place."""
    alert = an_alert(world)
    refused = write(world, alert, text)
    assert refused.status_code == 422
    body: Any = refused.json
    assert [fault["pointer"] for fault in body["errors"]] == ["/text"] * len(body["errors"])
    assert not is_short(text)
    assert write(world, alert, "x" * LENGTH_LIMIT).status_code == 201
    assert whole(PATTERN).fullmatch("für Ünal: 10 Uhr → Büro")


def test_an_alert_has_so_many_notes_at_most(world: AlertsWorld) -> None:
    """Every list has a limit; where it is reached, one must be erased first."""
    alert = an_alert(world)
    with world.db.write() as db:
        for n in range(PER_ALERT - 1):
            world.notes.write(db, world.organisation, alert["id"], ADA, f"note {n}")
    last = write(world, alert, SAID)
    assert last.status_code == 201
    full = write(world, alert, SAID)
    assert full.status_code == 409
    note: Any = last.json
    assert erase(world, alert, note["id"], world.a_key("act")) == 204
    assert write(world, alert, SAID).status_code == 201
    texts = [one["text"] for one in whole_alert(world, alert)["notes"]]
    assert texts == [*(f"note {n}" for n in range(PER_ALERT - 1)), SAID]


# Who sees them -----------------------------------------------------------------------------------
def test_whom_a_matter_concerns_reads_no_note_on_it(world: AlertsWorld) -> None:
    """Not with the alert, not by themselves; they neither write one nor erase one."""
    noted = an.a_boundary_noted()
    world.tell(noted)
    (alert,) = world.alerts()
    note: Any = write(world, alert, SAID, EVE).json
    theirs = world.a_key("read", "act", person=an.THERAPIST)
    path = f"/v1/alerts/{alert['id']}"
    assert world.get(f"{path}/notes", theirs).status_code == 404
    assert (
        world.post(f"{path}/notes", {"text": SAID}, theirs | {"If-Match": "*"}).status_code == 404
    )
    assert erase(world, alert, note["id"], theirs) == 404
    world.tell(an.a_correction(noted, concerns=EVE))
    hers = world.a_key("read", "act", person=EVE)
    assert world.get(f"{path}/notes", hers).status_code == 404
    assert erase(world, alert, note["id"], hers) == 404
    assert [one["text"] for one in whole_alert(world, alert)["notes"]] == [SAID]


def test_a_key_of_another_clinic_reads_no_note(world: AlertsWorld) -> None:
    """A note is seen by whoever may see its alert, and by nobody else."""
    alert = an_alert(world)
    note: Any = write(world, alert, SAID).json
    elsewhere = world.a_key("read", "act", clinics=["oak"])
    assert world.get(f"/v1/alerts/{alert['id']}/notes", elsewhere).status_code == 404
    assert erase(world, alert, note["id"], elsewhere) == 404


# Where they stand --------------------------------------------------------------------------------
def test_a_note_stands_nowhere_in_clear(
    world: AlertsWorld, capfd: pytest.CaptureFixture[str]
) -> None:
    """On no topic, in no table of any kind, in no log line and in no metric."""
    secret = "quokka on Thursday"
    alert = an_alert(world)
    world.a_recipient("boss")
    assert write(world, alert, secret).status_code == 201
    refused = write(world, alert, f"{secret}\n")
    assert "quokka" not in refused.text
    path, key = f"/v1/alerts/{alert['id']}", world.a_key("read", "act", person=ADA)
    seen = key | {"If-Match": world.get(path, key).headers["ETag"]}
    world.post(f"{path}/resolve", {"reason": "handled"}, seen)
    world.settle()
    world.deliver()
    assert types_of(world, ALERTS) >= {"alert.opened", "alert.resolved"}
    for topic in (ALERTS, EVENTS):
        assert b"quokka" not in b"".join(records(world, topic))
    tables = MetaData()
    with world.db.read() as db:
        tables.reflect(db)
        rows = [row for table in tables.sorted_tables for row in db.execute(select(table))]
    assert rows
    assert "quokka" not in repr(rows)
    assert "quokka" not in world.get("/metrics").text
    captured = capfd.readouterr()
    assert "quokka" not in captured.out + captured.err


def test_a_note_opens_on_its_own_alert_alone(world: AlertsWorld) -> None:
    """A sealed text that was moved to another alert does not open there."""
    alert = an_alert(world)
    write(world, alert, SAID)
    with world.db.write() as db:
        assert world.notes.verify(db, world.organisation) == 1
        db.execute(NOTES.update().values(alert="another"))
    with world.db.read() as db, pytest.raises(SealBroken):
        world.notes.of(db, world.organisation, "another")
    with world.db.read() as db, pytest.raises(SealBroken):
        world.notes.verify(db, world.organisation)


# While the alert goes on -------------------------------------------------------------------------
def test_notes_outlive_a_rebuild(world: AlertsWorld) -> None:
    """Every table that the stream can fill again is lost: the alert keeps its id and its notes."""
    alert = an_alert(world)
    world.tell(*cancellations(2, first=2))
    write(world, alert, SAID)
    before = whole_alert(world, alert)
    world.begun_again()
    world.settle()
    assert whole_alert(world, alert) == before


def test_an_alert_with_a_note_is_taken_back_and_not_forgotten(world: AlertsWorld) -> None:
    """Nobody was told of it, but who wrote on it knows of it: its note can still be erased."""
    cancelled = cancellations(1)
    world.tell(*cancelled)
    alert = world.the_alert()
    note: Any = write(world, alert, SAID).json
    world.tell(an.a_retraction(cancelled[0]))
    shown = whole_alert(world, alert)
    assert (shown["state"], shown["note_count"]) == ("retracted", 1)
    world.begun_again()
    world.settle()
    assert whole_alert(world, alert) == shown
    assert erase(world, alert, note["id"], world.a_key("act")) == 204


def test_notes_outlive_a_merger(world: AlertsWorld) -> None:
    """Judged under another reference the alert goes on, with its notes; and back again."""
    world.tell(*cancellations(1, client="cl_ann"))
    alert = world.the_alert()
    note: Any = write(world, alert, SAID).json
    merger = an.a_merger("cl_ben", an.on(5), client="cl_ann")
    world.tell(merger)
    assert whole_alert(world, alert)["notes"] == [note]
    assert world.the_alert()["note_count"] == 1
    world.tell(an.a_retraction(merger))
    assert whole_alert(world, alert)["notes"] == [note]
    assert erase(world, alert, note["id"], world.a_key("act")) == 204


def test_an_alert_without_a_note_is_forgotten(world: AlertsWorld) -> None:
    """What nobody was told of, and nobody wrote on, leaves no trace."""
    cancelled = cancellations(1)
    world.tell(*cancelled, held(3))
    world.tell(an.a_retraction(cancelled[0]))
    assert world.alerts() == []


def records(world: AlertsWorld, topic: str) -> list[bytes]:
    """Return every record of a topic: key, value and headers."""
    reader = world.stream.consumer(f"notes-{topic}", [topic], lambda _: 0)
    found: list[bytes] = []
    while batch := reader.poll(1_000, 0.05):
        found += [repr(record).encode() for record in batch]
    reader.close()
    return found


def types_of(world: AlertsWorld, topic: str) -> set[str]:
    """Return the types on the topic of alerts."""
    assert topic == ALERTS
    return {one.event.type for one in world.published()}

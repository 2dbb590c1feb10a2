"""``rapport parked``, as an operator at the terminal uses it."""

import base64
import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from services.alerts import tables
from services.cli import main
from services.projections import read_models
from shared.ids import CLIENT
from shared.storage import generations, table_sets
from shared.stream.codec import encode
from shared.stream.ports import EVENTS
from tests.support import events as an
from tests.support.accounts import SECRET_KEY
from tests.support.databases import migrated, sqlite_url
from tests.support.poison import Fragile, FragileModel
from tests.support.projected import World


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a data folder in which a release that has been mended since parked a client."""
    with migrated(sqlite_url(tmp_path)) as db, closing(World(db, tmp_path)) as world:
        world.runner.close()
        world.runner = world.another_runner(more=[FragileModel(Fragile(events={"poison"}))])
        held = [an.a_session_held(name, an.on(n), id=name)
                for n, name in enumerate(("first", "poison", "third"))]  # fmt: skip
        world.tell(*held)
        bad = encode(world.placed(held[0]), EVENTS)
        world.publish([replace(bad, value=b"no JSON")])
    return tmp_path


def run(folder: Path, *arguments: str) -> Result:
    """Run a command on a data folder."""
    environment = {
        "RAPPORT_DATA_DIR": str(folder),
        "RAPPORT_DATABASE": sqlite_url(folder),
        "RAPPORT_SECRET_KEY": base64.b64encode(SECRET_KEY).decode(),
    }
    return CliRunner().invoke(main, arguments, env=environment)


def listed(folder: Path, *arguments: str) -> Any:
    """Return the JSON of a command of ``rapport parked`` that must succeed."""
    result = run(folder, "parked", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_what_waits_is_listed_and_shown(folder: Path) -> None:
    """Client, head, count and why; each record's place and type; its value only when asked for."""
    (queue,) = listed(folder, "list")
    assert (queue["consumer"], queue["state"], queue["records"], queue["error"]) == (
        "projections.v1", "parked", 2, "Bug"
    )  # fmt: skip
    assert queue["head"] in run(folder, "parked", "list").stdout
    rows = listed(folder, "show", an.CLIENT)
    assert [(row["record"], row["state"]) for row in rows] == [
        (queue["head"], "parked"), (rows[1]["record"], "queued")
    ]  # fmt: skip
    assert {row["type"] for row in rows} == {"rapport.session.held"}
    assert an.SOURCE not in json.dumps(rows)
    assert an.SOURCE in json.dumps(listed(folder, "show", queue["client"], "--value"))


def test_the_doctor_says_that_somebody_waits(folder: Path) -> None:
    """Until it is retried, not all is well."""
    said = "parked: 2 records, of 1 clients"
    assert said in run(folder, "doctor").output
    listed(folder, "retry", "--all")
    assert said not in run(folder, "doctor").output


def test_retried_with_this_release(folder: Path) -> None:
    """What this release can handle is handled, once; then nothing is parked."""
    (done,) = listed(folder, "retry", an.CLIENT)
    assert (done["handled"], done["left"]) == (2, 0)
    shown = json.loads(run(folder, "timeline", an.CLIENT, "--json").stdout)
    assert [one["session"] for one in shown["sessions"]] == ["first", "poison", "third"]
    assert (listed(folder, "list"), listed(folder, "retry", "--all")) == ([], [])
    assert run(folder, "parked", "list").stderr == "Nothing is parked.\n"


def test_who_waits_for_a_rebuild_keeps_nobody_else_waiting(folder: Path) -> None:
    """Where other rules judged the alerts, what the timelines parked is retried all the same."""
    with migrated(sqlite_url(folder)) as db:
        tables.prepare(db, ())
    (done,) = listed(folder, "retry", "--all")
    assert (done["handled"], done["left"]) == (2, 0)


def test_retried_before_the_new_release_was_started(folder: Path) -> None:
    """A table that this release has and the one before had not is made by the command too."""
    with migrated(sqlite_url(folder)) as db, db.write() as writing:
        for name in read_models.of(table_sets.FIRST).facts.tables[1:]:
            name.drop(writing)
    (done,) = listed(folder, "retry", "--all")
    assert (done["handled"], done["left"]) == (2, 0)


def test_what_this_release_does_not_handle_is_left(folder: Path) -> None:
    """Where other code filled the timelines, nothing is tried, and the exit code says so."""
    with migrated(sqlite_url(folder)) as db, db.write() as writing:
        writing.execute(generations.GENERATIONS.update().values(code="another"))
    result = run(folder, "parked", "retry", "--all", "--json")
    assert (result.exit_code, result.stdout.strip()) == (1, "[]")
    assert "projections.v1: left as it is" in result.stderr


def test_a_rebuild_before_anything_was_started(tmp_path: Path) -> None:
    """Of nothing, nothing is built, and that ends."""
    result = run(tmp_path, "rebuild", "timelines")
    assert (result.exit_code, "Switched." in result.stderr) == (0, True)


def test_who_waits_for_what_serves_is_listed_once(folder: Path) -> None:
    """After a switch the queue is the new generation's; the old one's is there when asked for."""
    assert run(folder, "rebuild", "timelines").exit_code == 0
    (queue,) = listed(folder, "list")
    assert queue["consumer"] == "projections.v1.g2"
    (old,) = listed(folder, "list", "--consumer", "projections.v1")
    assert old["head"] == queue["head"]


def test_what_is_logged_is_not_among_the_data(folder: Path) -> None:
    """A line of the log goes to stderr: what a command prints stays JSON."""
    rebuilt = run(folder, "rebuild", "timelines", "--json")
    assert json.loads(rebuilt.stdout)["switched"]
    assert '"action":"quarantined"' in rebuilt.stderr
    evicted = run(folder, "parked", "evict", an.CLIENT, "--by", "jo", "--reason", "sent twice")
    assert (evicted.stdout, '"action":"evicted"' in evicted.stderr) == ("", True)


def test_evicted_with_actor_and_reason(folder: Path) -> None:
    """It is kept by whom and why, it retries nothing by itself, and it is left out."""
    words = ("parked", "evict", an.CLIENT, "--by", "jo", "--reason", "sent twice")
    result = run(folder, *words)
    assert result.exit_code == 0, result.output
    assert "rapport parked retry" in result.stderr
    assert run(folder, *words).stderr.startswith("It was left out already.")
    (row, _) = listed(folder, "show", an.CLIENT)
    assert (row["state"], row["evicted_by"], row["reason"]) == ("evicted", "jo", "sent twice")
    (done,) = listed(folder, "retry", "--all")
    assert (done["handled"], done["left"]) == (2, 0)
    shown = json.loads(run(folder, "timeline", an.CLIENT, "--json").stdout)
    assert [one["session"] for one in shown["sessions"]] == ["first", "third"]


def test_the_quarantine_is_listed(folder: Path) -> None:
    """Where each record was found, by whom, and why; nothing of what it holds."""
    (found,) = listed(folder, "quarantine")
    assert found["found_at"].startswith("rapport.events/")
    assert (found["consumer"], found["error"], found["bytes"]) == (
        "projections.v1", "JSONDecodeError", 7
    )  # fmt: skip


def test_what_is_not_there_is_a_usage_error(folder: Path) -> None:
    """Every refusal says what to do, with exit code 2."""
    cases = {
        ("show", "nobody"): "see: rapport parked list",
        ("retry",): "--all",
        ("retry", an.CLIENT, "--all"): "--all",
        ("evict", an.CLIENT, "--record", "x", "--by", "j", "--reason", "r"): "TOPIC/PARTITION",
        ("evict", an.CLIENT, "--record", "rapport.events/0/999", "--by", "j", "--reason", "r"):
            "see: rapport parked show",
        ("evict", an.CLIENT, "--by", " ", "--reason", "r"): "--by must be",
    }  # fmt: skip
    for words, said in cases.items():
        result = run(folder, "parked", *words)
        assert (result.exit_code, said in result.stderr) == (2, True), (words, result.output)


def test_the_reference_of_the_sender_will_do(folder: Path) -> None:
    """A client is named by the opaque id, or as the sender's system does."""
    (queue,) = listed(folder, "list")
    assert listed(folder, "show", an.CLIENT) == listed(folder, "show", queue["client"])
    assert queue["client"].startswith(CLIENT)

"""The command line for accounts, as people use it, on real files and on PostgreSQL."""

import json
import stat
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from services.cli import main
from services.cli.common import Office, opened
from services.cli.receiver import Receiver
from shared.config import load
from shared.ids import STAFF
from shared.storage.engine import Database
from shared.storage.sealing import KEY_FILE
from shared.stream.codec import decode
from shared.stream.engines import open_stream
from shared.stream.ports import EVENTS, Record
from tests.support.databases import DIALECTS, url_of

HOOK = "https://example.org/hook"


class Shell:
    """Somebody at a terminal, with an environment of their own."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Sit down."""
        self.environment = dict(environment)

    def run(self, *words: str, code: int = 0) -> Result:
        """Run a command, which must end with ``code``."""
        result = CliRunner(env=self.environment).invoke(main, words)
        assert result.exit_code == code, result.output
        return result

    def json(self, *words: str, code: int = 0) -> Any:
        """Run a command with ``--json``; return what it printed on stdout."""
        return json.loads(self.run(*words, "--json", code=code).stdout)

    def office(self) -> AbstractContextManager[Office]:
        """Open the accounts as a service would."""
        return opened(load(self.environment))


@pytest.fixture(params=DIALECTS)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Shell:
    """Return a terminal on an empty installation."""
    folder = tmp_path / "data"
    environment = {"RAPPORT_DATA_DIR": str(folder)}
    if request.param != "sqlite":
        environment["RAPPORT_DATABASE"] = url_of(request, tmp_path)
    return Shell(environment)


def test_an_afternoons_set_up(shell: Shell) -> None:
    """Organisation, source, key and recipient, made by hand, are what the services then read."""
    organisation = shell.json("org", "create", "North Valley")["id"]
    source = shell.json("source", "create", "ehr", "--clinic", "elm")
    key = shell.json("key", "create", "--right", "publish", "--source", "ehr", "--person", "lee")
    shell.json("recipient", "add", "board", "--role", "governance", "--url", HOOK)
    assert source["webhook"] == f"http://127.0.0.1:8080/v1/sources/{source['id']}/webhook"
    with shell.office() as office:
        found = office.accounts.source(source["id"])
        caller = office.accounts.caller(key["token"])
        person = office.registry.find(organisation, [(STAFF, "lee")])[STAFF, "lee"]
        recipients = office.accounts.recipients(organisation)
    assert found is not None
    assert (found.organisation, found.clinic, found.silent_after_hours) == (
        organisation,
        "elm",
        96,
    )
    assert caller is not None
    assert caller.person == person
    assert [one.name for one in recipients] == ["board"]


def test_a_key_says_whose_matters_it_hides(shell: Shell) -> None:
    """Nobody's where no person is named; and a name that no fact ever had may be misspelt."""
    shell.run("org", "create", "North")
    words = ("key", "create", "--right", "read")
    assert "no boundary matter is kept from it" in shell.run(*words).stderr
    new = shell.run(*words, "--person", "lee").stderr
    assert "nobody's" not in new
    assert "Nobody was named 'lee' so far" in new
    assert "so far" not in shell.run(*words, "--person", "lee").stderr


def test_secrets_are_shown_once(shell: Shell) -> None:
    """What is printed at creation is in no later output, and the reminder is on stderr."""
    shell.run("org", "create", "North")
    made = shell.run("source", "create", "ehr", "--json")
    secret = json.loads(made.stdout)["secret"]
    token = shell.json("key", "create", "--right", "read")["token"]
    signing = shell.json("recipient", "add", "b", "--role", "governance", "--url", HOOK)["secret"]
    assert "not shown again" in made.stderr
    assert "not shown again" not in made.stdout
    later = "".join(
        shell.run(*words).output
        for group in ("source", "key", "recipient")
        for words in ([group, "list"], [group, "list", "--json"])
    )
    for hidden in (secret, token[28:], signing, "/hook"):
        assert hidden not in later
    assert "example.org" in later


def test_a_source_changes_its_secret(shell: Shell) -> None:
    """Rotation prints another secret, and both are live until the first retires."""
    shell.run("org", "create", "North")
    first = shell.json("source", "create", "ehr")
    second = shell.json("source", "rotate", "ehr")
    assert first["secret"] != second["secret"]
    assert first["webhook"] == second["webhook"]
    assert shell.json("source", "list")[0]["live_secrets"] == 2
    shell.run("source", "rotate", first["id"], "--keep-hours", "0")
    assert shell.json("source", "list")[0]["live_secrets"] == 1


def test_a_key_is_revoked(shell: Shell) -> None:
    """A revoked key opens nothing and is listed as revoked; revoking twice is refused."""
    shell.run("org", "create", "North")
    key = shell.json("key", "create", "--right", "read", "--clinic", "elm")
    shell.run("key", "revoke", key["id"])
    with shell.office() as office:
        assert office.accounts.caller(key["token"]) is None
    assert shell.json("key", "list")[0]["revoked_at"]
    assert "no such live key" in shell.run("key", "revoke", key["id"], code=1).stderr


def test_a_clinic_is_set_in_every_partition(shell: Shell) -> None:
    """``clinic set`` writes one event, under one id, to every partition of the stream."""
    organisation = shell.json("org", "create", "North")["id"]
    said = shell.json(
        "clinic", "set", "elm", "--timezone", "Europe/London", "--working-day", "mon",
        "--holiday", "2026-12-25", "--sends", "sessions", "--sends", "ratings",
    )  # fmt: skip
    records = _records(shell)
    events = [decode(record) for record in records]
    assert sorted(record.partition for record in records) == list(range(12))
    assert len({event.id for event in events}) == 1
    assert {(e.organisation, e.client, e.sender) for e in events} == {
        (organisation, None, "rapport")
    }
    assert events[0].event.data == said
    assert said == {
        "clinic": "elm",
        "timezone": "Europe/London",
        "working_days": ["mon"],
        "holidays": ["2026-12-25"],
        "sends": ["sessions", "ratings"],
    }


def test_a_clinic_that_cannot_be_is_refused(shell: Shell) -> None:
    """A time zone that does not exist is refused, and nothing is written."""
    shell.run("org", "create", "North")
    refused = shell.run("clinic", "set", "elm", "--timezone", "Europe/Nowhere", code=1)
    assert refused.stderr.startswith("timezone: ")
    assert refused.stdout == ""
    shell.run("clinic", "set", "elm", "--timezone", "Europe/London")
    assert len(_records(shell)) == 12


def test_the_organisation_is_named_where_there_are_several(shell: Shell) -> None:
    """One needs no name; among several one must be named, by name or id, and is kept apart."""
    assert "rapport org create" in shell.run("source", "list", code=2).stderr
    north = shell.json("org", "create", "North")["id"]
    shell.run("source", "create", "ehr")
    shell.run("org", "create", "South")
    assert "--organisation" in shell.run("source", "list", code=2).stderr
    shell.run("source", "create", "ehr", "--organisation", "South")
    assert len(shell.json("source", "list", "-o", north)) == 1
    shell.run("source", "list", "-o", "East", code=1)
    assert [one["name"] for one in shell.json("org", "list")] == ["North", "South"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["source", "create", "two words"], 1),
        (["source", "create", "ehr"], 1),
        (["source", "create", "x", "--adapter", "nonsense"], 2),
        (["source", "rotate", "nobody"], 2),
        (["key", "create"], 2),
        (["key", "create", "--right", "publish"], 2),
        (["key", "create", "--right", "everything"], 2),
        (["key", "create", "--right", "read", "--clinic", "two words"], 1),
        (["recipient", "add", "a", "--role", "boss", "--url", HOOK], 2),
        (["recipient", "add", "a", "--role", "governance", "--url", "nowhere"], 1),
        (["recipient", "remove", "nobody"], 2),
        (["org", "create", " "], 1),
    ],
)
def test_what_cannot_be_is_said_plainly(shell: Shell, words: Sequence[str], code: int) -> None:
    """Wrong words end with 2, refused values with 1; a sentence on stderr, nothing on stdout."""
    shell.run("org", "create", "North")
    shell.run("source", "create", "ehr")
    result = shell.run(*words, code=code)
    assert result.stdout == ""
    assert result.stderr.strip()
    assert "Traceback" not in result.stderr


def test_bad_configuration_says_every_problem(shell: Shell) -> None:
    """All that is wrong with the environment is said at once, with exit code 2."""
    shell.environment |= {"RAPPORT_PORT": "x", "RAPPORT_LOG_LEVEL": "loud", "RAPPORT_TYPO": "1"}
    said = shell.run("org", "list", code=2).stderr
    assert all(name in said for name in ("RAPPORT_PORT", "RAPPORT_LOG_LEVEL", "RAPPORT_TYPO"))


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """A data folder under a file is a configuration problem, not a crash."""
    (tmp_path / "file").write_text("")
    shell = Shell({"RAPPORT_DATA_DIR": str(tmp_path / "file" / "data")})
    assert "RAPPORT_DATA_DIR" in shell.run("org", "list", code=2).stderr


def test_a_recipient_is_tried_out(tmp_path: Path) -> None:
    """``recipient test`` sends what verifies with the secret that was shown; else it says why."""
    shell = Shell({"RAPPORT_DATA_DIR": str(tmp_path), "RAPPORT_ALLOW_PRIVATE_WEBHOOKS": "true"})
    shell.run("org", "create", "North")
    receiver = Receiver()
    try:
        words = ("recipient", "add", "board", "--role", "governance", "--url", receiver.url)
        receiver.start(shell.json(*words)["secret"])
        assert "Delivered" in shell.run("recipient", "test", "board").stderr
        assert (dict(receiver.told), receiver.rejected) == ({"rapport.test": 1}, 0)
        shell.environment["RAPPORT_ALLOW_PRIVATE_WEBHOOKS"] = "false"
        assert "Not sent" in shell.run("recipient", "test", "board", code=1).stderr
        assert "https" in shell.run(*words, code=2).stderr
    finally:
        receiver.close()
    shell.environment["RAPPORT_ALLOW_PRIVATE_WEBHOOKS"] = "true"
    assert "Not delivered" in shell.run("recipient", "test", "board", code=1).stderr


def test_doctor_says_what_to_do_and_does_it(shell: Shell) -> None:
    """On an empty machine it names the problems; after --fix and the set-up there are none."""
    empty = shell.json("doctor", code=1)
    assert "data folder" in _problems(empty)
    assert not Path(shell.environment["RAPPORT_DATA_DIR"]).exists()
    fixed = shell.json("doctor", "--fix", code=1)
    assert _problems(fixed) == {"organisations"}
    shell.run("org", "create", "North")
    todo = {one["what to do"] for one in shell.json("doctor", code=1) if one["state"] != "ok"}
    assert any("--role governance" in one for one in todo)
    assert any("source create" in one for one in todo)
    shell.run("source", "create", "ehr")
    shell.run("recipient", "add", "board", "--role", "governance", "--url", HOOK)
    assert _problems(shell.json("doctor", "--verify")) == set()


def test_doctor_finds_what_does_not_open(shell: Shell) -> None:
    """A sealed value that was changed in the database is found by --verify."""
    shell.run("org", "create", "North")
    shell.run("source", "create", "ehr")
    shell.run("recipient", "add", "b", "--role", "governance", "--url", HOOK, "--person", "lee")
    shell.run("doctor", "--fix")
    database = Database(load(shell.environment).database)
    with database.write() as db:
        db.execute(text("UPDATE registry SET sealed = '1.AAAA'"))
    database.close()
    shell.run("doctor")
    found = [one["found"] for one in shell.json("doctor", "--verify", code=1)]
    assert "references: some do not open" in found


def test_doctor_finds_a_damaged_record(shell: Shell) -> None:
    """A record that is not what was appended is named by --verify, with what to do."""
    shell.run("org", "create", "North")
    shell.run("clinic", "set", "north", "--timezone", "Europe/London")
    assert "stream file" not in _problems(shell.json("doctor", "--verify", code=1))
    database = Database(f"sqlite:///{load(shell.environment).stream_file}")
    with database.write() as db:
        db.execute(text('UPDATE records SET value = "key" WHERE rowid = 1'))
    database.close()
    assert "stream file" not in _problems(shell.json("doctor", code=1))
    findings = shell.json("doctor", "--verify", code=1)
    [found] = [one for one in findings if one["what"] == "stream file"]
    assert "offset 0 is not what was appended" in found["found"]
    assert "restore" in found["what to do"]


def test_doctor_knows_the_wrong_key(shell: Shell) -> None:
    """Started with another key than the database's, it says so instead of failing later."""
    shell.run("org", "create", "North")
    shell.environment["RAPPORT_SECRET_KEY"] = "A" * 43 + "="
    assert "secret key" in _problems(shell.json("doctor", code=1))
    assert "another secret key" in shell.run("org", "list", code=2).stderr


def test_doctor_closes_the_folder(shell: Shell) -> None:
    """A folder and a key that others could read are named, and closed by --fix."""
    shell.run("org", "create", "North")
    folder = Path(shell.environment["RAPPORT_DATA_DIR"])
    folder.chmod(0o755)
    (folder / KEY_FILE).chmod(0o644)
    assert "data folder" in _problems(shell.json("doctor", code=1))
    assert "data folder" not in _problems(shell.json("doctor", "--fix", code=1))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600


def test_doctor_says_when_the_database_is_away(tmp_path: Path) -> None:
    """A PostgreSQL that nobody can reach is one finding, not a crash."""
    shell = Shell(
        {
            "RAPPORT_DATA_DIR": str(tmp_path),
            "RAPPORT_DATABASE": "postgresql+psycopg://nobody@127.0.0.1:1/none",
        }
    )
    assert "database" in _problems(shell.json("doctor", code=1))
    assert "does not answer" in shell.run("org", "list", code=1).stderr


def _problems(findings: Sequence[Mapping[str, str]]) -> set[str]:
    return {one["what"] for one in findings if one["state"] == "problem"}


def _records(shell: Shell) -> list[Record]:
    """Return every record on the topic of events."""
    stream = open_stream(load(shell.environment))
    consumer = stream.consumer("test", [EVENTS], lambda _: 0)
    wanted = sum(stream.ends(EVENTS).values())
    records: list[Record] = []
    while len(records) < wanted:
        records.extend(consumer.poll(100, 1))
    consumer.close()
    stream.close()
    return records

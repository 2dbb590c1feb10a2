"""``rapport timeline``: from a database to the terminal, as a user types it."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from services.cli import main
from tests.support import events as an
from tests.support.accounts import SECRET_KEY
from tests.support.databases import DIALECTS, migrated, url_of
from tests.support.projected import World, an_alert_step


class Terminal:
    """Somebody who types commands on an installation where something has happened."""

    def __init__(self, world: World, folder: Path) -> None:
        """Sit down."""
        self.world = world
        self.folder = folder
        self._environment = {
            "RAPPORT_DATA_DIR": str(folder),
            "RAPPORT_DATABASE": world.db.url,
            "RAPPORT_SECRET_KEY": base64.b64encode(SECRET_KEY).decode(),
        }

    def type(self, *words: str) -> Result:
        """Run the command."""
        return CliRunner(env=self._environment).invoke(main, ["timeline", *words])

    def json(self, *words: str) -> Any:
        """Run it with ``--json``, which must succeed."""
        result = self.type(*words, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@pytest.fixture(params=DIALECTS)
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    """Yield a terminal on an installation with one client."""
    with migrated(url_of(request, tmp_path)) as db:
        world = World(db, tmp_path)
        world.tell(
            an.a_session_held("s1", an.on(7), source="urn:simulated:elm"),
            an.a_session_cancelled("s2", at=an.on(14), by="therapist", recorded_at=an.on(40)),
        )
        world.alert(an_alert_step(client=world.client()))
        yield Terminal(world, tmp_path)
        world.close()


def test_a_timeline_is_drawn(terminal: Terminal) -> None:
    """By reference or by opaque id: sessions, open alerts with reasons, labelled simulated."""
    for name in (an.CLIENT, terminal.world.client()):
        result = terminal.type(name)
        assert result.exit_code == 0, result.output
        assert "SIMULATED DATA" in result.stdout
        assert "1 held, 1 cancelled" in result.stdout
        assert "attention: no session for twice the agreed interval" in result.stdout
        assert "The last session was 15 days ago; 7 were agreed." in result.stdout
        assert max(map(len, result.stdout.splitlines())) <= 80
        assert "\x1b" not in result.stdout


def test_json_is_what_a_caller_gets(terminal: Terminal) -> None:
    """``--json`` prints the timeline that the API gives, at both times."""
    assert terminal.json(an.CLIENT) == terminal.world.timeline()
    earlier = "2026-02-01T00:00:00Z"
    known = terminal.json(an.CLIENT, "--known-at", earlier)
    assert [one["session"] for one in known["sessions"]] == ["s1"]
    valid = terminal.json(an.CLIENT, "--valid-at", "2026-01-13T00:00:00Z")
    assert [one["session"] for one in valid["sessions"]] == ["s1"]


def test_a_picture_is_written(terminal: Terminal) -> None:
    """``--svg`` writes the drawing that the API gives, and prints nothing."""
    path = terminal.folder / "timeline.svg"
    result = terminal.type(an.CLIENT, "--svg", str(path))
    assert (result.exit_code, result.output) == (0, "")
    drawing = path.read_text(encoding="utf-8")
    ElementTree.fromstring(drawing)  # noqa: S314 - our own.
    client = terminal.world.client()
    assert terminal.world.get(f"/v1/clients/{client}/timeline.svg").text == drawing


def test_what_cannot_be_shown_says_why(terminal: Terminal) -> None:
    """An unknown client, a time without offset, a missing organisation: exit 2 and a sentence."""
    terminal.world.office.an_organisation("South")
    several = terminal.type(an.CLIENT)
    assert (several.exit_code, "several organisations" in several.stderr) == (2, True)
    elsewhere = terminal.type(an.CLIENT, "--organisation", "South")
    assert (elsewhere.exit_code, "no such client" in elsewhere.stderr) == (2, True)
    naive = terminal.type(an.CLIENT, "--valid-at", "2026-01-01T00:00:00")
    assert (naive.exit_code, "offset" in naive.stderr) == (2, True)

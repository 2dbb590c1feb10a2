"""``rapport alerts`` and ``rapport rules``, as somebody at the terminal uses them."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from services.alerts.bootstrap import EVERY_RULE
from services.cli import main
from shared.config import load
from tests.support import events as an
from tests.support.accounts import SECRET_KEY
from tests.support.alerting import AlertsWorld, cancellations
from tests.support.databases import migrated
from tests.support.receiver import Receiver


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a data folder in which one alert is open."""
    settings = load({"RAPPORT_DATA_DIR": str(tmp_path)})
    assert run(tmp_path, "org", "create", "North").exit_code == 0
    organisations = json.loads(run(tmp_path, "org", "list", "--json").stdout)
    with migrated(settings.database) as db:
        world = AlertsWorld(db, tmp_path, organisation=organisations[0]["id"])
        world.arm()
        world.tell(*cancellations(1))
        world.close()
    return tmp_path


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AlertsWorld]:
    """Yield a world whose data folder the commands can open, with an armed clinic."""
    monkeypatch.setenv("RAPPORT_SECRET_KEY", base64.b64encode(SECRET_KEY).decode())
    with migrated(load({"RAPPORT_DATA_DIR": str(tmp_path)}).database) as db:
        world = AlertsWorld(db, tmp_path)
        world.arm()
        yield world
        world.close()


def run(folder: Path, *arguments: str, typed: str | None = None) -> Result:
    """Run a command on a data folder, with something typed into it."""
    settings = {"RAPPORT_DATA_DIR": str(folder)}
    return CliRunner().invoke(main, arguments, env=settings, input=typed)


def test_open_alerts_are_listed_with_their_reasons(folder: Path) -> None:
    """Urgency, what was observed, why, where, and the id to go on with."""
    result = run(folder, "alerts", "list")
    assert result.exit_code == 0, result.output
    (alert,) = json.loads(run(folder, "alerts", "list", "--json").stdout)
    for part in ("attention", alert["title"], alert["explanation"], an.CLIENT, alert["id"]):
        assert part in result.stdout


def test_one_alert_is_shown_whole(folder: Path) -> None:
    """Evidence, next steps and history stand beneath it."""
    (alert,) = json.loads(run(folder, "alerts", "list", "--json").stdout)
    shown = run(folder, "alerts", "show", alert["id"]).stdout
    for part in (alert["evidence"][0]["event"], *alert["next_steps"], "opened"):
        assert part in shown
    as_json = json.loads(run(folder, "alerts", "show", alert["id"], "--json").stdout)
    (delivery,) = as_json.pop("deliveries")
    assert (delivery["recipient"], delivery["status"]) == (None, "without_recipient")
    assert "there is no recipient for it" in shown
    assert as_json == {**alert, "notes": [], "not_acknowledged_by": []}


def test_nothing_to_list_is_said_on_stderr(folder: Path) -> None:
    """Data go to stdout, messages to stderr."""
    result = run(folder, "alerts", "list", "--state", "retracted")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "There are none.\n")


def test_an_unknown_alert_or_rule_is_a_usage_error(folder: Path) -> None:
    """Exit code 2, with the command that helps."""
    for arguments in (["alerts", "show", "none"], ["rules", "show", "none"]):
        result = run(folder, *arguments)
        assert result.exit_code == 2
        assert "list" in result.stderr


def test_a_note_is_written_shown_and_erased(folder: Path) -> None:
    """It is typed, never an argument; shown beneath its alert, counted in the list, then gone."""
    (alert,) = json.loads(run(folder, "alerts", "list", "--json").stdout)
    write = ("alerts", "note", alert["id"], "--by", "lead-7")
    written = run(folder, *write, "--json", typed="I call them on Monday\n")
    assert written.exit_code == 0, written.output
    note = json.loads(written.stdout)
    assert note["by"].startswith("th_")
    assert "1 note" in run(folder, "alerts", "list").stdout
    shown = run(folder, "alerts", "show", alert["id"]).stdout
    for part in ("Notes", "I call them on Monday", note["id"], note["by"]):
        assert part in shown
    erase = ("alerts", "erase-note", alert["id"], note["id"])
    assert run(folder, *erase).exit_code == 0
    assert run(folder, *erase).exit_code == 2
    assert "Notes" not in run(folder, "alerts", "show", alert["id"]).stdout


def test_what_is_no_short_line_is_refused(folder: Path) -> None:
    """Exit code 2, and nothing is kept; nor on an alert that is not there."""
    (alert,) = json.loads(run(folder, "alerts", "list", "--json").stdout)
    for text in ("x" * 281, "red \x1b[31m"):
        refused = run(folder, "alerts", "note", alert["id"], "--by", "lead-7", typed=f"{text}\n")
        assert (refused.exit_code, refused.stdout) == (2, "")
    nowhere = run(folder, "alerts", "note", "none", "--by", "lead-7", typed="Monday\n")
    assert nowhere.exit_code == 2
    assert json.loads(run(folder, "alerts", "list", "--json").stdout) == [alert]


def test_every_rule_is_listed_and_explained(folder: Path) -> None:
    """By name; the settings with their defaults."""
    listed = run(folder, "rules", "list").stdout
    for rule in EVERY_RULE:
        assert rule.name in listed
        told = json.loads(run(folder, "rules", "show", rule.name, "--json").stdout)
        assert told["settings"] == json.loads(json.dumps(dict(rule.defaults)))
        shown = run(folder, "rules", "show", rule.name)
        assert shown.exit_code == 0
        assert set(rule.next_steps) <= {line.strip() for line in shown.stdout.splitlines()}


def test_it_is_said_why_somebody_was_not_told_at_once(line: AlertsWorld) -> None:
    """Of the second notice of a day that has one: in the list, at the alert, of the recipient."""
    folder, day = line.folder, an.on(1).date().isoformat()
    line.deliver_by(daily_cap=1)
    line.a_recipient("boss")
    line.tell(
        *cancellations(1), *cancellations(1, first=1.1, client="cl_bert", therapist="th_ruth")
    )
    assert f"held for the digest of {day}" in run(folder, "alerts", "list").stdout
    (second,) = [one for one in line.shown() if one["client"] == "cl_bert"]
    shown = run(folder, "alerts", "show", second["id"]).stdout
    held = f"named in the digest when the day is over (digest of {day})"
    assert f"boss  over the day's number of notices: {held}" in shown
    assert second["id"] in run(folder, "recipient", "notices", "boss").stdout

    def said() -> list[tuple[str, str | None, str | None]]:
        found = json.loads(run(folder, "recipient", "notices", "boss", "--json").stdout)
        return [(one["status"], one["message"], one["day"]) for one in found]

    assert said() == [("held", "digest", day), ("pending", None, None)]
    line.live(2)
    assert said() == [("collected", "digest", day), ("pending", None, None)]


def test_notices_say_what_they_are_about(line: AlertsWorld, receiver: Receiver) -> None:
    """Title, urgency, opaque id, whether it was acknowledged; nothing that concerns them."""
    for name, person in ("boss", "th_boss"), ("eve", an.THERAPIST), ("all", None):
        line.a_recipient(name, receiver.url, person=person)
    noted = an.a_boundary_noted(severity=4, at=an.on(2), concerns=an.THERAPIST)
    line.tell(*cancellations(1), noted)
    line.deliver()

    def said(name: str) -> dict[str, tuple[str | bool | None, ...]]:
        found = json.loads(run(line.folder, "recipient", "notices", name, "--json").stdout)
        names = ("title", "urgency", "client", "acknowledged")
        return {one["rule"]: tuple(one[name] for name in names) for one in found}

    plain = {one["rule"]: (one["title"], one["urgency"], an.CLIENT) for one in line.shown()}
    assert len(plain) == 2
    assert said("boss") == {rule: (*told, False) for rule, told in plain.items()}
    assert said("all") == {rule: (*told, None) for rule, told in plain.items()}
    cancelled = line.the_alert()
    assert said("eve") == {cancelled["rule"]: (*plain[cancelled["rule"]], False)}
    key = line.a_key("read", "act", person="th_boss")
    path = f"/v1/alerts/{cancelled['id']}"
    seen = key | {"If-Match": line.get(path, key).headers["ETag"]}
    assert line.post(f"{path}/acknowledge", {}, seen).status_code == 202
    line.settle()
    assert [one[-1] for one in said("boss").values()] == [False, True]
    shown = run(line.folder, "recipient", "notices", "boss").stdout
    assert cancelled["title"] in shown
    line.tell(an.a_correction(noted, concerns="th_boss", at=an.on(4)))
    assert list(said("boss")) == list(said("eve")) == [cancelled["rule"]]


def test_what_is_in_force_is_said(folder: Path) -> None:
    """Of one rule at a clinic, for people and for programs; an unknown rule is refused."""
    asked = ("rules", "in-force", "therapist-cancellations", "--clinic", an.CLINIC)
    (rule,) = json.loads(run(folder, *asked, "--json").stdout)["rules"]
    assert (rule["mode"], rule["because"]) == ("on", "sends")
    shown = run(folder, *asked).stdout
    assert "its systems send what is needed" in shown
    assert rule["event"] in shown
    assert len(run(folder, "rules", "in-force").stdout.splitlines()) > len(EVERY_RULE)
    assert run(folder, "rules", "in-force", "none").exit_code == 2

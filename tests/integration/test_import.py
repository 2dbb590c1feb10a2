"""``rapport import``: good rows go in, bad rows come back with reasons, repeating is safe."""

import base64
import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.support.accounts import SECRET_KEY
from tests.support.front_door import FrontDoor, a_rating
from tests.support.kafka_broker import KafkaBroker

RATING = {
    "type": "rating.given",
    "subject": "c-1024",
    "time": "2026-05-01T10:00:00+02:00",
    "clinic": "north",
    "instrument": "srs-3",
    "rater": "client",
    "items.1": "9",
    "items.2": "8",
    "items.3": "8",
    "items.4": "9",
}


class Desk:
    """A folder with data and files, and the command as an operator runs it."""

    def __init__(self, folder: Path, **settings: str) -> None:
        """Set up an organisation with the source ``ehr``; settings as ``FrontDoor`` takes them."""
        self.folder = folder
        self.door = FrontDoor(folder / "data", **settings)
        given = {f"RAPPORT_{name}": text for name, text in settings.items()}
        self.environment = {
            **os.environ,  # noqa: TID251 - a child of the test.
            "RAPPORT_DATA_DIR": str(folder / "data"),
            **given,
        }

    def table(self, rows: Sequence[Mapping[str, str]], name: str = "history.csv") -> Path:
        """Write a table; its columns are those of all rows."""
        columns = list(dict.fromkeys(column for row in rows for column in row))
        path = self.folder / name
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
        return path

    def run(self, file: Path, *options: str) -> subprocess.CompletedProcess[str]:
        """Import a file from the source ``ehr``."""
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "services.cli",
                "import",
                str(file),
                "--source",
                "ehr",
                *options,
            ],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Yield a desk."""
    made = Desk(tmp_path)
    yield made
    made.door.close()


def test_a_table_goes_in_as_backfill_from_its_source(desk: Desk) -> None:
    """Rows become facts with the source's own URN, marked as history; the summary says so."""
    done = desk.run(desk.table([RATING, {**RATING, "id": "r-2", "subject": "c-2"}]), "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["accepted"], said["rejected"], said["rejects"]) == (2, 0, None)
    assert "2 accepted, 0 rejected" in done.stderr
    events = [envelope.event for envelope in desk.door.envelopes()]
    assert {event.source for event in events} == {"urn:source:ehr"}
    assert all(event.backfill for event in events)
    assert events[0].data["items"] == {"1": 9, "2": 8, "3": 8, "4": 9}


def test_good_rows_go_in_and_bad_rows_come_back_with_reasons(desk: Desk) -> None:
    """The rejects file has line and reason; mended, it is imported as it is."""
    file = desk.table([RATING, {**RATING, "items.1": "99"}, {**RATING, "time": "1 May"}])
    done = desk.run(file)
    assert done.returncode == 1
    assert "1 accepted, 2 rejected" in done.stderr
    rejects = Path(f"{file}.rejects.csv")
    assert str(rejects) in done.stderr
    with rejects.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert [row["rejected_line"] for row in rows] == ["3", "4"]
    assert rows[0]["rejected_reason"].startswith("items.1: an answer lies between 0 and 10")
    assert rows[1]["rejected_reason"].startswith("time: Send an RFC 3339 time")
    assert rejects.stat().st_mode & 0o077 == 0
    rejects.write_text(
        rejects.read_text().replace(",99,", ",7,").replace("1 May", "2026-05-02T10:00:00Z")
    )
    mended = desk.run(rejects)
    assert (mended.returncode, "2 accepted" in mended.stderr) == (0, True), mended.stderr
    assert len(desk.door.envelopes()) == 3


def test_importing_again_makes_no_second_event(desk: Desk) -> None:
    """A row without an id is named by its content, whatever column it stands in."""
    first = desk.run(desk.table([RATING]))
    turned = dict(reversed(RATING.items())) | {"items.1": "9.0"}
    second = desk.run(desk.table([turned, turned], "again.csv"))
    assert first.returncode == second.returncode == 0
    envelopes = desk.door.envelopes()
    assert len(envelopes) == 3
    assert len({envelope.id for envelope in envelopes}) == 1
    assert len({envelope.content for envelope in envelopes}) == 1


def test_ndjson_has_one_cloudevent_a_line(desk: Desk) -> None:
    """The same event by webhook and by import is one event; what is broken breaks alone."""
    desk.door.post(a_rating())
    file = desk.folder / "history.ndjson"
    lines = [json.dumps(a_rating()), "", "{broken", json.dumps(a_rating(id="e-2", x="y")), "7"]
    file.write_text("\n".join(lines))
    done = desk.run(file, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["ignored"] == 1
    rejects = Path(f"{file}.rejects.ndjson").read_text().splitlines()
    assert [json.loads(line)["rejected_line"] for line in rejects] == [3, 5]
    assert {envelope.event.id for envelope in desk.door.envelopes()} == {"e-1", "e-2"}
    assert len({envelope.content for envelope in desk.door.envelopes()}) == 1


def test_a_broken_row_breaks_no_other(desk: Desk) -> None:
    """An open quote, a missing cell, bytes that are no UTF-8: each is rejected by itself."""
    file = desk.table([RATING, RATING, RATING, RATING, RATING])
    lines = file.read_bytes().splitlines()
    lines[2] = b'"' + lines[2]
    lines[3] = lines[3].rpartition(b",")[0]
    lines[4] = lines[4].replace(b"c-1024", b"c-\xff")
    file.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(lines))
    done = desk.run(file)
    assert "2 accepted, 3 rejected" in done.stderr
    rejects = Path(f"{file}.rejects.csv").read_bytes().splitlines()
    assert [line.split(b",")[0] for line in rejects[1:]] == [b"3", b"4", b"5"]
    assert rejects[3].endswith(lines[4].split(b",", 1)[1])


def test_narrative_is_refused_wherever_a_table_brings_it(desk: Desk) -> None:
    """A column that no field has is no place for notes."""
    done = desk.run(desk.table([{**RATING, "notes": "a bad day"}]))
    assert done.returncode == 1
    assert desk.door.records() == []


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("bundle.json", '{"resourceType": "Bundle"}', "FHIR"),
        ("history.xlsx", "", ".ndjson"),
        ("history.csv", "subject,clinic\nc,n\n", "missing: type, time"),
        ("history.csv", "", "missing: type, time"),
        ("history.csv", "type,time,type\n", "twice: type"),
    ],
)
def test_what_is_no_file_of_history_is_a_usage_error(
    desk: Desk, name: str, content: str, says: str
) -> None:
    """Exit code 2, with one sentence that says what to do."""
    file = desk.folder / name
    file.write_text(content)
    done = desk.run(file)
    assert done.returncode == 2
    assert says in done.stderr


def test_an_unknown_source_is_a_usage_error(desk: Desk) -> None:
    """A file comes from a registered source, or not at all."""
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", "import", str(desk.table([RATING])),
         "--source", "nobody"],
        env=desk.environment,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert desk.door.records() == []


def test_an_import_configures_no_rule(desk: Desk) -> None:
    """What alerts say is changed by a person's key alone."""
    row = {"type": "rule.configured", "time": "2026-06-01T11:00:00Z", "rule": "session-gap"}
    done = desk.run(desk.table([row]))
    assert done.returncode == 1
    assert "configure" in Path(f"{desk.folder / 'history.csv'}.rejects.csv").read_text()


@pytest.mark.kafka
def test_a_table_goes_into_a_real_kafka(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    """The same command, the same file, the same events; doubled rows are one event."""
    desk = Desk(
        tmp_path,
        **kafka_broker.shared,
        SECRET_KEY=base64.b64encode(SECRET_KEY).decode(),
    )
    rows = [{**RATING, "subject": f"c-{number}"} for number in range(1_200)]
    done = desk.run(desk.table([*rows, *rows[:100], {**RATING, "items.1": "99"}]))
    assert done.returncode == 1
    assert "1300 accepted, 1 rejected" in done.stderr
    mine = [e for e in desk.door.envelopes() if e.organisation == desk.door.ehr.organisation]
    assert len(mine) == 1_300
    assert len({(envelope.id, envelope.content) for envelope in mine}) == 1_200
    desk.door.close()

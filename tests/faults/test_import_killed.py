"""An import that is killed with SIGKILL and run again: nothing lost, nothing doubled."""

import csv
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shared.stream.ports import EVENTS
from tests.support.front_door import FrontDoor

ROWS = 6_000
WITHIN_S = 60

COLUMNS = ("type", "subject", "time", "id", "clinic", "instrument", "rater", "items.1")


@pytest.mark.slow
@pytest.mark.parametrize("named", [True, False], ids=["ids of the sender", "ids from content"])
def test_run_again_after_a_kill_holds_every_row_once(tmp_path: Path, *, named: bool) -> None:
    """However far the first run came, after the second each row is exactly one event."""
    door = FrontDoor(tmp_path / "data")
    file = tmp_path / "history.csv"
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(COLUMNS)
        for number in range(ROWS):
            moment = f"2026-05-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z"
            writer.writerow(["rating.given", f"c-{number % 97}", moment,
                             f"r-{number}" if named else "", "north", "srs-3", "client",
                             number % 11])  # fmt: skip
    command = [sys.executable, "-m", "services.cli", "import", str(file), "--source", "ehr"]
    environment = {**os.environ, "RAPPORT_DATA_DIR": str(tmp_path / "data")}  # noqa: TID251
    first = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + WITHIN_S
    while not _held(door):
        assert time.monotonic() < deadline, "the import never began to write"
        time.sleep(0.01)
    first.kill()
    first.wait()
    before = _held(door)
    assert 0 < before < ROWS
    second = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert f"{ROWS} accepted, 0 rejected" in second.stderr
    envelopes = door.envelopes()
    door.close()
    assert len(envelopes) >= ROWS
    assert len({envelope.id for envelope in envelopes}) == ROWS
    assert len({(envelope.id, envelope.content) for envelope in envelopes}) == ROWS
    assert len({envelope.client for envelope in envelopes}) == 97


def _held(door: FrontDoor) -> int:
    return sum(door.parts.stream.ends(EVENTS).values())

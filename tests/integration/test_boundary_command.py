"""``rapport boundary``: a life told step by step through the front door, and read again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.clock import ManualClock
from tests.support import events as an
from tests.support.commanding import summary, typed
from tests.support.whole import WholeLine

NOTE = ("boundary", "note", "c-1", "--clinic", "north", "--therapist", "t-07", "--area", "gifts",
        "--about", "therapist", "--concerns", "t-07", "--reported-by", "client",
        "--protect-reporter", "--severity", "2", "--source", "files")  # fmt: skip
AT = "2026-01-13T10:00:00Z"


@pytest.fixture
def line(tmp_path: Path) -> Iterator[WholeLine]:
    """Yield an installation on which nothing has happened."""
    made = WholeLine(tmp_path, ManualClock(an.on(20)))
    yield made
    made.close()


def told(line: WholeLine, *words: str) -> Any:
    """Run a command with ``--json``, let it be projected, and return what it printed."""
    found = summary(typed(line, *words, "--json"))
    line.settle()
    return found


def test_a_life_from_noted_to_reopened(line: WholeLine) -> None:
    """Every step that is told stands in the register, under the references it was sent with."""
    noted = told(line, *NOTE, "--ref", "b-1", "--at", AT)
    id, desk = noted["id"], ("--source", "files")
    told(line, "boundary", "assess", id, "--as", "crossing", "--severity", "1", "--by",
         "supervisor", "--aggravator", "pattern", "--at", "2026-01-14T10:00:00Z",
         *desk)  # fmt: skip
    told(line, "boundary", "act", id, "--action", "supervision", "--at", "2026-01-15T10:00:00Z",
         *desk)  # fmt: skip
    told(line, "boundary", "close", id, "--outcome", "upheld", "--at", "2026-01-16T10:00:00Z",
         *desk)  # fmt: skip
    told(line, "boundary", "reopen", id, "--reason", "appeal", "--at", "2026-01-17T10:00:00Z",
         *desk)  # fmt: skip
    life = summary(typed(line, "boundary", "show", id, "--json"))
    assert [step["step"] for step in life["steps"]] == [
        "noted", "assessed", "acted_on", "closed", "reopened"]  # fmt: skip
    assert (life["client"], life["reported_by"]) == (line.client("c-1"), None)
    known = summary(typed(line, "boundary", "show", id, "--role", "governance", "--json"))
    assert known["reported_by"] == "client"
    drawn = typed(line, "boundary", "show", id)
    assert drawn.exit_code == 0, drawn.output
    for word in ("○", "◐", "◑", "●", "↺", "assessment due", "supervision"):
        assert word in drawn.stdout
    assert "gifts, acted on" in typed(line, "boundary", "list").stdout


def test_what_is_said_is_told_whole(line: WholeLine) -> None:
    """Severity 0, and that nothing was discussed, are words like any other; days are said."""
    said = ("--severity", "0", "--harm-psychological", "low", "--not-discussed", "--session", "s1")
    mild = told(line, *NOTE, *said, "--at", AT)["id"]
    life = summary(typed(line, "boundary", "show", mild, "--json"))
    assert (life["severity"], life["harm_psychological"]) == (0, "low")
    assert (life["discussed_with_client"], life["session"]) == (False, "s1")
    told(line, "boundary", "assess", mild, "--as", "crossing", "--severity", "0", "--by",
         "supervisor", "--at", "2026-01-14T10:00:00Z", "--source", "files")  # fmt: skip
    assert summary(typed(line, "boundary", "show", mild, "--json"))["state"] == "assessed"
    grave = told(line, *NOTE, "--severity", "4", "--at", AT)["id"]
    for words in ("list",), ("show", grave):
        assert f"due by the end of {AT[:10]}" in typed(line, "boundary", *words).stdout
    assert summary(typed(line, "boundary", "show", grave, "--json"))["due_on"] == AT[:10]


def test_repeated_with_its_time_it_is_the_same_event(line: WholeLine) -> None:
    """Sending again is safe: the id of the event follows from what it says, and when."""
    first = told(line, *NOTE, "--ref", "b-1", "--at", AT)
    assert told(line, *NOTE, "--ref", "b-1", "--at", AT) == first
    assert len(summary(typed(line, "boundary", "show", first["id"], "--json"))["steps"]) == 1


def test_merging_names_the_other_by_its_id(line: WholeLine) -> None:
    """Of one client alone; the outcome and the other belong together."""
    one = told(line, *NOTE, "--ref", "b-1", "--at", AT)["id"]
    other = told(line, *NOTE, "--ref", "b-2", "--at", AT)["id"]
    merged = ("boundary", "close", one, "--outcome", "merged", "--source", "files")
    assert typed(line, *merged).exit_code == 2
    told(line, *merged, "--into", other)
    assert summary(typed(line, "boundary", "show", one, "--json"))["merged_into"] == other
    assert summary(typed(line, "boundary", "show", other, "--json"))["merged"] == [one]


def test_what_ingest_would_refuse_is_refused(line: WholeLine) -> None:
    """Whom it is about must be said where it is about a member of staff."""
    at = NOTE.index("--concerns")
    words = (*NOTE[:at], *NOTE[at + 2 :])
    refused = typed(line, *words)
    assert refused.exit_code == 1
    assert "concerns" in refused.stderr


def test_unknown_ids_are_said_plainly(line: WholeLine) -> None:
    """No step can be told of a boundary event that is not in the register."""
    nowhere = "5b0a9d0e-6d0c-5f0e-9d58-0e7f4c1f8a55"
    failed = typed(line, "boundary", "reopen", nowhere, "--reason", "error", "--source", "files")
    assert failed.exit_code == 2
    assert "no such boundary event" in failed.stderr

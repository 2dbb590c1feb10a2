"""``rapport rebuild`` beside services that go on: killed, refused, and on Kafka."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import text

from services.cli.simulation import Document, configurations, half_year
from services.projections import read_models
from services.projections.read_models import TIMELINES
from shared.clock import ManualClock
from shared.storage import generations
from tests.support.commanding import started, summary, typed
from tests.support.kafka_broker import KafkaBroker
from tests.support.whole import WholeLine

NOW: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CLIENTS: Final = ("northside-1-03", "riverside-2-09")
STAGES: Final = ("Reading the stream", "Folding clients", "Comparing clients")

Made = Callable[..., WholeLine]


@pytest.fixture(scope="module")
def year() -> list[Document]:
    """Return half a year of a few clients."""
    told = [document for document in half_year(NOW) if document["subject"] in CLIENTS]
    return [*configurations(NOW), *told]


@pytest.fixture
def made(tmp_path: Path, year: list[Document]) -> Iterator[Made]:
    """Yield a way to make lines that have handled most of the year."""
    with ExitStack() as opened:

        def make(**variables: str) -> WholeLine:
            folder = Path(tempfile.mkdtemp(dir=tmp_path))
            line = WholeLine(folder, ManualClock(NOW), **variables)
            opened.callback(line.close)
            line.take(year[:-20])
            line.settle()
            return line

        yield make


def test_killed_at_every_stage_it_comes_to_the_same(made: Made, year: list[Document]) -> None:
    """Killed as each stage begins, while events flow, the next run goes on and switches."""
    line = made()
    rest = list(year[-20:])
    for stage in STAGES:
        process = started(line, "rebuild", "timelines")
        assert process.stderr is not None
        assert any(message.startswith(stage) for message in process.stderr)
        process.kill()
        process.communicate()
        line.take([rest.pop(0), rest.pop(0)])
        line.settle()
    line.take(rest)
    line.settle()
    before = [line.timeline(client) for client in CLIENTS]
    found = summary(typed(line, "rebuild", "timelines", "--json"))
    assert (found["switched"], found["differences"]) == (True, 0)
    assert [line.timeline(client) for client in CLIENTS] == before
    assert rows(line, serving(line)) == rows(line, serving(line) - 1)


def test_beside_kafka_and_postgresql(
    postgres_url: str, kafka_broker: KafkaBroker, made: Made, year: list[Document]
) -> None:
    """A difference stops it with exit code 1; accepted, it serves; a rollback catches up first."""
    line = made(**kafka_broker.shared, database=postgres_url)
    table = read_models.of(1).caseload.tables[0].name
    # The broker is shared: it also holds clients of other tests, of other organisations.
    changed = f"UPDATE {table} SET standing = 'other' WHERE organisation = :ours"  # noqa: S608 - ours.
    with line.database.write() as db:
        db.execute(text(changed), {"ours": line.organisation})
    found = summary(typed(line, "rebuild", "caseload", "--json", "--limit", "1"), code=1)
    assert (found["differences"], found["records_read"] > 0) == (len(CLIENTS), True)
    assert found["listed"][0]["what"] == "caseload"
    assert not found["switched"]
    line.take(year[-20:])
    line.settle()
    done = typed(line, "rebuild", "timelines", "--switch")
    assert done.exit_code == 0, done.output
    assert serving(line) == 2
    done = typed(line, "rebuild", "timelines", "--rollback")
    assert done.exit_code == 0, done.output
    assert serving(line) == 1
    alerts = line.alerts()
    found = summary(typed(line, "rebuild", "alerts", "--json"))
    assert (found["switched"], found["differences"], found["settled"]) == (True, 0, 0)
    line.settle()
    assert line.alerts() == alerts
    state = typed(line, "rebuild").stdout
    assert [row.split()[:3] for row in state.splitlines()[1:]] == [
        ["timelines", "1", "active"],
        ["timelines", "2", "previous"],
        ["alerts", "1", "previous"],
        ["alerts", "2", "active"],
    ]


def test_what_cannot_be_done_is_said(made: Made) -> None:
    """An unknown set, or nothing to go back to, ends with exit code 2 and the way on."""
    line = made()
    unknown = typed(line, "rebuild", "everything")
    assert (unknown.exit_code, "there are: timelines" in unknown.stderr) == (2, True)
    nothing = typed(line, "rebuild", "timelines", "--rollback")
    assert (nothing.exit_code, "was kept" in nothing.stderr) == (2, True)
    for words in (["--rollback"], ["timelines", "--dry-run", "--switch"]):
        assert typed(line, "rebuild", *words).exit_code == 2
    assert typed(line, "rebuild", "timelines", "--dry-run").exit_code == 0
    said = typed(line, "doctor").stdout
    assert "generation 2 is being built (following)" in said
    assert "generation 1 serves; this version made it" in said
    dropped = typed(line, "rebuild", "timelines", "--discard", "--json")
    assert summary(dropped) == {"set": "timelines", "dropped": 2}
    assert "being built" not in typed(line, "doctor").stdout


def serving(line: WholeLine) -> int:
    """Return which generation serves."""
    with line.database.read() as db:
        return generations.active(db, TIMELINES.name)


def rows(line: WholeLine, number: int) -> dict[str, list[str]]:
    """Return everything that a generation holds, by what it is."""
    with line.database.read() as db:
        return {
            what: sorted(
                repr(tuple(row))
                for row in db.execute(text(f"SELECT * FROM {name}"))  # noqa: S608 - ours.
            )
            for what, name in read_models.declared(number).names.items()
        }

"""One real line: a year goes in by the front door; timelines and alerts come out, always the same.

The same documents go in in order, and shuffled and doubled, on both engines and both databases.
"""

import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from services.cli.simulation import PLANTED, Document, configurations, half_year
from shared.clock import ManualClock
from tests.support.kafka_broker import cluster_of
from tests.support.rebuildable import emptied
from tests.support.whole import WholeLine

NOW: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
OTHERS: Final = ("northside-1-01", "riverside-2-09", "hillcrest-1-10")
CLIENTS: Final = (*PLANTED, *OTHERS)

Made = Callable[..., WholeLine]


@pytest.fixture(scope="module")
def year() -> list[Document]:
    """Return half a year of the planted clients and a few others."""
    told = [d for d in half_year(NOW) if d["subject"] in CLIENTS]
    return [*configurations(NOW), *told]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Return a way to make whole lines; the test closes each."""

    def make(**variables: str) -> WholeLine:
        return WholeLine(Path(tempfile.mkdtemp(dir=tmp_path)), ManualClock(NOW), **variables)

    return make


def shuffled_and_doubled(year: Sequence[Document], seed: int) -> list[Document]:
    """Return every document twice, in an order of chance."""
    chance = random.Random(seed)
    twice = [*year, *year]
    chance.shuffle(twice)
    return twice


def told_by(line: WholeLine, year: Sequence[Document]) -> dict[str, str]:
    """Return each client's timeline, mapped back, without what depends on when it was judged."""
    found = {}
    for reference in CLIENTS:
        timeline = line.timeline(reference)
        about = [d for d in year if d.get("subject") in (None, reference)]
        timeline = {k: v for k, v in timeline.items() if k not in ("judged_at", "alerts")}
        found[reference] = line.mapped_back(timeline, about)
    return found


def episodes_of(line: WholeLine) -> list[str]:
    """Return what every alert says that was not retracted, mapped back; its own id aside."""
    said = ("client", "rule", "urgency", "effective_at", "cleared_at", "title", "explanation",
            "numbers", "not_counted", "next_steps", "tell")  # fmt: skip
    return sorted(
        line.mapped_back({name: alert[name] for name in said}, [])
        for alert in line.alerts()
        if alert["state"] != "retracted"
    )


def test_planted_stories_are_found(made: Made, year: list[Document]) -> None:
    """Each planted lapse, decline and boundary event raises its alert; a repaired rupture none."""
    with closing(made()) as line:
        line.take(year)
        line.settle()
        known = {line.client(reference): reference for reference in CLIENTS}
        alerts = line.alerts()
    found: dict[str, set[str]] = {reference: set() for reference in CLIENTS}
    for alert in alerts:
        if alert["client"] in known and alert["cleared_at"] is None:
            found[known[alert["client"]]].add(alert["rule"])
    assert "alliance-decline" in found["northside-1-03"]
    assert "therapist-cancellations" in found["northside-2-05"]
    assert "risk-item" in found["northside-2-08"]
    assert "session-not-held" in found["riverside-1-02"]
    assert "session-gap" in found["hillcrest-1-06"]
    assert "boundary-serious" in found["hillcrest-2-01"]
    assert "boundary-unassessed" in found["hillcrest-2-09"]
    assert found["riverside-1-07"] == set()


@pytest.mark.parametrize(
    ("stream", "database"),
    [
        ("embedded", "sqlite"),
        pytest.param("embedded", "postgres", marks=pytest.mark.postgres),
        pytest.param("kafka", "sqlite", marks=pytest.mark.kafka),
        pytest.param("kafka", "postgres", marks=[pytest.mark.kafka, pytest.mark.postgres]),
    ],
)
def test_order_and_repetition_change_nothing(
    request: pytest.FixtureRequest,
    made: Made,
    year: list[Document],
    stream: str,
    database: str,
) -> None:
    """Shuffled and doubled, the same year gives the same timelines and episodes, to the byte."""
    with closing(made()) as plain:
        plain.take(year)
        plain.settle()
        timelines, episodes = told_by(plain, year), episodes_of(plain)
    variables: dict[str, str] = {}
    if stream == "kafka":
        variables["stream"] = f"kafka://{request.getfixturevalue('own_broker')}"
    if database == "postgres":
        variables["database"] = request.getfixturevalue("postgres_url")
    with closing(made(**variables)) as other:
        other.take(shuffled_and_doubled(year, seed=7))
        other.settle()
        assert told_by(other, year) == timelines
        assert episodes_of(other) == episodes


@pytest.fixture
def own_broker(kafka_broker: Any, tmp_path: Path) -> Iterator[str]:
    """Yield the address of a broker that no other test writes to."""
    broker = cluster_of(tmp_path / "kafka")[0]
    yield broker.address
    broker.stop()


def test_reading_the_stream_again_tells_nobody_anything(made: Made, year: list[Document]) -> None:
    """After every rebuildable table is lost, the same stream gives not one new step or notice."""
    with closing(made()) as line:
        line.recipients.add(
            line.organisation, "all", role="leadership", url="http://127.0.0.1:9/nobody-listens"
        )
        line.take(year)
        line.settle()
        before = Counter(ledger_of(line))
        assert before
        forget(line)
        line.restart()
        line.settle()
        assert Counter(ledger_of(line)) == before
        assert episodes_of(line)


def ledger_of(line: WholeLine) -> list[tuple[Any, ...]]:
    """Return what the ledger holds: which step, which channel, which recipient."""
    with line.database.read() as db:
        rows = db.exec_driver_sql("SELECT alert, step, channel, recipient FROM ledger")
        return [tuple(row) for row in rows]


def forget(line: WholeLine) -> None:
    """Empty every table that the stream can fill again."""
    with line.database.write() as db:
        emptied(db)

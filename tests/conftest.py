"""Fixtures for everybody: a real Kafka, a real PostgreSQL, and both engines of the stream.

Where a machine has no Java or Maven, the tests that need them are skipped, and one loud line at
the end says what was not tested and how to get it. Under ``CI=true`` missing means failure.
"""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn, TypeVar

import pytest

from shared.stream.ports import Stream
from tests.faults.parts.postgres import BreakablePostgres
from tests.support.engines import EmbeddedEngine, Engine, KafkaEngine
from tests.support.kafka_broker import KafkaBroker, cluster_of
from tests.support.missing import Missing
from tests.support.postgres import PostgresServer

_Server = TypeVar("_Server")

NOT_TESTED = pytest.StashKey[dict[str, str]]()


@pytest.fixture(scope="session")
def kafka_broker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KafkaBroker]:
    """Yield a running broker that all tests share, so that nobody may stop it."""
    folder = tmp_path_factory.mktemp("kafka")
    broker = _started(request.config, "Kafka", lambda: cluster_of(folder)[0])
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def breakable_broker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KafkaBroker]:
    """Yield a running broker that a test may kill, as long as it starts it again."""
    folder = tmp_path_factory.mktemp("breakable-kafka")
    broker = _started(request.config, "Kafka", lambda: cluster_of(folder)[0])
    yield broker
    broker.stop()


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """Yield each engine in turn, with empty topics of this test's own."""
    if request.param == "kafka":
        broker: KafkaBroker = request.getfixturevalue("kafka_broker")
        made: Engine = KafkaEngine(broker.address)
    else:
        made = EmbeddedEngine(tmp_path / "stream.db")
    made.stream.create_topics()
    yield made
    made.stream.close()


@pytest.fixture
def stream(engine: Engine) -> Stream:
    """Return the stream of ``engine``: a test that asks for it runs on each engine in turn."""
    return engine.stream


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """Yield a running PostgreSQL that all tests share."""
    server = _started(request.config, "PostgreSQL", lambda: PostgresServer(forgetful=True))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def breakable_postgres(request: pytest.FixtureRequest) -> Iterator[BreakablePostgres]:
    """Yield a running PostgreSQL that a test may harm, as long as it answers again afterwards."""
    server = _started(request.config, "PostgreSQL", BreakablePostgres)
    yield server
    server.close()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """Yield the SQLAlchemy URL of an empty database of this test's own."""
    with postgres_server.database(f"test_{uuid.uuid4().hex}") as url:
        yield url


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say loudly, in one line each, what could not be tested."""
    for name, reason in config.stash.get(NOT_TESTED, {}).items():
        terminalreporter.write_line(
            f"NOT TESTED with a real {name}: {reason}", red=True, bold=True
        )


def _started(config: pytest.Config, name: str, start: Callable[[], _Server]) -> _Server:
    not_tested = config.stash.setdefault(NOT_TESTED, {})
    if name in not_tested:
        _cannot(name, not_tested[name])
    try:
        return start()
    except Missing as missing:
        not_tested[name] = str(missing)
        _cannot(name, str(missing))


def _cannot(name: str, reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":  # noqa: TID251 - pytest's own switch, none of Rapport's.
        pytest.fail(f"a real {name} is needed under CI=true: {reason}")
    pytest.skip(f"no real {name}: {reason}")

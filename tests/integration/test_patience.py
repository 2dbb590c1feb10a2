"""A PostgreSQL that stands still is one that is away: limits on every wait, and few who wait."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from sqlalchemy import text

from shared.errors import DatabaseUnavailable
from shared.storage.engine import CONNECT_TIMEOUT_S, Database
from shared.storage.migrate import migrate
from shared.storage.patience import PAUSE_S, wait_without_limit
from tests.faults.parts.postgres import BreakablePostgres

ANSWER_WITHIN_S = 1.5
CALLERS = 4
AT_ONCE_S = 0.5

pytestmark = pytest.mark.postgres


@pytest.fixture
def database(breakable_postgres: BreakablePostgres) -> Iterator[Database]:
    """Yield its database, asked with little patience."""
    with closing(Database(breakable_postgres.url, answer_within_s=ANSWER_WITHIN_S)) as made:
        yield made


def asked(database: Database) -> tuple[bool, float]:
    """Ask once; return whether there was an answer, and how long it took."""
    began = time.monotonic()
    try:
        with database.write() as db:
            db.execute(text("SELECT 1"))
    except DatabaseUnavailable:
        return False, time.monotonic() - began
    return True, time.monotonic() - began


def test_a_server_that_stands_still_keeps_nobody_waiting(
    breakable_postgres: BreakablePostgres, database: Database
) -> None:
    """The first wait within their limits, who comes then is told at once; back, it serves all."""
    assert asked(database)[0]
    with breakable_postgres.frozen():
        with ThreadPoolExecutor(CALLERS) as pool:
            first = list(pool.map(asked, [database] * CALLERS))
        assert not any(answered for answered, _ in first)
        assert max(took for _, took in first) < ANSWER_WITHIN_S + CONNECT_TIMEOUT_S + AT_ONCE_S
        told = [asked(database) for _ in range(CALLERS)]
        assert max(took for _, took in told) < AT_ONCE_S
    deadline = time.monotonic() + ANSWER_WITHIN_S + CONNECT_TIMEOUT_S + PAUSE_S + AT_ONCE_S
    while not asked(database)[0]:
        assert time.monotonic() < deadline, "it answers, and is not asked"
        time.sleep(0.05)
    assert all(answered for answered, _ in [asked(database) for _ in range(CALLERS)])


def test_a_server_that_was_killed_is_asked_as_soon_as_it_is_back(
    breakable_postgres: BreakablePostgres, database: Database
) -> None:
    """What fails at once holds nobody up afterwards."""
    assert asked(database)[0]
    with breakable_postgres.away():
        answered, took = asked(database)
        assert not answered
        assert took < AT_ONCE_S
    assert asked(database)[0]


def test_a_slow_statement_is_broken_off_and_a_migration_is_not(database: Database) -> None:
    """A statement that outlasts the limit is away; what was given time takes it."""
    migrate(database)
    slow = text("SELECT pg_sleep(:seconds)")
    with database.write() as db:
        wait_without_limit(db)
        db.execute(slow, {"seconds": ANSWER_WITHIN_S * 1.5})
    with pytest.raises(DatabaseUnavailable), database.write() as db:
        db.execute(slow, {"seconds": ANSWER_WITHIN_S * 3})

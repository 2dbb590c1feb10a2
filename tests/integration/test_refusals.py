"""What is kept of refusals: bounded in number, in time and in rate, on both databases."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from services.ingest.refusals import KEPT_PER_SOURCE, PER_REQUEST, Refusals, Trouble
from shared.clock import ManualClock
from shared.storage import kept
from shared.storage.engine import Database
from tests.support.accounts import Office
from tests.support.databases import DIALECTS, migrated, url_of
from tests.support.front_door import NOW

MANY = [Trouble("refused", f"/{number}/time", "not_a_time") for number in range(50)]


@pytest.fixture(params=DIALECTS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database."""
    return url_of(request, tmp_path)


@pytest.fixture
def db(url: str) -> Iterator[Database]:
    """Yield it with its tables."""
    with migrated(url) as database:
        yield database


def count(db: Database, source: str) -> int:
    """Return how many are kept of a source."""
    table = kept.refusals
    with db.read() as connection:
        found = connection.scalar(
            select(func.count()).select_from(table).where(table.c.source == source)
        )
    return found or 0


def test_refusals_are_kept_within_their_limits(db: Database, url: str) -> None:
    """The first of a request, at most once a second, the newest thousand, for thirty days."""
    office = Office(db)
    organisation = office.an_organisation()
    source = office.a_source(organisation)
    other = office.a_source(organisation, "other")
    clock = ManualClock(NOW)
    refusals = Refusals(url, clock)
    refusals.record(organisation, source, MANY)
    refusals.record(organisation, source, MANY)
    assert count(db, source) == PER_REQUEST
    refusals.record(organisation, other, MANY[:1])
    assert count(db, other) == 1
    for _ in range(KEPT_PER_SOURCE // PER_REQUEST + 2):
        clock.advance(timedelta(seconds=1))
        refusals.record(organisation, source, MANY)
    assert count(db, source) == KEPT_PER_SOURCE
    clock.advance(timedelta(days=31))
    refusals.record(organisation, source, MANY[:1])
    assert count(db, source) == 1
    assert count(db, other) == 1
    refusals.close()


def test_nothing_is_kept_of_nothing(db: Database, url: str) -> None:
    """A request without trouble writes nothing."""
    refusals = Refusals(url, ManualClock(NOW))
    refusals.record("org", "src", [])
    assert count(db, "src") == 0
    refusals.close()

"""What the tests of reading share: a database of each dialect, and a world in which nothing is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.storage.engine import Database
from tests.support.databases import DIALECTS, migrated, url_of
from tests.support.projected import World


@pytest.fixture(params=DIALECTS)
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Yield a migrated database."""
    with migrated(url_of(request, tmp_path)) as opened:
        yield opened


@pytest.fixture
def world(db: Database, tmp_path: Path) -> Iterator[World]:
    """Yield a world in which nothing has happened."""
    made = World(db, tmp_path)
    yield made
    made.close()

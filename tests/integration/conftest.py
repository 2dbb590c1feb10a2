"""What tests share: a database of each dialect, a world to read in, a receiver of notices."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.storage.engine import Database
from tests.support.databases import DIALECTS, migrated, url_of
from tests.support.projected import World
from tests.support.receiver import Receiver, a_receiver


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


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Yield a running receiver of notices."""
    with a_receiver() as running:
        yield running

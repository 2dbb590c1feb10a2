"""The doors of a database: what is one transaction, and what is one question."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from shared.errors import Refused
from shared.storage import kept
from shared.storage.engine import Database
from tests.support.databases import DIALECTS, migrated, url_of

ROW = {"name": "tried", "value": "1"}


@pytest.fixture(params=DIALECTS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Yield a migrated database."""
    with migrated(url_of(request, tmp_path)) as opened:
        yield opened


def count(database: Database) -> int:
    """Ask how many facts about the installation there are."""
    with database.ask() as db:
        return int(db.scalar(select(func.count()).select_from(kept.installation)) or 0)


def broken_off(database: Database) -> None:
    """Write, and fail before the end."""
    with database.write() as db:
        db.execute(insert(kept.installation), ROW)
        raise Refused(())


def test_a_transaction_after_a_question_is_rolled_back_whole(database: Database) -> None:
    """A connection that answered one statement alone is in a transaction when it writes."""
    before = count(database)
    with pytest.raises(Refused):
        broken_off(database)
    assert count(database) == before


def test_a_question_sees_what_was_committed(database: Database) -> None:
    """What a transaction committed is in the next answer."""
    before = count(database)
    with database.write() as db:
        db.execute(insert(kept.installation), ROW)
    assert count(database) == before + 1

"""Databases for tests that must hold on SQLite and on PostgreSQL alike."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.storage.engine import Database
from shared.storage.migrate import migrate

DIALECTS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
"""Parameters of a fixture that hands its request to ``url_of``."""


def url_of(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database of the dialect that the parameter names."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path)
    url: str = request.getfixturevalue("postgres_url")
    return url


def sqlite_url(folder: Path) -> str:
    """Return the URL of Rapport's SQLite file in a folder."""
    return f"sqlite:///{folder / 'rapport.db'}"


@contextmanager
def migrated(url: str) -> Iterator[Database]:
    """Open a database that has the kept tables."""
    database = Database(url)
    try:
        migrate(database)
        yield database
    finally:
        database.close()

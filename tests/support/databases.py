"""Databases for tests that must hold on SQLite and on PostgreSQL alike."""

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from shared.storage.engine import Database
from shared.storage.migrate import migrate

SQLITE: Final = "sqlite:///"
FILE: Final = "rapport.db"

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
    return f"{SQLITE}{folder / FILE}"


@contextmanager
def migrated(url: str) -> Iterator[Database]:
    """Open a database that has the kept tables."""
    file = Path(url.removeprefix(SQLITE))
    fresh = url.startswith(SQLITE) and not file.exists()
    if fresh:
        shutil.copyfile(_migrated_file(), file)
    database = Database(url)
    try:
        if not fresh:
            migrate(database)
        yield database
    finally:
        database.close()


@cache
def _migrated_file() -> Path:
    """Migrate one SQLite file for all tests of this process: they copy it."""
    folder = Path(tempfile.mkdtemp(prefix="rapport-migrated-"))
    atexit.register(shutil.rmtree, folder)
    with closing(Database(sqlite_url(folder))) as database:
        migrate(database)
    return folder / FILE

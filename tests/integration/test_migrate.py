"""Migrations, on SQLite and PostgreSQL: the database becomes what the program says it is."""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, UniqueConstraint, inspect, text

import services.alerts
import services.ingest
import services.projections
import shared
from shared.errors import ConfigurationError
from shared.storage.engine import Database
from shared.storage.kept import KEPT
from shared.storage.migrate import migrate, pending
from tests.support.databases import DIALECTS, migrated, url_of
from tests.support.together import run_together

START_TOGETHER = 6


@pytest.fixture(params=DIALECTS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database."""
    return url_of(request, tmp_path)


def test_a_migrated_database_is_what_the_metadata_says(url: str) -> None:
    """Alembic finds no difference between the scripts' result and every kept table."""
    with migrated(url) as database, database.read() as db:
        context = MigrationContext.configure(
            db, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, _every_kept_table()) == []


def test_migrating_again_does_nothing(url: str) -> None:
    """A second run leaves a database at head, with what it holds."""
    with migrated(url) as database:
        with database.write() as db:
            db.execute(text("INSERT INTO installation (name, value) VALUES ('a', 'b')"))
        migrate(database)
        assert pending(database) is None
        with database.read() as db:
            assert db.scalar(text("SELECT value FROM installation")) == "b"


def test_processes_that_start_together_migrate_once(url: str) -> None:
    """Of several processes on one empty database, all find it at head and none fails."""
    script = (
        "import sys\n"
        "from shared.storage.engine import Database\n"
        "from shared.storage.migrate import migrate, pending\n"
        "database = Database(sys.argv[1])\n"
        "# go\n"
        "migrate(database)\n"
        "print(pending(database))\n"
    )
    assert run_together(script, [url], START_TOGETHER) == ["None\n"] * START_TOGETHER


def test_a_database_from_the_future_is_left_alone(url: str) -> None:
    """An older program refuses a newer database, and says what to do."""
    with migrated(url) as database:
        with database.write() as db:
            db.execute(text("UPDATE alembic_version SET version_num = '9999_later'"))
        with pytest.raises(ConfigurationError, match=r"9999_later.*start the newer version"):
            migrate(database)


def test_the_organisation_comes_first_in_every_key() -> None:
    """No key and no unique constraint could let two organisations meet."""
    tables = _every_kept_table().sorted_tables
    of_the_installation = {"installation", "organisations", "generations"}
    for table in tables:
        if table.name in of_the_installation:
            continue
        unique = [c for c in table.constraints if isinstance(c, UniqueConstraint)]
        for constraint in [table.primary_key, *unique]:
            assert next(iter(constraint.columns)).name == "organisation", constraint
        assert not [index for index in table.indexes if index.unique], table.name


def test_a_failed_step_leaves_nothing_behind(url: str) -> None:
    """All steps are one transaction: a database that could not be migrated is as it was."""
    database = Database(url)
    with database.write() as db:
        db.execute(text("CREATE TABLE registry (id INTEGER)"))
    with pytest.raises(Exception, match="registry"):
        migrate(database)
    with database.read() as db:
        assert inspect(db).get_table_names() == ["registry"]
    database.close()


def _every_kept_table() -> MetaData:
    """Import whatever may define a kept table; importing does nothing else."""
    for package in (shared, services.alerts, services.ingest, services.projections):
        for name in _modules(package):
            importlib.import_module(name)
    return KEPT


def _modules(package: ModuleType) -> Iterator[str]:
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__"):
            yield module.name

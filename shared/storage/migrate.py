"""Bring the kept tables to the form that this version of the program knows.

The scripts are package data beside this file, so that an installed wheel migrates itself. A
published script never changes; a mistake is mended by the next one.
"""

import threading

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select

from shared.errors import ConfigurationError
from shared.storage.engine import Database
from shared.storage.patience import wait_without_limit

SCRIPTS = "shared.storage:migrations"
LOCK_ID = 0x5241_5050_4F52_5401
"""Names the advisory lock of PostgreSQL (``RAPPORT`` in ASCII, then 1)."""

_one_at_a_time = threading.Lock()
# Alembic hands its context to env.py through module-level names, which threads would share.


def migrate(db: Database) -> None:
    """Bring the database to head; does nothing where it is there already.

    Safe when several processes start together: one migrates under a lock, the others wait and
    find nothing left to do. All steps are one transaction.

    Raises:
        ConfigurationError: when the database was migrated by a newer version of the program.
        DatabaseUnavailable: when the database does not answer.
    """
    if pending(db) is None:
        return
    with _one_at_a_time, db.write() as connection:
        wait_without_limit(connection)
        if connection.dialect.name == "postgresql":
            # SQLite needs nothing: every write transaction is BEGIN IMMEDIATE.
            connection.execute(select(func.pg_advisory_xact_lock(LOCK_ID)))
        if _pending(connection) is not None:
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def pending(db: Database) -> str | None:
    """Return the revision that the database still has to reach; None when it is there.

    Raises:
        ConfigurationError: when the database was migrated by a newer version of the program.
        DatabaseUnavailable: when the database does not answer.
    """
    with db.read() as connection:
        return _pending(connection)


def _pending(connection: Connection) -> str | None:
    scripts = ScriptDirectory.from_config(_config())
    head = scripts.get_current_head()
    found = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in scripts.walk_revisions()}
    if found is not None and found not in known:
        raise ConfigurationError(
            [
                f"RAPPORT_DATABASE: it is at revision {found}, which this version of Rapport does"
                " not know; start the newer version, or restore the backup made before it"
            ]
        )
    return None if found == head else head


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", SCRIPTS)
    config.set_main_option("path_separator", "os")
    return config

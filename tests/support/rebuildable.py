"""Every table that the stream can fill again, as a new installation has them."""

from collections.abc import Sequence

from sqlalchemy import Connection, MetaData, Table

from services.alerts import tables
from services.alerts.bootstrap import EVERY_RULE
from services.projections import read_models
from shared.storage.engine import Database
from shared.storage.positions import REBUILDABLE
from shared.storage.table_sets import FIRST


def catalogues() -> Sequence[MetaData]:
    """Return where they are declared: positions and leases, and the first generations."""
    first = (tables.declared(FIRST), read_models.declared(FIRST))
    return (REBUILDABLE, *(one.metadata for one in first))


def every_table() -> list[Table]:
    """Return the tables, those first that others stand on."""
    return [table for metadata in catalogues() for table in metadata.sorted_tables]


def prepare(database: Database) -> None:
    """Make them where they are missing, as the services do."""
    read_models.prepare(database)
    tables.prepare(database, EVERY_RULE)


def emptied(db: Connection) -> None:
    """Empty them all."""
    for table in reversed(every_table()):
        db.execute(table.delete())


def dropped(db: Connection) -> None:
    """Drop them all, also those that were never made."""
    for metadata in catalogues():
        metadata.drop_all(db)

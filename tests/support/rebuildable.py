"""Every table that the stream can fill again, as a new installation has them."""

from collections.abc import Sequence

from sqlalchemy import Connection, MetaData

from services.alerts import tables
from services.projections import read_models
from shared.storage.generations import FIRST
from shared.storage.positions import REBUILDABLE


def catalogues() -> Sequence[MetaData]:
    """Return where they are declared: positions and leases, and the first generations."""
    first = (tables.declared(FIRST), read_models.declared(FIRST))
    return (REBUILDABLE, *(one.metadata for one in first))


def emptied(db: Connection) -> None:
    """Empty them all."""
    for metadata in catalogues():
        for table in reversed(metadata.sorted_tables):
            db.execute(table.delete())


def dropped(db: Connection) -> None:
    """Drop them all, also those that were never made."""
    for metadata in catalogues():
        metadata.drop_all(db)

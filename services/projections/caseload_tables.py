"""The tables of the read model ``caseload``."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table

from shared.storage.table_sets import Catalogue

PLACE: Final = ("organisation", "client", "clinic", "therapist")
"""What names a place."""


def rows(catalogue: Catalogue, version: int) -> Table:
    """Declare a row per client; ``since`` is the last held session, or the beginning."""
    return Table(
        catalogue.named("caseload", version),
        catalogue.metadata,
        Column("organisation", String(40), primary_key=True),
        Column("client", String(40), primary_key=True),
        Column("standing", String(16), nullable=False),
        Column("last_held", BigInteger),
        Column("since", BigInteger, nullable=False),
    )


def places(catalogue: Catalogue, version: int) -> Table:
    """Declare where, and with whom, a client is or was in care."""
    name = catalogue.named("caseload_places", version)
    return Table(
        name,
        catalogue.metadata,
        Column("organisation", String(40), primary_key=True),
        Column("client", String(40), primary_key=True),
        Column("clinic", String(64), primary_key=True),
        Column("therapist", String(40), primary_key=True),
        Column("partition", Integer, nullable=False),
        Column("opened_at", BigInteger, nullable=False),
        Column("open", Integer, nullable=False),
        Index(f"{name}_clinic", "organisation", "partition", "clinic"),
        Index(f"{name}_therapist", "organisation", "partition", "therapist"),
    )


def hidden(catalogue: Catalogue, version: int) -> Table:
    """Declare from whom a place is kept: a person, or everybody whose key belongs to one."""
    columns = (Column(name, String(64), primary_key=True) for name in (*PLACE, "person"))
    return Table(catalogue.named("caseload_hidden", version), catalogue.metadata, *columns)


def homes(catalogue: Catalogue, version: int) -> Table:
    """Declare at whom merged clients are read: alerts that name them count there."""
    return Table(
        catalogue.named("caseload_homes", version),
        catalogue.metadata,
        Column("organisation", String(40), primary_key=True),
        Column("client", String(40), primary_key=True),
        Column("read_at", String(40), nullable=False),
    )

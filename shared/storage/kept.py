"""The tables that cannot be rebuilt from the stream: what a backup must hold.

Alembic migrates them (``migrate.py``); read models, facts and positions are not among them. Every
key and unique constraint begins with the organisation (invariant 6); ids that callers name before
the organisation is known (a source, a key) have an index beside it.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

KEPT = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)
"""One MetaData for every such table; the alerts service adds its ledger and notes."""

ID = String(64)
"""Opaque ids, and the names of clinics (refs have at most 64 characters)."""


def _words() -> JSON:
    """Return the type of a sorted list of words; NULL where a list is not given."""
    return JSON(none_as_null=True)


def _organisation() -> Column[str]:
    return Column("organisation", ID, nullable=False)


def _of_organisation() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["organisation"], ["organisations.id"])


def _of(column: str, table: str) -> ForeignKeyConstraint:
    """Return the foreign key to a row of the same organisation."""
    return ForeignKeyConstraint(["organisation", column], [f"{table}.organisation", f"{table}.id"])


def _moment(name: str, *, nullable: bool = False) -> Column[Any]:
    """Return a column for a time, in whole microseconds since 1970."""
    return Column(name, BigInteger, nullable=nullable)


installation = Table(
    "installation",
    KEPT,
    Column("name", String(64), nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("name"),
)
"""Facts about the whole installation: the fingerprint of the secret key."""

organisations = Table(
    "organisations",
    KEPT,
    Column("id", ID, nullable=False),
    Column("name", String(200), nullable=False),
    Column("hmac_key", Text, nullable=False),
    _moment("created_at"),
    PrimaryKeyConstraint("id"),
    UniqueConstraint("name"),
)
"""``hmac_key`` is sealed; references are found by their HMAC under it."""

sources = Table(
    "sources",
    KEPT,
    _organisation(),
    Column("id", ID, nullable=False),
    Column("name", String(64), nullable=False),
    Column("adapter", String(64), nullable=False),
    Column("verification", String(64), nullable=False),
    Column("clinic", ID),
    Column("silent_after_hours", Integer, nullable=False),
    _moment("created_at"),
    PrimaryKeyConstraint("organisation", "id"),
    UniqueConstraint("organisation", "name"),
    _of_organisation(),
    Index(None, "id"),
)

source_secrets = Table(
    "source_secrets",
    KEPT,
    _organisation(),
    Column("source", ID, nullable=False),
    Column("id", ID, nullable=False),
    Column("sealed", Text, nullable=False),
    _moment("created_at"),
    _moment("retires_at", nullable=True),
    PrimaryKeyConstraint("organisation", "source", "id"),
    _of("source", "sources"),
)
"""Several secrets of a source are live at once while one is rotated into the other."""

keys = Table(
    "keys",
    KEPT,
    _organisation(),
    Column("id", ID, nullable=False),
    Column("secret_hash", String(64), nullable=False),
    Column("rights", _words(), nullable=False),
    Column("clinics", _words()),
    Column("person", ID),
    Column("source", ID),
    Column("role", String(32)),
    _moment("created_at"),
    _moment("revoked_at", nullable=True),
    PrimaryKeyConstraint("organisation", "id"),
    _of_organisation(),
    _of("source", "sources"),
    Index(None, "id"),
)
"""``secret_hash`` is the SHA-256 of a secret of 256 random bits; the secret is kept nowhere."""

recipients = Table(
    "recipients",
    KEPT,
    _organisation(),
    Column("id", ID, nullable=False),
    Column("name", String(64), nullable=False),
    Column("role", String(32), nullable=False),
    Column("clinics", _words()),
    Column("person", ID),
    Column("alternate", ID),
    Column("url", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("disabled", Boolean, nullable=False),
    _moment("created_at"),
    PrimaryKeyConstraint("organisation", "id"),
    UniqueConstraint("organisation", "name"),
    _of_organisation(),
    _of("alternate", "recipients"),
)
"""``url`` and ``secret`` are sealed: an address may hold a token."""

registry = Table(
    "registry",
    KEPT,
    _organisation(),
    Column("register", String(2), nullable=False),
    Column("hmac", String(64), nullable=False),
    Column("opaque", ID, nullable=False),
    Column("sealed", Text, nullable=False),
    PrimaryKeyConstraint("organisation", "register", "hmac"),
    UniqueConstraint("organisation", "opaque"),
    _of_organisation(),
)
"""A sender's reference is found by its HMAC; its opaque id is random; the reference is sealed."""

refusals = Table(
    "refusals",
    KEPT,
    _organisation(),
    Column("source", ID, nullable=False),
    Column("id", ID, nullable=False),
    _moment("at"),
    Column("outcome", String(16), nullable=False),
    Column("pointer", String(200), nullable=False),
    Column("code", String(64), nullable=False),
    PrimaryKeyConstraint("organisation", "source", "id"),
    _of("source", "sources"),
    Index(None, "organisation", "source", "at"),
)
"""What was refused or ignored lately: best effort and bounded, never a value."""

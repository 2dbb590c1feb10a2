"""Organisations, sources, keys, recipients, the registry and the refusals."""

import sqlalchemy as sa
from alembic import op

revision = "0001_accounts"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.String(64)


def upgrade() -> None:
    """Create the tables."""
    _installation_and_organisations()
    _sources()
    _keys()
    _recipients()
    _registry()


def _installation_and_organisations() -> None:
    op.create_table(
        "installation",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_installation"),
    )
    op.create_table(
        "organisations",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("hmac_key", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_organisations"),
        sa.UniqueConstraint("name", name="uq_organisations_name"),
    )


def _sources() -> None:
    op.create_table(
        "sources",
        sa.Column("organisation", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("adapter", sa.String(64), nullable=False),
        sa.Column("verification", sa.String(64), nullable=False),
        sa.Column("clinic", ID),
        sa.Column("silent_after_hours", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("organisation", "id", name="pk_sources"),
        sa.UniqueConstraint("organisation", "name", name="uq_sources_organisation_name"),
        _of_organisation("sources"),
    )
    op.create_index("ix_sources_id", "sources", ["id"])
    op.create_table(
        "source_secrets",
        sa.Column("organisation", ID, nullable=False),
        sa.Column("source", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("retires_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("organisation", "source", "id", name="pk_source_secrets"),
        _of_source("source_secrets"),
    )
    op.create_table(
        "refusals",
        sa.Column("organisation", ID, nullable=False),
        sa.Column("source", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("pointer", sa.String(200), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("organisation", "source", "id", name="pk_refusals"),
        _of_source("refusals"),
    )
    op.create_index(
        "ix_refusals_organisation_source_at", "refusals", ["organisation", "source", "at"]
    )


def _keys() -> None:
    op.create_table(
        "keys",
        sa.Column("organisation", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("rights", sa.JSON, nullable=False),
        sa.Column("clinics", sa.JSON),
        sa.Column("person", ID),
        sa.Column("source", ID),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("organisation", "id", name="pk_keys"),
        _of_organisation("keys"),
        _of_source("keys"),
    )
    op.create_index("ix_keys_id", "keys", ["id"])


def _recipients() -> None:
    op.create_table(
        "recipients",
        sa.Column("organisation", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("clinics", sa.JSON),
        sa.Column("person", ID),
        sa.Column("alternate", ID),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("organisation", "id", name="pk_recipients"),
        sa.UniqueConstraint("organisation", "name", name="uq_recipients_organisation_name"),
        _of_organisation("recipients"),
        sa.ForeignKeyConstraint(
            ["organisation", "alternate"],
            ["recipients.organisation", "recipients.id"],
            name="fk_recipients_organisation_alternate",
        ),
    )


def _registry() -> None:
    op.create_table(
        "registry",
        sa.Column("organisation", ID, nullable=False),
        sa.Column("register", sa.String(2), nullable=False),
        sa.Column("hmac", sa.String(64), nullable=False),
        sa.Column("opaque", ID, nullable=False),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("organisation", "register", "hmac", name="pk_registry"),
        sa.UniqueConstraint("organisation", "opaque", name="uq_registry_organisation_opaque"),
        _of_organisation("registry"),
    )


def _of_organisation(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["organisation"], ["organisations.id"], name=f"fk_{table}_organisation"
    )


def _of_source(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["organisation", "source"],
        ["sources.organisation", "sources.id"],
        name=f"fk_{table}_organisation_source",
    )

"""Alerts of one absence are one group: whoever is told of one is told of the others by it."""

import sqlalchemy as sa
from alembic import op

revision = "0008_groups"
down_revision = "0007_digests"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; what was told before belongs to no group."""
    op.add_column("ledger", sa.Column("group_id", sa.String(36)))
    op.add_column("ledger", sa.Column("under", sa.String(36)))
    op.create_index("ix_ledger_organisation_group_id", "ledger", ["organisation", "group_id"])
    op.create_index("ix_ledger_organisation_under", "ledger", ["organisation", "under"])

"""Whoever reads for one of the clinics of an alert is told of it, also in a message of many."""

import sqlalchemy as sa
from alembic import op

revision = "0009_clinics"
down_revision = "0008_groups"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; steps from before are of the one clinic that their body names."""
    op.add_column("ledger_steps", sa.Column("clinics", sa.JSON()))

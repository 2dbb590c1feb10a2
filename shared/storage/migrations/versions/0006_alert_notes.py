"""Short notes on alerts: sealed, erasable, on no topic."""

import sqlalchemy as sa
from alembic import op

revision = "0006_alert_notes"
down_revision = "0005_key_roles"
branch_labels = None
depends_on = None

ID = sa.String(64)


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "alert_notes",
        sa.Column("organisation", ID, nullable=False),
        sa.Column("alert", sa.String(36), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("author", ID, nullable=False),
        sa.Column("written_at", sa.BigInteger, nullable=False),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("organisation", "alert", "id", name="pk_alert_notes"),
    )

"""What came over a daily cap is held, and told in one digest when the day is over."""

import sqlalchemy as sa
from alembic import op

revision = "0007_digests"
down_revision = "0006_alert_notes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; what was told before belongs to no day."""
    op.add_column("ledger", sa.Column("day", sa.String(10)))
    op.add_column("ledger", sa.Column("message", sa.String(36)))
    op.create_index(
        "ix_ledger_organisation_recipient_day", "ledger", ["organisation", "recipient", "day"]
    )
    op.create_index("ix_ledger_organisation_message", "ledger", ["organisation", "message"])

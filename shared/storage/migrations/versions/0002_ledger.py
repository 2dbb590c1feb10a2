"""The ledger: every step of every alert, and who was told of it."""

import sqlalchemy as sa
from alembic import op

revision = "0002_ledger"
down_revision = "0001_accounts"
branch_labels = None
depends_on = None

ID = sa.String(64)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "ledger_steps",
        sa.Column("organisation", ID, nullable=False),
        sa.Column("alert", sa.String(36), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("step", sa.String(128), nullable=False),
        sa.Column("client", ID, nullable=False),
        sa.Column("care", ID, nullable=False),
        sa.Column("therapist", ID, nullable=False),
        sa.Column("rule", ID, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("keys", sa.JSON, nullable=False),
        sa.Column("effective_at", sa.BigInteger, nullable=False),
        sa.Column("cleared_at", sa.BigInteger),
        sa.Column("decided_at", sa.BigInteger, nullable=False),
        sa.Column("escalated_at", sa.BigInteger, nullable=False),
        sa.Column("first_decided_at", sa.BigInteger, nullable=False),
        sa.Column("concerned", sa.JSON, nullable=False),
        sa.Column("hidden", sa.Boolean, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("organisation", "alert", "number", name="pk_ledger_steps"),
        sa.UniqueConstraint("organisation", "id", name="uq_ledger_steps_organisation_id"),
    )
    op.create_index(
        "ix_ledger_steps_organisation_client", "ledger_steps", ["organisation", "client"]
    )
    op.create_table(
        "ledger",
        sa.Column("organisation", ID, nullable=False),
        sa.Column("alert", sa.String(36), nullable=False),
        sa.Column("step", sa.String(128), nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("recipient", ID, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("status", sa.String(24), nullable=False),
        sa.Column("written_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("holder", sa.String(36)),
        sa.Column("held_until", sa.BigInteger),
        sa.Column("settled_at", sa.BigInteger),
        sa.PrimaryKeyConstraint(
            "organisation", "alert", "step", "channel", "recipient", name="pk_ledger"
        ),
    )
    op.create_index("ix_ledger_status_channel_due_at", "ledger", ["status", "channel", "due_at"])

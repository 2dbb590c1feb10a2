"""Parked records: what could not be handled, and what people decided about it."""

import sqlalchemy as sa
from alembic import op

revision = "0003_parked"
down_revision = "0002_ledger"
branch_labels = None
depends_on = None

ID = sa.String(64)


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "parked",
        sa.Column("organisation", ID, nullable=False),
        sa.Column("client", ID, nullable=False),
        sa.Column("consumer", ID, nullable=False),
        sa.Column("topic", ID, nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("held", sa.Boolean, nullable=False),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("headers", sa.LargeBinary, nullable=False),
        sa.Column("appended_at", sa.BigInteger, nullable=False),
        sa.Column("parked_at", sa.BigInteger, nullable=False),
        sa.Column("tried_at", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("error", sa.String(64), nullable=False),
        sa.Column("code_place", sa.String(200), nullable=False),
        sa.Column("evicted_at", sa.BigInteger),
        sa.Column("evicted_by", sa.String(64)),
        sa.Column("evicted_because", sa.String(500)),
        sa.PrimaryKeyConstraint(
            "organisation", "client", "consumer", "topic", "partition", "offset", name="pk_parked"
        ),
    )
    op.create_index("ix_parked_consumer_held", "parked", ["consumer", "held"])
    op.create_index("ix_parked_state", "parked", ["state"])

"""Generations: which tables of a set of read models serve, are built, or are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0004_generations"
down_revision = "0003_parked"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "generations",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("consumer", sa.String(64), nullable=False),
        sa.Column("tables", sa.JSON, nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("cursor", sa.Text, nullable=False),
        sa.Column("holder", sa.String(36)),
        sa.Column("held_until", sa.BigInteger),
        sa.PrimaryKeyConstraint("name", "number", name="pk_generations"),
    )

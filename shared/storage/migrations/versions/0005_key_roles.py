"""Roles of keys: governance and safeguarding may know a protected reporter."""

import sqlalchemy as sa
from alembic import op

revision = "0005_key_roles"
down_revision = "0004_generations"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; a key that is there has no role."""
    op.add_column("keys", sa.Column("role", sa.String(32)))

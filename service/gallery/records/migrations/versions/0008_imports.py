"""Imports of collections that are not finished."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Start without one: every collection is complete."""
    op.add_column("collections", sa.Column("unfinished_import", sa.JSON))

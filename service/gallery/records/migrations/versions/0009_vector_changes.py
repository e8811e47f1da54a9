"""Faces whose vectors a search server is still to get, or to delete."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the table. It stays empty without a search server."""
    op.create_table(
        "vector_changes",
        sa.Column("number", NUMBER, primary_key=True),
        sa.Column("collection", NUMBER, nullable=False),
        sa.Column("face", NUMBER),
        sa.Column("is_deletion", sa.Boolean, nullable=False),
        sa.Column("is_begun", sa.Boolean, nullable=False),
        sa.Column("applied_at", sa.DateTime),
        sqlite_autoincrement=True,
    )
    op.create_index("vector_changes_of_collection", "vector_changes", ["collection"])
    op.create_index("vector_changes_by_time", "vector_changes", ["applied_at", "number"])

"""The first tables: collections, subjects and faces."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Start from an empty database. There is no downgrade: keep a copy of the file if you may need one."""
    op.create_table(
        "collections",
        sa.Column("key", sa.Integer, primary_key=True),
        sa.Column("id", sa.String, nullable=False, unique=True),
        sa.Column("model_id", sa.String),
        sa.Column("dimension", sa.Integer),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.CheckConstraint("(model_id IS NULL) = (dimension IS NULL)"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "subjects",
        sa.Column("key", sa.Integer, primary_key=True),
        sa.Column("collection", sa.Integer, sa.ForeignKey("collections.key", ondelete="CASCADE"), nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("name", sa.String),
        sa.Column("metadata", sa.JSON, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.UniqueConstraint("collection", "id"),
        sa.UniqueConstraint("collection", "key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "faces",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("collection", sa.Integer, nullable=False),
        sa.Column("subject", sa.Integer, nullable=False),
        sa.Column("id", sa.String, nullable=False, unique=True),
        sa.Column("image_sha256", sa.String, nullable=False),
        sa.Column("embedding", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.UniqueConstraint("collection", "image_sha256"),
        sa.ForeignKeyConstraint(["collection", "subject"], ["subjects.collection", "subjects.key"], ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_index("faces_of_subject", "faces", ["collection", "subject"])

"""The first tables: collections, subjects and faces."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


# PostgreSQL would count in 32 bits, and would order ids by its locale.
NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
ID = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Start from an empty database. There is no downgrade: keep a copy of the file if you may need one."""
    op.create_table(
        "collections",
        sa.Column("key", NUMBER, primary_key=True),
        sa.Column("id", ID, nullable=False, unique=True),
        sa.Column("model_id", sa.String),
        sa.Column("dimension", sa.Integer),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.CheckConstraint("(model_id IS NULL) = (dimension IS NULL)"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "subjects",
        sa.Column("key", NUMBER, primary_key=True),
        sa.Column("collection", NUMBER, sa.ForeignKey("collections.key", ondelete="CASCADE"), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("name", ID),
        sa.Column("metadata", sa.JSON, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.UniqueConstraint("collection", "id"),
        sa.UniqueConstraint("collection", "key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "faces",
        sa.Column("number", NUMBER, primary_key=True),
        sa.Column("collection", NUMBER, nullable=False),
        sa.Column("subject", NUMBER, nullable=False),
        sa.Column("id", ID, nullable=False, unique=True),
        sa.Column("image_sha256", ID, nullable=False),
        sa.Column("embedding", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.UniqueConstraint("collection", "image_sha256"),
        sa.ForeignKeyConstraint(["collection", "subject"], ["subjects.collection", "subjects.key"], ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_index("faces_of_subject", "faces", ["collection", "subject"])

"""The tables. A change here needs a revision in `migrations/versions`; a test holds the two together.

`id` is what clients say; `key` and `number` are ours, and are never given again, not even after a deletion.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
    UniqueConstraint,
)


class Utc(TypeDecorator[datetime]):
    """SQLite keeps no time zone: what goes in is UTC, and what comes out says so."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Any) -> datetime | None:  # noqa: ANN401  # not ours
        """Drops the zone, which must be UTC."""
        return value and value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, _dialect: Any) -> datetime | None:  # noqa: ANN401  # not ours
        """Says which zone it is."""
        return value and value.replace(tzinfo=UTC)


METADATA = MetaData()

COLLECTIONS = Table(
    "collections",
    METADATA,
    Column("key", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("model_id", String),
    Column("dimension", Integer),
    Column("created_at", Utc, nullable=False),
    CheckConstraint("(model_id IS NULL) = (dimension IS NULL)"),
    sqlite_autoincrement=True,
)

SUBJECTS = Table(
    "subjects",
    METADATA,
    Column("key", Integer, primary_key=True),
    Column("collection", ForeignKey(COLLECTIONS.c.key, ondelete="CASCADE"), nullable=False),
    Column("id", String, nullable=False),
    Column("name", String),
    Column("metadata", JSON, nullable=False),
    Column("created_at", Utc, nullable=False),
    UniqueConstraint("collection", "id"),
    UniqueConstraint("collection", "key"),  # what a face refers to
    sqlite_autoincrement=True,
)

FACES = Table(
    "faces",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("collection", Integer, nullable=False),
    Column("subject", Integer, nullable=False),
    Column("id", String, nullable=False, unique=True),
    Column("image_sha256", String, nullable=False),
    Column("embedding", LargeBinary, nullable=False),  # float32, little-endian
    Column("created_at", Utc, nullable=False),
    UniqueConstraint("collection", "image_sha256"),
    ForeignKeyConstraint(["collection", "subject"], [SUBJECTS.c.collection, SUBJECTS.c.key], ondelete="CASCADE"),
    Index("faces_of_subject", "collection", "subject"),
    sqlite_autoincrement=True,
)

"""The tables. A change here needs a new file in `migrations/versions`. A test checks that both agree.

In an encrypted gallery, the ids, names and metadata of subjects, the hashes of photographs and the embeddings are
written by a cipher (`encryption/ciphers.py`).

Clients use `id`. The service uses `key` and `number`. A key or a number is never used again, not even after a deletion.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
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

from service.domain.errors import StorageLost


class _Checked:
    """Before a type of SQLAlchemy: a stored value that the type cannot read is damage, and not an error of the code."""

    def result_processor(self, dialect: Any, coltype: Any) -> Callable[[Any], Any]:  # noqa: ANN401  # SQLAlchemy's signature
        """Return what reads a stored value. It raises StorageLost."""
        read = super().result_processor(dialect, coltype)  # type: ignore[misc]  # of the type

        def read_checked(stored: Any) -> Any:  # noqa: ANN401  # whatever is in the file
            try:
                return read(stored)
            except (ValueError, TypeError):
                raise StorageLost("a stored value is damaged") from None

        return read_checked


class Json(_Checked, TypeDecorator[Any]):
    """Any JSON."""

    impl = JSON
    cache_ok = True


class Utc(_Checked, TypeDecorator[datetime]):
    """A time in UTC. SQLite stores no time zone, so it is removed on the way in and added on the way out."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Any) -> datetime | None:  # noqa: ANN401  # SQLAlchemy's signature
        """Remove the time zone, which must be UTC."""
        return value and value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, _dialect: Any) -> datetime | None:  # noqa: ANN401  # SQLAlchemy's signature
        """Add the time zone."""
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
    Column("expires_after_days", Integer),  # NULL: for ever
    Column("data_key", LargeBinary),  # wrapped with the key of the operator. NULL: the records are not encrypted
    Column("calibration", Json(none_as_null=True)),  # of its own: error rates, and nothing of a person
    Column("uses_own_calibration", Boolean),  # NULL: no
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
    Column("metadata", Json, nullable=False),
    Column("created_at", Utc, nullable=False),
    UniqueConstraint("collection", "id"),
    UniqueConstraint("collection", "key"),  # the foreign key of faces refers to it
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
    Index("faces_by_age", "collection", "created_at"),
    sqlite_autoincrement=True,
)

STORAGE = Table(
    "storage",
    METADATA,
    Column("gallery", String, primary_key=True),  # its id, as in the mark of the data directory
    Column("in_use", Boolean, nullable=False),
    Column("needs_rewrite", Boolean, nullable=False),
    Column("rewritten_at", Utc),  # when the last rewrite began
    Column("encryption_key", String),  # the id of the operator's key. NULL: the gallery is not encrypted
)
"""One row, about the database itself. Statements: `storage.py`."""

AUDIT_HEADS = Table(
    "audit_heads",
    METADATA,
    Column("sequence", Integer, primary_key=True),
    Column("hash", LargeBinary, nullable=False),
    Column("noted_at", Utc, nullable=False),
)
"""One row at most: the last line of the audit log that was noted. Statements: `audit.py`."""

KEYS = Table(
    "keys",
    METADATA,
    Column("id", String, primary_key=True),
    Column("label", String),
    Column("digest", LargeBinary, nullable=False),  # of the whole key, keyed with the secret of the service
    Column("secret_id", String, nullable=False),  # which secret
    Column("seal", LargeBinary, nullable=False),  # of what the row allows, keyed with the secret
    Column("scopes", Json, nullable=False),
    Column("collections", Json(none_as_null=True)),  # their ids; NULL: all
    Column("requests_per_minute", Integer),
    Column("images_per_day", Integer),
    Column("created_at", Utc, nullable=False),
    Column("expires_at", Utc),
    Column("revoked_at", Utc),
    Column("replaced_by", String),  # the id of the key that a rotation made
    Column("last_used_at", Utc),
    Column("images_day", String),  # the day, in UTC, that `images_used` is about
    Column("images_used", Integer, nullable=False),
)
"""The access keys, those that have ended too. Statements: `keys.py`."""

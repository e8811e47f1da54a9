"""The tables. A change here needs a new file in `migrations/versions`. A test checks that both agree.

In an encrypted gallery, the ids, names and metadata of subjects, the hashes of photographs, the embeddings and the
crops are written by a cipher (`encryption/ciphers.py`).

Clients use `id`. The service uses `key` and `number`. A key or a number is never used again, not even after a deletion.
A face gets a new number when it gets an embedding by another model. So a number stands for one vector.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
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

    def result_processor(self, dialect: Any, coltype: Any) -> Callable[[Any], Any] | None:  # noqa: ANN401  # SQLAlchemy's signature
        """Return what reads a stored value. It raises StorageLost. None: the driver has read it."""
        read = super().result_processor(dialect, coltype)  # type: ignore[misc]  # of the type

        if read is None:
            return None

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


class TextOfPostgres(TypeDecorator[str]):
    """Any text. PostgreSQL stores no NUL, so the control character ESCAPE and a letter are stored for it.

    Its order is that of the bytes, as in SQLite. Otherwise the pages of a list would depend on a locale.
    """

    impl = String
    cache_ok = True
    ESCAPE = "\x1a"

    def __init__(self) -> None:
        super().__init__(collation="C")

    def process_bind_param(self, value: str | None, _dialect: Any) -> str | None:  # noqa: ANN401  # SQLAlchemy's signature
        """Replace NUL, and what would be read as a NUL."""
        return value and value.replace(self.ESCAPE, f"{self.ESCAPE}e").replace("\0", f"{self.ESCAPE}n")

    def process_result_value(self, value: str | None, _dialect: Any) -> str | None:  # noqa: ANN401  # SQLAlchemy's signature
        """Return the text as it was."""
        return value and value.replace(f"{self.ESCAPE}n", "\0").replace(f"{self.ESCAPE}e", self.ESCAPE)


METADATA = MetaData()

TEXT = String().with_variant(TextOfPostgres(), "postgresql")

NUMBER = BigInteger().with_variant(Integer, "sqlite")
"""64 bits. SQLite counts the rows of a table only in a column of the type INTEGER, which has 64 bits there."""

COLLECTIONS = Table(
    "collections",
    METADATA,
    Column("key", NUMBER, primary_key=True),
    Column("id", TEXT, nullable=False, unique=True),
    Column("model_id", String),
    Column("dimension", Integer),
    Column("created_at", Utc, nullable=False),
    Column("expires_after_days", Integer),  # NULL: for ever
    Column("data_key", LargeBinary),  # wrapped with the key of the operator. NULL: the records are not encrypted
    Column("calibration", Json(none_as_null=True)),  # of its own: error rates, and nothing of a person
    Column("uses_own_calibration", Boolean),  # NULL: no
    Column("unfinished_import", Json(none_as_null=True)),  # how far it is. NULL: the collection is complete
    Column("other_model_id", String),  # the model of the `other_embeddings`. NULL: there are none
    CheckConstraint("(model_id IS NULL) = (dimension IS NULL)"),
    sqlite_autoincrement=True,
)

SUBJECTS = Table(
    "subjects",
    METADATA,
    Column("key", NUMBER, primary_key=True),
    Column("collection", ForeignKey(COLLECTIONS.c.key, ondelete="CASCADE"), nullable=False),
    Column("id", TEXT, nullable=False),
    Column("name", TEXT),
    Column("metadata", Json, nullable=False),
    Column("created_at", Utc, nullable=False),
    UniqueConstraint("collection", "id"),
    UniqueConstraint("collection", "key"),  # the foreign key of faces refers to it
    sqlite_autoincrement=True,
)

FACES = Table(
    "faces",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("collection", NUMBER, nullable=False),
    Column("subject", NUMBER, nullable=False),
    Column("id", TEXT, nullable=False, unique=True),
    Column("image_sha256", TEXT, nullable=False),
    Column("embedding", LargeBinary, nullable=False),  # float32, little-endian
    Column("created_at", Utc, nullable=False),
    UniqueConstraint("collection", "image_sha256"),
    ForeignKeyConstraint(["collection", "subject"], [SUBJECTS.c.collection, SUBJECTS.c.key], ondelete="CASCADE"),
    Index("faces_of_subject", "collection", "subject"),
    Index("faces_by_age", "collection", "created_at"),
    sqlite_autoincrement=True,
)

CROPS = Table(
    "crops",
    METADATA,
    Column("face", ForeignKey(FACES.c.id, ondelete="CASCADE"), primary_key=True),  # its number can change
    Column("crop", LargeBinary, nullable=False),  # `KeptCrop.to_bytes`
)
"""What is kept of the photographs of faces. A table of its own, so that a search does not read pages of pictures."""

OTHER_EMBEDDINGS = Table(
    "other_embeddings",
    METADATA,
    Column("face", ForeignKey(FACES.c.id, ondelete="CASCADE"), primary_key=True),
    Column("model_id", String, primary_key=True),  # the other model of the collection
    Column("embedding", LargeBinary),  # as that of a face. NULL: the crop cannot be used
)
"""The embeddings of the faces by the other model of their collection. Statements: `kept/other_embeddings.py`."""

VECTOR_CHANGES = Table(
    "vector_changes",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("collection", NUMBER, nullable=False),  # its key. It can be deleted already
    Column("face", NUMBER),  # its number. NULL: all faces of a deleted collection
    Column("is_deletion", Boolean, nullable=False),
    Column("is_begun", Boolean, nullable=False),  # the server may have the change already
    Column("applied_at", Utc),  # NULL: the server is still to get the change
    Index("vector_changes_of_collection", "collection"),
    Index("vector_changes_by_time", "applied_at", "number"),
    sqlite_autoincrement=True,
)
"""What a search server is to change, and what it was told shortly before. Statements: `vector_changes.py`."""

STORAGE = Table(
    "storage",
    METADATA,
    Column("gallery", String, primary_key=True),  # its id, as in the mark of the data directory
    Column("in_use", Boolean, nullable=False),
    Column("needs_rewrite", Boolean, nullable=False),
    Column("rewritten_at", Utc),  # when the last rewrite began
    Column("encryption_key", String),  # the id of the operator's key. NULL: the gallery is not encrypted
    Column("settings_version", Integer, nullable=False, server_default="0"),  # grows with each change of a setting
    Column("model_id", String),  # of the replicas that run now, if several can
    Column("search", String),  # how these replicas search
)
"""One row, about the database itself. Statements: `storage.py`."""

RESTORES = Table(
    "restores",
    METADATA,
    Column("copied_at", Utc, primary_key=True),  # when the backup was begun
    Column("opened_at", Utc),  # when a service first opened it. NULL: not yet
)
"""One row for each time that this database was restored from a backup. Statements: `storage.py`.

Only a backup of SQLite is a copy of the database, so in PostgreSQL it is empty."""

AUDIT_HEADS = Table(
    "audit_heads",
    METADATA,
    Column("sequence", Integer, primary_key=True),
    Column("hash", LargeBinary, nullable=False),
    Column("noted_at", Utc, nullable=False),
)
"""One row at most: the last line of the audit log that was noted. Statements: `storage.py`.

The replicas of a shared database note none: each has a log of its own."""

KEYS = Table(
    "keys",
    METADATA,
    Column("id", String, primary_key=True),
    Column("label", TEXT),
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

"""Statements about the audit log: the last line that was durable. If the log ends before it, its end was cut off."""

from datetime import UTC, datetime

from sqlalchemy import Connection, delete, insert, select

from service.gallery.records.schema import AUDIT_HEADS


def note_head(connection: Connection, sequence: int, digest: bytes) -> None:
    """Note the last line of the log. digest: its hash, 32 bytes."""
    connection.execute(delete(AUDIT_HEADS))
    connection.execute(insert(AUDIT_HEADS).values(sequence=sequence, hash=digest, noted_at=datetime.now(UTC)))


def noted_head(connection: Connection) -> tuple[int, bytes] | None:
    """Return the number and the hash of the line that was noted last. None if none was."""
    row = connection.execute(select(AUDIT_HEADS.c.sequence, AUDIT_HEADS.c.hash)).one_or_none()
    return None if row is None else (row.sequence, row.hash)


CLEAR_HEAD = "DELETE FROM audit_heads"
"""For a copy: the log is not part of it."""

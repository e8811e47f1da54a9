"""Read a database from another process, while a service uses it or not. Nothing is changed."""

from dataclasses import dataclass
from pathlib import Path

from service.domain.errors import StorageUnavailable
from service.gallery.records.database import reading_beside
from service.gallery.records.statements import storage
from service.gallery.records.statements.storage import Remains


@dataclass(frozen=True, slots=True)
class AuditFacts:
    """What the database knows of the audit log and of deletions.

    noted_head: number and hash of the last line that was noted. None if none was.
    """

    noted_head: tuple[int, bytes] | None
    remains: Remains


def read_audit_facts(database: Path) -> AuditFacts | None:
    """Read them. None if there is no database of this version."""
    if not database.exists():
        return None
    try:
        with reading_beside(database) as connection:
            return AuditFacts(storage.noted_audit_head(connection), storage.remains(connection))
    except StorageUnavailable:
        return None

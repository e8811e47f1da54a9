"""Read a database from another process, while a service uses it or not. Nothing is changed."""

from dataclasses import dataclass
from pathlib import Path

from service.domain.errors import StorageUnavailable
from service.gallery.records.database import reading_copy, reading_shared
from service.gallery.records.sqlite import journal
from service.gallery.records.statements import audit, storage
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
    # A database that nobody uses has no journal. To open it as one that is shared would create a journal.
    reading = reading_shared if journal(database).exists() else reading_copy
    try:
        with reading(database) as connection:
            return AuditFacts(audit.noted_head(connection), storage.remains(connection))
    except StorageUnavailable:
        return None

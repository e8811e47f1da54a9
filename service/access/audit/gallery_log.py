"""The audit log as the gallery uses it: for what it deletes by itself, and for the last line that it notes."""

from contextlib import AbstractContextManager

from service.access.audit.line import Head
from service.access.audit.log import AuditLog
from service.gallery.base import Deleted

SUBJECTS_PER_LINE = 50


class GalleryAuditLog:
    """Records what the gallery deleted by itself, and opens and closes the log with the gallery."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    def open(self, noted: tuple[int, bytes] | None) -> AbstractContextManager[None]:
        """Start to write the log. Raises AuditUnusable. noted: the line that `durable_head` returned last."""
        return self._log.open(None if noted is None else Head(*noted))

    def durable_head(self) -> tuple[int, bytes] | None:
        """Return the number and the hash of the last durable line."""
        return self._log.head.sequence, self._log.head.hash

    def record_deleted(self, deleted: Deleted) -> None:
        """Record a deletion. If it is about many subjects, it gets several lines, and the first has the counts."""
        counts = {"faces": deleted.faces, "subjects": deleted.deleted_subjects}
        pseudonyms = [self._log.secret.pseudonym(deleted.collection, subject) for subject in deleted.subjects]
        for start in range(0, max(len(pseudonyms), 1), SUBJECTS_PER_LINE):
            part = {"subjects": pseudonyms[start : start + SUBJECTS_PER_LINE]}
            first = {"counts": counts} if start == 0 else {}
            self._log.record({"event": deleted.reason, "collection": deleted.collection, **first, **part})

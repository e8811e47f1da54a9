"""What every open gallery has, wherever its records are: its audit log, and a thread that does its chores."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from service.domain.errors import StorageUnavailable
from service.gallery.base import GalleryLog
from service.gallery.gallery import Gallery
from service.gallery.opening.housekeeping import housekeeping
from service.gallery.threads import every
from service.observability.heap import return_freed_memory

HEAD_S = 60.0
"""How often the last line of the audit log is noted in the records."""
FREED_MEMORY_S = 60.0
"""How often freed memory is given back to the system."""


@contextmanager
def running(gallery: Gallery, log: GalleryLog, chores: Sequence[Callable[[], None]] = ()) -> Iterator[Gallery]:
    """Open the audit log of a gallery, and do its chores until the context ends.

    chores: further ones. They may raise StorageUnavailable. Raises AuditUnusable.
    """
    with ExitStack() as resources:
        resources.callback(gallery.face_search.stop)
        noted = None
        if not gallery.database.is_shared:  # else the records know the log of another replica
            resources.callback(_note_last_head, gallery)
            noted = gallery.noted_audit_head()
            chores = [*chores, every(HEAD_S, gallery.note_audit_head)]
        resources.enter_context(log.open(noted))
        all_chores = [
            gallery.expire_all,
            *gallery.face_search.chores,
            every(FREED_MEMORY_S, return_freed_memory),
            *chores,
        ]
        resources.enter_context(housekeeping(gallery.database, all_chores))
        yield gallery


def _note_last_head(gallery: Gallery) -> None:
    with suppress(StorageUnavailable):  # then an older line is noted
        gallery.note_audit_head()

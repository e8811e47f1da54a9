"""The snapshot of one collection while the service runs: whether there can be one, and whether it is up to date."""

from collections.abc import Callable
from contextlib import suppress

import structlog

from service.domain.errors import CollectionNotFound
from service.gallery.base import FaceNumbers
from service.gallery.indexes.base import Snapshot, VectorIndex

LOG = structlog.get_logger(__name__)


class KeptSnapshot:
    """Loads, writes and removes the snapshot. An error of the disk is logged, and the next call tries again.

    open_snapshot: returns the snapshot. Raises CollectionNotFound if the collection never had one.
    may_exist: whether there can be a snapshot. At first: whether an earlier run of the service can have left one.
    """

    def __init__(self, open_snapshot: Callable[[], Snapshot], *, may_exist: bool) -> None:
        self._open = open_snapshot
        self.may_exist = may_exist

    def is_stale(self, index: VectorIndex | None) -> bool:
        """Return whether there can be a snapshot that holds deleted faces. index: None if it is not in memory."""
        return self.may_exist and (index is None or not index.is_saved)

    def is_to_save(self, index: VectorIndex | None) -> bool:
        """Return whether there is a snapshot to write or to remove."""
        return self.is_stale(index) or not (index is None or index.is_exact or index.is_saved)

    def load(self, index: VectorIndex, numbers: FaceNumbers) -> bool:
        """Fill an empty index. Return whether that was possible. Raises StorageUnavailable."""
        return self.may_exist and index.load(self._open(), numbers)

    def save(self, index: VectorIndex | None) -> None:
        """Write the snapshot, if it is not up to date. index: None if there is no face: it is removed then."""
        if index is None:
            self.remove()
            return
        self.may_exist = True
        self._try(lambda: index.save(self._open()))

    def remove(self) -> None:
        """Remove the snapshot if there is one."""
        with suppress(CollectionNotFound):
            self.may_exist = not self._try(self._open().remove)

    def _try(self, write: Callable[[], None]) -> bool:
        try:
            write()
        except OSError as error:  # a full disk, for example
            LOG.warning("snapshot_not_saved", reason=error.strerror)
            return False
        return True

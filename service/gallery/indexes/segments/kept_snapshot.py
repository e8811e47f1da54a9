"""The snapshot of one collection while the service runs: whether there can be one, and whether it is up to date."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import structlog

from service.domain.errors import CollectionNotFound
from service.gallery.base import FaceNumbers
from service.gallery.indexes.base import LoadSnapshot, Snapshot, VectorIndex

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

    @contextmanager
    def reading(self) -> Iterator[LoadSnapshot]:
        """Begin to read the snapshot in another thread, and yield what fills an index from it.

        The caller reads the records meanwhile. Each of the two takes half a second for a million faces.
        """
        if not self.may_exist:
            yield _load_nothing
            return
        snapshot = self._open()
        with ThreadPoolExecutor(1, thread_name_prefix="snapshot") as thread:
            being_read = _BeingRead(snapshot, thread.submit(snapshot.read))
            yield lambda index, numbers: index.load(being_read, numbers)

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


@dataclass(frozen=True, slots=True)
class _BeingRead:
    """A snapshot that another thread reads. segments: what it will have read."""

    snapshot: Snapshot
    segments: Future[Sequence[Any]]

    def read(self) -> Sequence[Any]:
        return self.segments.result()

    def write(self, segments: Sequence[Any]) -> None:
        self.snapshot.write(segments)

    def remove(self) -> None:
        self.snapshot.remove()


def _load_nothing(index: VectorIndex, numbers: FaceNumbers) -> bool:  # noqa: ARG001  # as a LoadSnapshot
    return False

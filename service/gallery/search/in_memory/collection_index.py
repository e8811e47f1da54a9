"""The index of one collection in memory, and the lock between its searches and its changes.

The records are the truth. If anything goes wrong here, the index is built again from the records before it is searched.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial

import numpy as np
import structlog

from service.domain.embedding import Embeddings
from service.domain.errors import FacenetError, IndexBuilding, StorageUnavailable
from service.gallery.base import EmbeddingModel, FaceChecksum, FaceNumbers, References
from service.gallery.indexes.base import CreateIndex, Rewrite, Snapshot, VectorIndex
from service.gallery.indexes.segments.agreement import AgreementMeter
from service.gallery.indexes.segments.kept_snapshot import KeptSnapshot
from service.gallery.search.background import Background
from service.gallery.search.in_memory.filled import FilledIndex, NearestFace
from service.gallery.search.in_memory.owned_faces import OwnedFaces
from service.gallery.search.in_memory.readers_writer_lock import ReadersWriterLock
from service.gallery.search_values import IndexState

LOG = structlog.get_logger(__name__)
SMALL_FACES = 20_000
"""Up to so many faces, an index is built when it is first used, in 0.1 s. A larger one is built in the background."""


class CollectionIndex:
    """The index of one collection. It is built when it is first used.

    Several threads may search at the same time. The caller makes changes in the order of the records.

    stored: reads the faces from the records. faces: how many they hold. Without faces, nothing is to be built.
    background: builds a large index, rewrites it, and writes its snapshot. open_snapshot: returns the snapshot.
    """

    def __init__(
        self,
        stored: OwnedFaces,
        create_index: CreateIndex,
        background: Background,
        open_snapshot: Callable[[], Snapshot],
        faces: int = 0,
    ) -> None:
        self.stored = stored
        self._create_index = create_index
        self._background = background
        self._snapshot = KeptSnapshot(open_snapshot, may_exist=faces > SMALL_FACES)
        self._meter = AgreementMeter(stored.read, self._in_memory)
        self._lock = ReadersWriterLock()
        self._faces = faces
        self._is_built = faces == 0
        self._is_building = self._is_rewriting = False
        self._failure: FacenetError | None = None
        self._filled: FilledIndex | None = None
        self._late_changes: list[Callable[[], None]] = []
        self._used_at_s = 0.0

    def __len__(self) -> int:
        return self._faces

    def require_built(self) -> None:
        """Begin to build a large index if that is needed. Raise IndexBuilding until it is ready, or why that failed."""
        if self._faces > SMALL_FACES and not self._is_built:
            self.build()

    def checksum(self) -> FaceChecksum | None:
        """Return the checksum of the faces that the index holds. None if it is not built."""
        with self._lock.reading():
            empty = FaceChecksum(0, 0, 0) if self._is_built else None
            return empty if self._filled is None else self._filled.checksum

    @property
    def known_model(self) -> EmbeddingModel | None:
        """The model that made the faces. None if there are none, or if the index is not in memory. Never waits."""
        return None if (filled := self._filled) is None else filled.model

    def model(self) -> EmbeddingModel | None:
        """Return the model that made the faces, if there are any. Raises StorageUnavailable or IndexBuilding."""
        with self._current() as filled:
            return filled.model if filled else None

    def search(self, probes: Embeddings, k_subjects: int, model: EmbeddingModel) -> tuple[list[list[NearestFace]], int]:
        """Find up to `k_subjects` subjects for each probe, nearest first, each by its nearest face.

        If a subject has thousands of faces that are all nearer than those of others, a large index can find fewer.
        Returns also how many faces were searched. Raises ModelMismatch if another model made them, and as `build`.
        """
        with self._current() as filled:
            if filled is None:
                return [[] for _ in probes], 0
            model.require_same(filled.model)
            return filled.search(probes, k_subjects), len(filled)

    def add(self, new: References) -> None:
        """Add faces that the records already hold."""
        self._change(partial(self._add, new), len(new.numbers))

    def remove(self, numbers: Sequence[int]) -> None:
        """Remove faces that the records no longer hold."""
        self._change(partial(self._remove, np.asarray(numbers, np.int64)), -len(numbers))

    def move(self, numbers: Sequence[int], subject: int) -> None:
        """Give faces to another subject, as the records did. subject: its key in the records."""
        self._change(partial(self._move, np.asarray(numbers, np.int64), subject), 0)

    def build(self) -> None:
        """Build the index if it is not built: a small one now, a large one in the background.

        Raises StorageUnavailable, or IndexBuilding until a large one is ready. If that failed, the reason is raised
        once, and the next call tries again.
        """
        with self._lock.writing():
            failure, self._failure = self._failure, None
            if failure is not None:
                raise failure.with_traceback(None)
            if self._is_built:  # another thread may have built it while this one waited for the lock
                return
            if self._faces <= SMALL_FACES:
                self._use(self._read())
                return
            if not self._is_building:
                self._is_building = True
                self._background.begin(self._build_beside)
        raise IndexBuilding

    def discard(self) -> None:
        """Discard what is in memory. The index is built again from the records when it is used."""
        with self._lock.writing():
            self._discard()

    def discard_if_idle(self, idle_s: float) -> None:
        """Discard a small index that was not used for so long."""
        is_small = self._faces <= SMALL_FACES and not self._snapshot.may_exist
        if self._is_built and is_small and time.monotonic() - self._used_at_s >= idle_s:
            self.discard()

    @property
    def has_stale_snapshot(self) -> bool:
        """Whether there can be a snapshot that holds deleted faces."""
        return self._snapshot.is_stale(self._index)

    @property
    def state(self) -> IndexState | None:
        """What is known of the index in memory. None if it is not there."""
        return None if (index := self._index) is None else self._meter.state(index)

    def measure_agreement(self, checks: Background) -> None:
        """Compare the index with exact search in the background, if it is not exact itself and if it is time for it."""
        if (state := self.state) is not None and not state.is_exact and self._meter.is_due:
            checks.begin_if_idle(self._meter.measure)

    @property
    def _index(self) -> VectorIndex | None:
        return None if (filled := self._filled) is None else filled.index

    def rewrite(self) -> None:
        """Rewrite the index in the background, if it needs that."""
        if (index := self._index) is not None and index.needs_rewrite and not self._is_rewriting:
            self._is_rewriting = True
            self._background.begin(self._rewrite_until_done)

    def save(self) -> None:
        """Write the snapshot in the background, if it is not up to date."""
        if self._is_built and self._snapshot.is_to_save(self._index):
            self._background.begin(self._save)

    def end(self) -> None:
        """Write the snapshot now, if it is not up to date. Nothing is done in the background any more."""
        if self._late_changes:
            self._snapshot.remove()
        elif self._snapshot.is_to_save(self._index):
            self._save()

    def forget(self) -> None:
        """Discard the index of a deleted collection. Remove its snapshot now, and again after what is in work."""
        self.discard()
        self._snapshot.remove()
        self._background.begin(self._snapshot.remove)

    def _read(self) -> FilledIndex | None:
        with self._snapshot.reading() as load:
            return FilledIndex.read(self.stored, self._create_index, load)

    def _save(self) -> None:
        if (index := self._index) is not None or self._is_built:
            self._snapshot.save(index)

    def _add(self, new: References) -> None:
        if self._filled is None:
            self._filled = FilledIndex.of(new, self._create_index(new.model.dimension, self.stored.read))
        else:
            self._filled.add(new)

    def _remove(self, numbers: FaceNumbers) -> None:
        if self._filled is not None:
            self._filled.remove(numbers)
            self._filled = self._filled if len(self._filled) else None

    def _move(self, numbers: FaceNumbers, subject: int) -> None:
        if self._filled is not None:
            self._filled.subjects.move(numbers, subject)

    def _change(self, change: Callable[[], None], added: int) -> None:
        """Make a change. If it fails, the index is built again, and the caller gets no error.

        The records already hold the change, so the request of the caller has succeeded. An index that is being built
        gets it at the end: it may have been read before.
        """
        with self._lock.writing():
            self._faces += added
            if self._is_building:
                self._late_changes.append(change)
            if self._is_building or not self._is_built or self._make([change]):
                return
        with suppress(FacenetError):  # the next search tries again, and reports the error
            self.build()

    def _make(self, changes: Sequence[Callable[[], None]]) -> bool:
        """Make changes, and return whether that succeeded. Else the index is not built any more."""
        try:
            for change in changes:
                change()
        except Exception as error:  # noqa: BLE001  # any error can leave the index changed in part
            LOG.warning("index_rebuilt", error=type(error).__name__)
            self._discard()
            return False
        self._faces = len(self._filled) if self._filled else 0
        self.rewrite()
        return True

    def _use(self, filled: FilledIndex | None) -> None:
        self._filled, self._is_built = filled, True
        self._faces = len(filled) if filled else 0

    def _discard(self) -> None:
        self._filled, self._is_built = None, False

    def _build_beside(self) -> None:
        """Build the index while the records change, and make the changes in it at the end. Some are in it already."""
        LOG.info("index_build_started", faces=self._faces)
        started_s = time.monotonic()
        try:
            filled = self._read()
        except Exception as error:
            with self._lock.writing():
                self._is_building, self._late_changes = False, []
                self._failure = error if isinstance(error, FacenetError) else StorageUnavailable()
            raise
        with self._lock.writing():
            late_changes, self._late_changes = self._late_changes, []
            self._is_building = False
            self._use(filled)
            self._make(late_changes)
        LOG.info("index_built", faces=self._faces, seconds=round(time.monotonic() - started_s, 3))
        self._meter.begin_anew()
        self._save()

    def _rewrite_until_done(self) -> None:
        """Rewrite the index while it is searched and changed. Only the beginning and the switch need the lock."""
        try:
            while (begun := self._begin_rewrite()) is not None:
                filled, rewrite = begun
                switch = rewrite()
                with self._lock.writing():
                    if self._filled is filled:
                        self._make([switch])
            self._meter.is_rewritten = True
        except BaseException:
            self._is_rewriting = False
            raise

    def _begin_rewrite(self) -> tuple[FilledIndex, Rewrite] | None:
        with self._lock.writing():
            if self._filled is not None and self._filled.index.needs_rewrite:
                return self._filled, self._filled.index.begin_rewrite()
            self._is_rewriting = False
            return None

    @contextmanager
    def _in_memory(self) -> Iterator[VectorIndex | None]:
        """Hold the lock while the index is used as it is. None if it is not in memory."""
        with self._lock.reading():
            yield self._index

    @contextmanager
    def _current(self) -> Iterator[FilledIndex | None]:
        """Hold the lock for a search of an index that agrees with the records. None if there is no face."""
        self._used_at_s = time.monotonic()
        for _ in range(2):  # it can be discarded before the lock is held
            if not self._is_built:
                self.build()
            with self._lock.reading():
                if self._is_built:
                    yield self._filled
                    return
        raise StorageUnavailable

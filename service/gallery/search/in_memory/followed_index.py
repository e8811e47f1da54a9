"""The index of a collection that several replicas change. It follows the changes in the records."""

import threading
from collections.abc import Callable
from functools import partial

import numpy as np

from service.gallery.base import FaceNumbers, References
from service.gallery.indexes.base import CreateIndex, Snapshot
from service.gallery.records.postgresql.shared_faces import ChangedFaces, Position, SharedFaces
from service.gallery.search.background import Background
from service.gallery.search.in_memory.collection_index import CollectionIndex
from service.gallery.search.in_memory.filled import FilledIndex


class FollowedIndex(CollectionIndex):
    """An index that makes all committed changes before it is used, whichever replica has made them.

    shared: reads the faces and their changes. The rest is as in CollectionIndex.
    """

    def __init__(
        self,
        shared: SharedFaces,
        create_index: CreateIndex,
        background: Background,
        open_snapshot: Callable[[], Snapshot],
        faces: int = 0,
    ) -> None:
        super().__init__(shared, create_index, background, open_snapshot, faces)
        self._shared = shared
        self._following = threading.Lock()
        self._position: Position | None = None
        self._is_built = False  # another replica may enrol the first face

    def catch_up(self) -> None:
        """Make the changes that were committed since the last time. An index that is not built needs none.

        Raises StorageUnavailable or CollectionNotFound.
        """
        with self._following:
            if not self._is_built or self._position is None:
                return
            changed = self._shared.changed_since(self._position)
            if changed is None or self._is_of_another_model(changed):
                self.discard()
                return
            if len(changed.numbers):
                self._follow(changed.numbers)
            self._position = changed.position

    def _read(self) -> FilledIndex | None:
        # Before the faces are read: a change meanwhile is made once more, and that changes nothing.
        self._position = self._shared.position()
        return super()._read()

    def _is_of_another_model(self, changed: ChangedFaces) -> bool:
        """Return whether the collection got its other model. All faces have changed then, so none is read here."""
        model = self.known_model
        return model is not None and changed.model_id not in {None, model.id}

    def _follow(self, changed: FaceNumbers) -> None:
        """Bring the changed faces to the state of the records.

        All at once: a search in between would find a state that never was.
        """
        stored = self._shared.references(changed)
        gone = changed if stored is None else np.setdiff1d(changed, stored.numbers, assume_unique=True)
        self._change(partial(self._bring_up_to_date, gone, stored), 0)

    def _bring_up_to_date(self, gone: FaceNumbers, stored: References | None) -> None:
        if stored is not None:
            self._add(stored)  # first: if the model changed just now, this ends here, and the index is built again
            for subject in np.unique(stored.subjects):
                self._move(stored.numbers[stored.subjects == subject], int(subject))
        self._remove(gone)

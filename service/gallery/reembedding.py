"""A second set of embeddings for a collection, by another model, and the switch between the two.

While the model of a collection serves, its faces are embedded again by its other model. A switch is one transaction:
the two models change places. So another switch leads back. Both sets are kept complete until somebody ends this.
"""

import threading
from collections.abc import Callable, Mapping, Sequence

import anyio
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from service.domain.errors import (
    CollectionNotFound,
    CropNotFound,
    FaceNotFound,
    InvalidOption,
    ReembeddingIncomplete,
    ReembeddingNotFound,
)
from service.domain.face import KeptCrop
from service.gallery.base import Deleted, EmbeddingModel
from service.gallery.records.database import Database
from service.gallery.records.statements import collections, indexed_faces, storage
from service.gallery.records.statements.collections import CollectionRow
from service.gallery.records.statements.kept import crops, other_embeddings
from service.gallery.records.statements.kept.other_embeddings import OtherSet
from service.gallery.records.statements.rules import calibration
from service.gallery.search.face_search import FaceSearch
from service.gallery.threads import in_changing_thread, in_thread

MOST_WAITING = 10_000
"""How many faces of a collection are listed at once, to be embedded one after the other."""


class Reembeddings:
    """The second sets of all collections. Every method raises CollectionNotFound or StorageUnavailable.

    writing: the lock of the gallery for changes.
    note_switch: is told that a collection has another model now, and what this has deleted.
    threads, changing_threads: limit how many methods of the gallery run at the same time.
    """

    def __init__(
        self,
        database: Database,
        face_search: FaceSearch,
        writing: threading.Lock,
        note_switch: Callable[[Deleted], None],
        threads: Sequence[anyio.CapacityLimiter],
    ) -> None:
        self._database, self._face_search, self._writing = database, face_search, writing
        self._note_switch = note_switch
        self.threads, self.changing_threads = threads

    @in_changing_thread
    def begin(self, collection: str, model: EmbeddingModel) -> OtherSet:
        """Let the faces be embedded by this model too. If that was begun before, nothing changes.

        Raises InvalidOption if it is the model of the collection, if the collection has another second set, or if its
        faces are not searched in memory.
        """
        with self._writing, self._database.writing() as connection:
            row = collections.find(connection, collection)
            known = other_embeddings.model_of(connection, row.key)
            _require_in_memory(connection)
            if row.model == model:
                raise InvalidOption("The faces of the collection were embedded by this model already.")
            if known not in {None, model.id}:
                raise InvalidOption(
                    "The collection has embeddings by a third model. End that first: DELETE .../reembedding."
                )
            other_embeddings.begin(connection, row.key, model.id)
            return other_embeddings.state(connection, row.key, model.id)

    @in_thread
    def state(self, collection: str) -> OtherSet:
        """Return how far the second set is. Raises ReembeddingNotFound."""
        with self._database.reading() as connection:
            row = collections.find(connection, collection)
            return other_embeddings.state(connection, row.key, _other_model(connection, row))

    @in_changing_thread
    def end(self, collection: str) -> None:
        """Delete the second set. The embeddings in use stay. Raises ReembeddingNotFound."""
        with self._writing, self._database.erasing() as connection:
            row = collections.find(connection, collection)
            other_embeddings.end(connection, row.key, _other_model(connection, row))

    @in_changing_thread
    def switch(self, collection: str, to: EmbeddingModel, *, delete_missing: bool) -> int:
        """Use the second set from now on, in one transaction. Both sets stay. Return how many faces were deleted.

        delete_missing: delete the faces that the model cannot embed, because nothing is kept of their photographs.
        Raises ReembeddingNotFound, or ReembeddingIncomplete if a face has no embedding by this model.
        """
        with self._writing:
            with self._database.erasing() as connection:
                storage.note_changed_settings(connection)
                row = collections.find(connection, collection)
                if row.model is None:
                    raise InvalidOption("The collection has no face, so it has no model. Enrol a face.")
                if row.model == to:
                    return 0
                deleted, about, count = self._switch(connection, row, row.model, to, delete_missing=delete_missing)
            try:
                self._face_search.add_collection(collection, count)
            finally:  # what is committed is noted
                self._note_switch(Deleted("not_embedded", collection, tuple(about), deleted))
        return deleted

    @staticmethod
    def _switch(
        connection: Connection, row: CollectionRow, former: EmbeddingModel, to: EmbeddingModel, *, delete_missing: bool
    ) -> tuple[int, list[str], int]:
        """Return how many faces were deleted, the ids of their subjects, and how many faces there are."""
        _require_in_memory(connection)
        if _other_model(connection, row) != to.id:
            raise ReembeddingNotFound
        found = other_embeddings.state(connection, row.key, to.id)
        if found.waiting or not found.done or (found.done < found.faces and not delete_missing):
            raise ReembeddingIncomplete(found.faces, found.waiting, found.without_crop + found.unusable)
        faces, about = other_embeddings.remove_faces_without(connection, row.key, to.id)
        calibration.choose(connection, row.key, "model")
        return faces, about, other_embeddings.switch(connection, row.key, former.id, to)

    @in_thread
    def waiting(self, model_id: str) -> dict[str, list[str]]:
        """Return faces that this model is still to embed: their ids, by the id of their collection."""
        with self._database.reading() as connection:
            return other_embeddings.waiting(connection, model_id, MOST_WAITING)

    @in_thread
    def crop(self, collection: str, face: str) -> KeptCrop | None:
        """Return what is kept of a face. None if it is there no longer."""
        with self._database.reading() as connection:
            try:
                return crops.get(connection, collections.find(connection, collection).key, face)
            except (CollectionNotFound, FaceNotFound, CropNotFound):
                return None

    @in_changing_thread
    def store(self, collection: str, model_id: str, embeddings: Mapping[str, NDArray[np.float32] | None]) -> None:
        """Store embeddings by the other model, by the ids of the faces. None: the crop cannot be used.

        What was deleted meanwhile, or is not wanted any more, is left out.
        """
        with self._writing, self._database.writing() as connection:
            row = collections.find(connection, collection)
            if other_embeddings.model_of(connection, row.key) == model_id:
                other_embeddings.store(connection, row.key, model_id, embeddings)


def _other_model(connection: Connection, row: CollectionRow) -> str:
    found = other_embeddings.model_of(connection, row.key)
    if found is None:
        raise ReembeddingNotFound
    return found


def _require_in_memory(connection: Connection) -> None:
    if not isinstance(indexed_faces.vectors(connection), indexed_faces.NoVectors):
        raise InvalidOption(
            "With FACE_GALLERY__INDEX=pgvector or milvus, a collection cannot change its model. Set "
            "FACE_GALLERY__INDEX=faiss for the time of the change, or enrol the photographs in a new collection."
        )

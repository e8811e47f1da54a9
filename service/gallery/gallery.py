"""The gallery: collections of subjects and their enrolled faces.

The records are the truth, and each collection has an index that is made from them. A change is committed to the records
first, then made in the index, and only then acknowledged. So an enrolled face is found by the next search.
"""

import threading
from collections.abc import Mapping, Sequence

import anyio
import numpy as np

from service.domain.embedding import Embeddings, check_embedding
from service.domain.errors import StorageUnavailable
from service.gallery.base import (
    Candidate,
    Collection,
    EmbeddingModel,
    EnrolledFace,
    EnrolmentOutcome,
    FaceToEnrol,
    Page,
    References,
    Subject,
    SubjectChanges,
    SubjectToCreate,
)
from service.gallery.collection_index import NearestFace
from service.gallery.collection_indexes import CollectionIndexes
from service.gallery.indexes.base import CreateIndex
from service.gallery.records import collections, faces, subjects
from service.gallery.records.database import Database
from service.gallery.records.faces import FaceOwner
from service.gallery.records.paging import PageRequest
from service.gallery.threads import in_thread

DEFAULT_COLLECTION = "default"
THREADS = 4


class Gallery:
    """What the decisions and routes call. Safe to use from several tasks at once.

    Every method raises StorageUnavailable if the records cannot be read or written, and then nothing was changed. A
    method that names a collection, subject or face raises CollectionNotFound, SubjectNotFound or FaceNotFound.

    threads: limits how many methods run in parallel.
    """

    def __init__(self, database: Database, create_index: CreateIndex) -> None:
        self.threads = anyio.CapacityLimiter(THREADS)
        self._database = database
        # One writer at a time. So the indexes get the changes in the order in which the records got them.
        self._writing = threading.Lock()
        with database.writing() as connection:
            collections.create(connection, DEFAULT_COLLECTION)
            ids = list(collections.checksums(connection))
        self._indexes = CollectionIndexes(ids, self._load_references, create_index)

    async def finish(self) -> None:
        """Wait until no method runs, and let no other start. A request that timed out can still work in a thread."""
        for _ in range(int(self.threads.total_tokens)):
            await self.threads.acquire_on_behalf_of(object())

    @property
    def face_count(self) -> int:
        """The number of faces in all collections."""
        return self._indexes.face_count

    @in_thread
    def check(self) -> None:
        """Check that the records can be read, and that every index holds the faces of the records.

        Raises StorageUnavailable otherwise. An index that disagrees is rebuilt, so the next check succeeds.
        """
        with self._writing:
            with self._database.reading() as connection:
                checksums = collections.checksums(connection)
            if self._indexes.rebuild_where_wrong(checksums):
                raise StorageUnavailable

    @in_thread
    def create_collection(self, collection: str) -> tuple[Collection, bool]:
        """Create the collection if it does not exist. Return whether it is new."""
        with self._writing:
            with self._database.writing() as connection:
                is_new = collections.create(connection, collection)
                created = collections.get(connection, collection)
            if is_new:
                self._indexes.put_empty(collection)
        return created, is_new

    @in_thread
    def get_collection(self, collection: str) -> Collection:
        """Return the collection."""
        with self._database.reading() as connection:
            return collections.get(connection, collection)

    @in_thread
    def list_collections(self, limit: int, after: str | None) -> Page[Collection]:
        """Return a page of all collections, in the order of their ids."""
        with self._database.reading() as connection:
            return collections.list_page(connection, PageRequest(limit, after))

    @in_thread
    def delete_collection(self, collection: str) -> None:
        """Delete the collection and all it holds. If it is `default`, it is created again at once, empty."""
        with self._writing:
            with self._database.writing() as connection:
                collections.remove(connection, collection)
                collections.create(connection, DEFAULT_COLLECTION)
            if collection == DEFAULT_COLLECTION:
                self._indexes.put_empty(collection)
            else:
                self._indexes.remove(collection)
            self._database.empty_journal()

    @in_thread
    def create_subject(self, collection: str, new: SubjectToCreate) -> Subject:
        """Create a subject. Raises SubjectExists."""
        with self._writing, self._database.writing() as connection:
            return subjects.create(connection, collections.find(connection, collection).key, new)

    @in_thread
    def put_subject(
        self, collection: str, subject: str, name: str | None, metadata: dict[str, object]
    ) -> tuple[Subject, bool]:
        """Create the subject, or replace its name and metadata. Its faces stay. Return whether it is new."""
        with self._writing, self._database.writing() as connection:
            key = collections.find(connection, collection).key
            return subjects.put(connection, key, subject, SubjectChanges(name=name, metadata=metadata))

    @in_thread
    def get_subject(self, collection: str, subject: str) -> Subject:
        """Return the subject."""
        with self._database.reading() as connection:
            return subjects.get(connection, collections.find(connection, collection).key, subject)

    @in_thread
    def list_subjects(self, collection: str, limit: int, after: str | None) -> Page[Subject]:
        """Return a page of the subjects of the collection, in the order of their ids."""
        with self._database.reading() as connection:
            key = collections.find(connection, collection).key
            return subjects.list_page(connection, key, PageRequest(limit, after))

    @in_thread
    def change_subject(self, collection: str, subject: str, changes: SubjectChanges) -> Subject:
        """Change the given fields of the subject."""
        with self._writing, self._database.writing() as connection:
            return subjects.change(connection, collections.find(connection, collection).key, subject, changes)

    @in_thread
    def delete_subject(self, collection: str, subject: str) -> None:
        """Delete the subject and its faces."""
        with self._writing:
            with self._database.writing() as connection:
                key = collections.find(connection, collection).key
                numbers = subjects.remove(connection, key, subject)
                collections.unbind_model_if_empty(connection, key)
            self._indexes[collection].remove(numbers)
            self._database.empty_journal()

    @in_thread
    def check_enrolment(self, collection: str, subject: str, model: EmbeddingModel) -> None:
        """Raise what `enrol` would raise for this subject and model, before a photograph is processed."""
        with self._database.reading() as connection:
            row = collections.find(connection, collection)
            subjects.find_key(connection, row.key, subject)
        model.require_same(row.model)

    @in_thread
    def enrol(
        self, collection: str, subject: str, new: Sequence[FaceToEnrol], model: EmbeddingModel
    ) -> list[EnrolmentOutcome]:
        """Store faces in one transaction, and return the outcome of each.

        The first face of a collection binds it to its model. Raises InvalidEmbedding or ModelMismatch.
        """
        checked = [FaceToEnrol(face.image_sha256, check_embedding(face.embedding, model.dimension)[0]) for face in new]
        with self._writing:
            with self._database.writing() as connection:
                row = collections.find(connection, collection)
                subject_key = subjects.find_key(connection, row.key, subject)
                model.require_same(row.model)
                outcomes, stored = faces.enrol(connection, row.key, subject_key, checked)
                if stored:
                    collections.bind_model(connection, row.key, model)
            if stored:
                self._indexes[collection].add(_references(model, subject_key, stored))
        return outcomes

    @in_thread
    def get_face(self, collection: str, face: str) -> EnrolledFace:
        """Return the face."""
        with self._database.reading() as connection:
            return faces.get(connection, collections.find(connection, collection).key, face)

    @in_thread
    def list_faces(self, collection: str, subject: str, limit: int, after: str | None) -> Page[EnrolledFace]:
        """Return a page of the faces of the subject, in the order of their ids."""
        with self._database.reading() as connection:
            key = collections.find(connection, collection).key
            subject_key = subjects.find_key(connection, key, subject)
            return faces.list_page(connection, key, subject_key, PageRequest(limit, after))

    @in_thread
    def delete_face(self, collection: str, face: str) -> None:
        """Delete the face and its embedding."""
        with self._writing:
            with self._database.writing() as connection:
                key = collections.find(connection, collection).key
                number = faces.remove(connection, key, face)
                collections.unbind_model_if_empty(connection, key)
            self._indexes[collection].remove([number])
            self._database.empty_journal()

    @in_thread
    def face_embedding(self, collection: str, face: str, model: EmbeddingModel) -> Embeddings:
        """Return the embedding of the face, (1, d) float32.

        model: the model that must have made it. Raises ModelMismatch.
        """
        with self._database.reading() as connection:
            row = collections.find(connection, collection)
            embedding = faces.embedding_of_face(connection, row.key, face)
        model.require_same(row.model)
        return embedding

    @in_thread
    def subject_embeddings(self, collection: str, subject: str, model: EmbeddingModel) -> Embeddings:
        """Return the embeddings of the subject, (n, d) float32, in the order of enrolment.

        model: the model that must have made them. Raises SubjectWithoutFaces or ModelMismatch.
        """
        with self._database.reading() as connection:
            row = collections.find(connection, collection)
            subject_key = subjects.find_key(connection, row.key, subject)
            embeddings = faces.embeddings_of_subject(connection, row.key, subject_key)
        model.require_same(row.model)
        return embeddings

    @in_thread
    def collection_model(self, collection: str) -> EmbeddingModel | None:
        """Return the model that made the embeddings of the collection. None if it has no face. Reads no record."""
        return self._indexes[collection].model()

    @in_thread
    def count_faces(self, collection: str) -> int:
        """Return how many faces the collection has. Reads no record."""
        return len(self._indexes[collection])

    @in_thread
    def references(self, collection: str, model: EmbeddingModel) -> tuple[list[EnrolledFace], Embeddings]:
        """Return all faces of the collection in the order of enrolment, and their embeddings, (n, d) float32.

        model: the model that must have made them. Raises ModelMismatch.
        """
        with self._database.reading() as connection:
            row = collections.find(connection, collection)
            model.require_same(row.model)
            if row.model is None:
                return [], np.empty((0, model.dimension), np.float32)
            return faces.list_all(connection, row.key), faces.references(connection, row.key, model).embeddings

    @in_thread
    def search(
        self, collection: str, probes: Embeddings, k: int, model: EmbeddingModel
    ) -> tuple[list[list[Candidate]], int]:
        """Find up to k subjects for each probe, nearest first. Return also how many faces were searched.

        probes: (n, d) float32, unit length.
        model: the model that must have made the embeddings of the collection. The probes may be of another model: the
        caller checks that the two are compatible.
        Raises ModelMismatch.
        """
        nearest, searched = self._indexes[collection].search(probes, k, model)
        with self._database.reading() as connection:
            owners = faces.owners(connection, {face.number for row in nearest for face in row})
        return [_candidates(row, owners) for row in nearest], searched

    def _load_references(self, collection: str) -> References | None:
        with self._database.reading() as connection:
            row = collections.find(connection, collection)
            return faces.references(connection, row.key, row.model) if row.model else None


def _references(model: EmbeddingModel, subject: int, stored: Mapping[int, FaceToEnrol]) -> References:
    numbers = np.array(list(stored), np.int64)
    embeddings = np.stack([face.embedding for face in stored.values()])
    return References(model, numbers, np.full(len(stored), subject, np.int64), embeddings)


def _candidates(nearest: Sequence[NearestFace], owners: Mapping[int, FaceOwner]) -> list[Candidate]:
    """Return the faces with their owners. A face that was deleted after the search has no owner, and is left out."""
    found = [(owners[face.number], face.distance) for face in nearest if face.number in owners]
    return [Candidate(owner.subject, owner.name, distance, owner.face) for owner, distance in found]

"""The half of the gallery that only reads: what is stored, and which enrolled faces are the nearest."""

import threading
from collections.abc import Callable
from datetime import datetime

import anyio
import numpy as np

from service.domain.access import require_collection
from service.domain.embedding import Embeddings
from service.domain.errors import ImportUnfinished
from service.domain.face import KeptCrop
from service.gallery.backup.archive import Backup
from service.gallery.backup.collection_export import CollectionExport
from service.gallery.base import (
    Collection,
    DrawnPeople,
    EmbeddingModel,
    EnrolledFace,
    GalleryLog,
    Page,
    StoredSubject,
    Subject,
)
from service.gallery.indexes.joint_searches import JointSearches
from service.gallery.records.database import Database
from service.gallery.records.statements import collections, faces, storage, subjects
from service.gallery.records.statements.kept import crops, other_embeddings
from service.gallery.records.statements.rows.paging import PageRequest
from service.gallery.records.statements.rules import calibration
from service.gallery.retention import Retention
from service.gallery.search.face_search import OpenSearch
from service.gallery.search_values import Found, SearchQuestion
from service.gallery.threads import in_thread
from service.model_files.calibration import CalibrationSource
from service.model_files.own_calibration import CollectionCalibration
from service.observability.outcomes import note_subject

THREADS = 4
CHANGING_THREADS = 16
"""Enrolments that wait at the same time share a transaction, and so do deletions. Other changes have one each."""


class GalleryReader:
    """Reads the records and searches the indexes. `Gallery` adds what changes them."""

    def __init__(
        self, database: Database, open_search: OpenSearch, log: GalleryLog, now: Callable[[], datetime]
    ) -> None:
        self.threads = anyio.CapacityLimiter(THREADS)
        self.changing_threads = anyio.CapacityLimiter(CHANGING_THREADS)
        self._searches = JointSearches(self.search_together, self.threads)
        self._database = database
        # One writer at a time. So the indexes get the changes in the order in which the records got them.
        self._writing = threading.Lock()
        self.face_search = open_search(database, self._writing)
        self._read_states()
        self._retention = Retention(database, self.face_search, self._writing, log.record_deleted, now)

    async def finish(self) -> None:
        """Wait until no method runs, and let no other start. A request that timed out can still work in a thread."""
        for limiter in (self.changing_threads, self.threads):
            for _ in range(int(limiter.total_tokens)):
                await limiter.acquire_on_behalf_of(object())

    @property
    def database(self) -> Database:
        """The database of the records. The access keys are in it too."""
        return self._database

    @property
    def face_count(self) -> int:
        """The number of faces in all collections."""
        return self.face_search.face_count

    @property
    def has_remains(self) -> bool:
        """Whether the database file, or the snapshot of an index, can still hold bytes of deleted content."""
        return self._database.erased_at_s is not None or self.face_search.has_remains

    def has_collection(self, collection: str) -> bool:
        """Return whether the collection exists, also if its import is not finished."""
        return collection in self.face_search or collection in self._unfinished

    def calibration_source(self, collection: str) -> CalibrationSource:
        """Return which calibration a search uses if the caller does not say it. Reads no record."""
        return "own" if collection in self._with_own_calibration else "model"

    def noted_audit_head(self) -> tuple[int, bytes] | None:
        """Return the last line of the audit log that the records know. None if they know none."""
        with self._database.reading() as connection:
            return storage.noted_audit_head(connection)

    @in_thread
    def back_up(self) -> Backup:
        """Return a backup of all records as they are now. Changes go on meanwhile.

        Raises Overloaded while another backup is made.
        """
        return Backup(*self._database.copy())

    def export(self, collection: str) -> CollectionExport:
        """Return what reads all of a collection, as the lines of its file."""
        return CollectionExport(self._database, self.threads, collection, self._retention.expire)

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
    def get_subject(self, collection: str, subject: str) -> Subject:
        """Return the subject."""
        with self._database.reading() as connection:
            return subjects.get(connection, collections.find(connection, collection).key, subject)

    @in_thread
    def list_subjects(self, collection: str, limit: int, after: str | None) -> Page[Subject]:
        """Return a page of the subjects of the collection, in the order of their stored ids, which can be encrypted."""
        with self._database.reading() as connection:
            key = collections.find(connection, collection).key
            return subjects.list_page(connection, key, PageRequest(limit, after))

    @in_thread
    def check_enrolment(self, collection: str, subject: str, model: EmbeddingModel) -> None:
        """Raise what `enrol` would raise for this subject and model, before a photograph is processed."""
        with self._database.reading() as connection:
            row = collections.find(connection, collection)
            subjects.find_key(connection, row.key, subject)
        model.require_same(row.model)

    @in_thread
    def get_face(self, collection: str, face: str) -> EnrolledFace:
        """Return the face."""
        self._retention.expire(collection)
        with self._database.reading() as connection:
            return faces.get(connection, collections.find(connection, collection).key, face)

    @in_thread
    def get_crop(self, collection: str, face: str) -> KeptCrop:
        """Return what is kept of the photograph of the face. Raises CropNotFound."""
        self._retention.expire(collection)
        with self._database.reading() as connection:
            key = collections.find(connection, collection).key
            kept = crops.get(connection, key, face)
            note_subject(collection, faces.get(connection, key, face).subject)
        return kept

    @in_thread
    def list_faces(self, collection: str, subject: str, limit: int, after: str | None) -> Page[EnrolledFace]:
        """Return a page of the faces of the subject, in the order of their ids."""
        self._retention.expire(collection)
        with self._database.reading() as connection:
            key = collections.find(connection, collection).key
            subject_key = subjects.find_key(connection, key, subject)
            return faces.list_page(connection, key, subject_key, PageRequest(limit, after))

    @in_thread
    def face_embedding(self, collection: str, face: str, model: EmbeddingModel) -> Embeddings:
        """Return the embedding of the face, (1, d) float32.

        model: the model that must have made it. Raises ModelMismatch.
        """
        self._retention.expire(collection)
        with self._database.reading() as connection:
            row = collections.find(connection, collection)
            embedding = faces.embedding_of_face(connection, row.key, face)
            note_subject(collection, faces.get(connection, row.key, face).subject)
        model.require_same(row.model)
        return embedding

    @in_thread
    def subject_embeddings(self, collection: str, subject: str, model: EmbeddingModel) -> Embeddings:
        """Return the embeddings of the subject, (n, d) float32, in the order of enrolment.

        model: the model that must have made them. Raises SubjectWithoutFaces or ModelMismatch.
        """
        self._retention.expire(collection)
        note_subject(collection, subject)
        with self._database.reading() as connection:
            row = collections.find(connection, collection)
            subject_key = subjects.find_key(connection, row.key, subject)
            embeddings = faces.embeddings_of_subject(connection, row.key, subject_key)
        model.require_same(row.model)
        return embeddings

    @in_thread
    def stored_subject(self, collection: str, subject: str) -> StoredSubject:
        """Return all that is stored of the subject, as it is at one moment."""
        self._retention.expire(collection)
        with self._database.reading() as connection:
            row = collections.find(connection, collection)
            found = subjects.get(connection, row.key, subject)
            if row.model is None or not found.faces:
                return StoredSubject(found, None)
            key = subjects.find_key(connection, row.key, subject)
            enrolled = faces.list_of_subject(connection, row.key, key)
            embeddings = faces.embeddings_of_subject(connection, row.key, key)
            other = other_embeddings.model_of(connection, row.key)
            others = other_embeddings.of_subject(connection, row.key, key)
            return StoredSubject(found, row.model.id, enrolled, embeddings, other, others)

    async def collection_model(self, collection: str) -> EmbeddingModel | None:
        """Return the model that made the embeddings of the collection. None if it has no face. Reads no record."""
        self._require_finished(collection)
        return self.face_search.known_model(collection) or await self._built_model(collection)

    @in_thread
    def _built_model(self, collection: str) -> EmbeddingModel | None:
        return self.face_search.model(collection)

    @in_thread
    def stored_model(self, collection: str) -> EmbeddingModel | None:
        """Return the model that made the embeddings of the collection, as the records say. None if it has no face."""
        with self._database.reading() as connection:
            return collections.find(connection, collection).model

    @in_thread
    def count_faces(self, collection: str) -> int:
        """Return how many faces the collection has. Reads no record."""
        self._require_finished(collection)
        return self.face_search.count_faces(collection)

    @in_thread
    def references(self, collection: str, model: EmbeddingModel) -> tuple[list[EnrolledFace], Embeddings]:
        """Return all faces of the collection in the order of enrolment, and their embeddings, (n, d) float32.

        model: the model that must have made them. Raises ModelMismatch.
        """
        self._retention.expire(collection)
        with self._database.reading() as connection:
            row = collections.find(connection, collection)
            model.require_same(row.model)
            if row.model is None:
                return [], np.empty((0, model.dimension), np.float32)
            return faces.list_all(connection, row.key), faces.references(connection, row.key, model).embeddings

    @in_thread
    def draw_people(self, collection: str, model: EmbeddingModel) -> DrawnPeople:
        """Draw subjects to measure how often they match. Raises TooFewPeople or ModelMismatch."""
        self._retention.expire(collection)
        with self._database.reading() as connection:
            row = collections.find(connection, collection)
            model.require_same(row.model)
            return calibration.draw_people(connection, row.key)

    @in_thread
    def get_calibration(self, collection: str) -> CollectionCalibration:
        """Return the collection's own calibration. Raises CalibrationNotFound."""
        with self._database.reading() as connection:
            return calibration.get(connection, collections.find(connection, collection).key)

    async def search(self, collection: str, probes: Embeddings, k: int, model: EmbeddingModel) -> Found:
        """Find up to k subjects for each probe, nearest first. Return also how many faces were searched.

        Searches that wait go together into one call. probes: (n, d) float32, unit length.
        model: the model that must have made the embeddings of the collection. The probes may be of another model: the
        caller checks that the two are compatible. Raises ModelMismatch.
        """
        self._require_finished(collection)
        return await self._searches.run(SearchQuestion(collection, k, model), probes)

    def search_together(self, question: SearchQuestion, probes: Embeddings) -> Found:
        """Search for all requests that ask this question, in this thread. Raises what `search` raises."""
        self._retention.expire(question.collection)
        return self.face_search.find(question, probes)

    def _require_finished(self, collection: str) -> None:
        """Raise ImportUnfinished or CollectionNotFound if the collection is not searched. Reads no record."""
        require_collection(collection)
        if collection in self._unfinished:
            raise ImportUnfinished

    def _read_states(self) -> None:
        with self._database.reading() as connection:
            self._with_own_calibration = calibration.collections_with_own(connection)
            self._unfinished = collections.unfinished(connection)

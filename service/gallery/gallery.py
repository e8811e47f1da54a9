"""The gallery: collections of subjects and their enrolled faces.

The records are the truth, and each collection has an index that is made from them. A change is committed to the records
first, then made in the index, and only then acknowledged. So an enrolled face is found by the next search.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import chain

from service.domain.embedding import check_embedding
from service.domain.errors import CollectionNotFound, InvalidOption, TooFewPeople
from service.gallery.backup.collection_import import CollectionImports
from service.gallery.base import (
    NO_GALLERY_LOG,
    Collection,
    CollectionChanges,
    Deleted,
    DrawnPeople,
    EmbeddingModel,
    EnrolledFace,
    EnrolmentOutcome,
    FaceOfSubject,
    FaceToEnrol,
    GalleryLog,
    Subject,
    SubjectChanges,
    SubjectToCreate,
)
from service.gallery.reader import GalleryReader
from service.gallery.records.database import Database
from service.gallery.records.grouped_changes import GroupedChanges
from service.gallery.records.statements import collections, faces, storage, subjects, transactions
from service.gallery.records.statements.kept import crops
from service.gallery.records.statements.rules import calibration, retention
from service.gallery.reembedding import Reembeddings
from service.gallery.retention import utc_now
from service.gallery.search.face_search import OpenSearch
from service.gallery.threads import in_changing_thread, in_thread
from service.model_files.own_calibration import CollectionCalibration
from service.observability.outcomes import note_subject

DEFAULT_COLLECTION = "default"


class Gallery(GalleryReader):
    """What the decisions and routes call. Safe to use from several tasks at once.

    Every method raises StorageUnavailable if the records cannot be read or written, and then nothing was changed. A
    method that names a collection, subject or face raises CollectionNotFound, SubjectNotFound or FaceNotFound.

    open_search: opens what searches the faces. log: the audit log. now: returns the time by which faces expire.
    imports: stores collections from files. reembeddings: embeddings by another model.
    """

    def __init__(
        self,
        database: Database,
        open_search: OpenSearch,
        log: GalleryLog = NO_GALLERY_LOG,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        with database.writing() as connection:
            storage.note_changed_settings(connection)
            collections.ensure(connection, DEFAULT_COLLECTION)
        self._log = log
        super().__init__(database, open_search, self._log, now)
        self._enrolments = GroupedChanges(database, self._writing, self._index_enrolled)
        self._deletions = GroupedChanges(database, self._writing, self._erase_deleted)
        self.imports = CollectionImports(
            database, self.face_search, self._writing, self.read_settings, self.changing_threads
        )
        threads = self.threads, self.changing_threads
        self.reembeddings = Reembeddings(database, self.face_search, self._writing, self._note_switch, threads)

    @in_thread
    def check(self) -> None:
        """Check that the records can be read, and that the search agrees with them.

        Raises StorageUnavailable otherwise, or IndexBuilding while a large index is built. While a
        change takes long, only the records are read.
        """
        self._database.check_files()
        with self._database.reading() as connection:
            storage.require_readable(connection)
        self.face_search.check()

    @in_changing_thread
    def create_collection(self, collection: str, expires_after_days: int | None = None) -> tuple[Collection, bool]:
        """Create the collection if it does not exist. Return whether it is new.

        expires_after_days: faces are deleted at this age. None: never. A collection that exists is not changed.
        """
        with self._writing:
            with self._database.writing() as connection:
                storage.note_changed_settings(connection)
                is_new = collections.create(connection, collection, expires_after_days)
                created = collections.get(connection, collection)
            if is_new:
                self.face_search.add_collection(collection)
                self.read_settings()
        return created, is_new

    @in_changing_thread
    def change_collection(self, collection: str, changes: CollectionChanges) -> Collection:
        """Change the given fields of the collection. Faces that are too old now are deleted soon.

        Raises CalibrationNotFound if it is set to its own calibration and has none.
        """
        with self._writing:
            with self._database.writing() as connection:
                storage.note_changed_settings(connection)
                key = collections.find(connection, collection).key
                if "calibration" in changes:
                    calibration.choose(connection, key, changes["calibration"])
                if "expires_after_days" in changes:
                    retention.set_expiry(connection, key, changes["expires_after_days"])
                changed = collections.get(connection, collection)
            self.read_settings()
        return changed

    @in_changing_thread
    def save_calibration(self, collection: str, people: DrawnPeople, measured: CollectionCalibration) -> None:
        """Store what was measured on these people.

        Raises CollectionNotFound or TooFewPeople if the collection was deleted or emptied meanwhile.
        """
        with self._writing, self._database.writing() as connection:
            row = collections.find(connection, collection)
            if row.key != people.collection:
                raise CollectionNotFound
            if row.model is None or row.model.id != measured.model_id:
                raise TooFewPeople(0)
            calibration.save(connection, row.key, measured)

    @in_changing_thread
    def delete_calibration(self, collection: str) -> None:
        """Delete the calibration of the collection. Raises CalibrationNotFound."""
        with self._writing:
            with self._database.writing() as connection:
                storage.note_changed_settings(connection)
                calibration.remove(connection, collections.find(connection, collection).key)
            self.read_settings()

    @in_changing_thread
    def delete_collection(self, collection: str) -> None:
        """Delete the collection and all it holds. If it is `default`, it is created again at once, empty."""
        with self._writing:
            with self._database.erasing() as connection:
                storage.note_changed_settings(connection)
                transactions.delete_collection(connection, collection)
                collections.ensure(connection, DEFAULT_COLLECTION)
            if collection == DEFAULT_COLLECTION:
                self.face_search.add_collection(collection)
            elif collection in self.face_search:  # one whose import is not finished is not searched
                self.face_search.remove_collection(collection)
            self.read_settings()

    @in_changing_thread
    def create_subject(self, collection: str, new: SubjectToCreate) -> Subject:
        """Create a subject. Raises SubjectExists."""
        with self._writing, self._database.writing() as connection:
            created = subjects.create(connection, collections.find(connection, collection).key, new)
        note_subject(collection, created.id)
        return created

    @in_changing_thread
    def put_subject(
        self, collection: str, subject: str, name: str | None, metadata: dict[str, object]
    ) -> tuple[Subject, bool]:
        """Create the subject, or replace its name and metadata. Its faces stay. Return whether it is new."""
        with self._writing:
            with self._database.writing() as connection:
                key = collections.find(connection, collection).key
                fields = SubjectChanges(name=name, metadata=metadata)
                put, is_new = subjects.put(connection, key, subject, fields)
                if not is_new:
                    storage.set_needs_rewrite(connection)
            if not is_new:
                self._database.erase_replaced_content()
        return put, is_new

    @in_changing_thread
    def change_subject(self, collection: str, subject: str, changes: SubjectChanges) -> Subject:
        """Change the given fields of the subject."""
        with self._writing, self._database.erasing() as connection:
            return subjects.change(connection, collections.find(connection, collection).key, subject, changes)

    @in_changing_thread
    def delete_subject(self, collection: str, subject: str) -> None:
        """Delete the subject and its faces."""
        self._deletions.make(collection, partial(transactions.delete_subject, collection=collection, subject=subject))

    @in_changing_thread
    def merge_subjects(self, collection: str, subject: str, merged: str) -> tuple[Subject, int]:
        """Give all faces of the subject `merged` to `subject`, and delete `merged`, in one transaction.

        Returns the subject, which keeps its name and metadata, and how many faces it got. Raises InvalidOption.
        """
        if subject == merged:
            raise InvalidOption("A subject cannot be merged with itself. Name another subject in `from`.")
        with self._writing:
            with self._database.erasing() as connection:
                key = collections.find(connection, collection).key
                subject_key = subjects.find_key(connection, key, subject)
                merged_key = subjects.find_key(connection, key, merged, field="from")
                numbers = faces.move_all(connection, key, merged_key, subject_key)
                subjects.remove(connection, key, merged)
                result = subjects.get(connection, key, subject)
            self.face_search.move(collection, numbers, subject_key)
        note_subject(collection, merged)
        return result, len(numbers)

    @in_changing_thread
    def enrol(
        self, collection: str, subject: str, new: Sequence[FaceToEnrol], model: EmbeddingModel
    ) -> list[EnrolmentOutcome]:
        """Store faces in one transaction, and return the outcome of each.

        The first face of a collection binds it to its model. Raises InvalidEmbedding or ModelMismatch.
        """
        checked = [replace(face, embedding=check_embedding(face.embedding, model.dimension)[0]) for face in new]
        store = partial(transactions.enrol, collection=collection, subject=subject, new=checked, model=model)
        return self._enrolments.make(collection, store).outcomes

    @in_changing_thread
    def enrol_block(
        self, collection: str, new: Sequence[FaceOfSubject], model: EmbeddingModel
    ) -> list[EnrolmentOutcome]:
        """Store faces of many subjects in one transaction, and return the outcome of each.

        new: at most a few thousand. Their embeddings were checked, and are of this model.
        A subject that does not exist is created. Raises ModelMismatch.
        """
        store = partial(transactions.enrol_block, collection=collection, new=new, model=model)
        return self._enrolments.make(collection, store).outcomes

    @in_changing_thread
    def move_face(self, collection: str, face: str, subject: str) -> EnrolledFace:
        """Give the face to another subject, and return it. The rest of the face stays as it is."""
        with self._writing:
            with self._database.writing() as connection:
                key = collections.find(connection, collection).key
                former = faces.get(connection, key, face)  # an unknown face is reported before an unknown subject
                subject_key = subjects.find_key(connection, key, subject, field="subject")
                moved = faces.move(connection, key, face, subject_key)
            self.face_search.move(collection, [moved.number], subject_key)
        note_subject(collection, former.subject)
        note_subject(collection, moved.subject)
        return moved

    @in_changing_thread
    def delete_face(self, collection: str, face: str) -> None:
        """Delete the face and its embedding."""
        self._deletions.make(collection, partial(transactions.delete_face, collection=collection, face=face))

    @in_changing_thread
    def delete_crops(self, collection: str) -> None:
        """Delete what is kept of the photographs of the collection. The faces stay."""
        with self._writing, self._database.erasing() as connection:
            crops.remove_all(connection, collections.find(connection, collection).key)

    def read_settings(self) -> None:
        """Read again what the gallery knows of its collections without a record, after a change of one of them."""
        self.face_search.read_collections()
        self._retention.read_rules()
        self._read_states()

    def _note_switch(self, deleted: Deleted) -> None:
        """Record what a change of a model has deleted, and read the settings again."""
        if deleted.faces:
            self._log.record_deleted(deleted)
        self.read_settings()

    def _index_enrolled(self, collection: str, enrolled: Sequence[transactions.Enrolment]) -> None:
        """Add new faces to the index, all with one change."""
        if (stored := transactions.joined_references(enrolled)) is not None:
            self.face_search.add(collection, stored)
            self._retention.note_enrolled(collection)

    def _erase_deleted(self, collection: str, deleted: Sequence[Sequence[int]]) -> None:
        """Remove deleted faces from the disk and from the index. deleted: the numbers of the faces."""
        self._database.erase_replaced_content()
        self.face_search.remove(collection, list(chain.from_iterable(deleted)))

    def expire_all(self) -> None:
        """Delete what is older than its collection keeps it. The thread of the gallery calls this."""
        self._retention.expire_all()

    def note_audit_head(self) -> None:
        """Note the last durable line of the audit log in the records, if it is another one than before."""
        head = self._log.durable_head()
        if head is not None and head != self.noted_audit_head():
            with self._database.writing() as connection:
                storage.note_audit_head(connection, *head)

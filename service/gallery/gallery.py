"""The gallery: collections of subjects and their enrolled faces.

The records are the truth, and each collection has an index that is made from them. A change is committed to the records
first, then made in the index, and only then acknowledged. So an enrolled face is found by the next search.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import chain

from service.domain.embedding import check_embedding
from service.domain.errors import CollectionNotFound, InvalidOption, StorageUnavailable, TooFewPeople
from service.gallery.base import (
    NO_GALLERY_LOG,
    Collection,
    CollectionChanges,
    DrawnPeople,
    EmbeddingModel,
    EnrolledFace,
    EnrolmentOutcome,
    FaceChecksum,
    FaceOfSubject,
    FaceToEnrol,
    GalleryLog,
    Subject,
    SubjectChanges,
    SubjectToCreate,
)
from service.gallery.indexes.base import NO_SNAPSHOTS, CreateIndex, Snapshots
from service.gallery.reader import GalleryReader
from service.gallery.records.database import Database
from service.gallery.records.grouped_changes import GroupedChanges
from service.gallery.records.statements import (
    calibration,
    collections,
    faces,
    retention,
    storage,
    subjects,
    transactions,
)
from service.gallery.retention import utc_now
from service.gallery.threads import in_changing_thread, in_thread
from service.model_files.own_calibration import CollectionCalibration
from service.observability.outcomes import note_subject

DEFAULT_COLLECTION = "default"
CHECK_WAIT_S = 0.5
"""How long the check waits for a change. A change can wait for a rewrite of the database, and the check may not."""
CHECKSUMS_S = 300.0
"""How often the check reads all checksums of the records again, although nothing was changed."""


class Gallery(GalleryReader):
    """What the decisions and routes call. Safe to use from several tasks at once.

    Every method raises StorageUnavailable if the records cannot be read or written, and then nothing was changed. A
    method that names a collection, subject or face raises CollectionNotFound, SubjectNotFound or FaceNotFound.

    snapshots: what large indexes leave for the next start. log: the audit log.
    now: returns the time by which faces expire.
    """

    def __init__(
        self,
        database: Database,
        create_index: CreateIndex,
        log: GalleryLog = NO_GALLERY_LOG,
        now: Callable[[], datetime] = utc_now,
        snapshots: Snapshots = NO_SNAPSHOTS,
    ) -> None:
        with database.writing() as connection:
            collections.ensure(connection, DEFAULT_COLLECTION)
        self._log = log
        super().__init__(database, create_index, self._log, now, snapshots)
        self._enrolments = GroupedChanges(database, self._writing, self._index_enrolled)
        self._deletions = GroupedChanges(database, self._writing, self._erase_deleted)
        self._checksums: Mapping[str, FaceChecksum] = {}
        self._checksums_commits, self._checksums_until_s = -1, 0.0

    @in_thread
    def check(self) -> None:
        """Check that the records can be read, and that every index in memory holds the faces of the records.

        Raises StorageUnavailable otherwise. An index that disagrees is built again, so the next check succeeds. While a
        change takes long, only the records are read. Raises IndexBuilding while a large index is built.
        """
        self._database.check_files()
        with self._database.reading() as connection:
            storage.require_readable(connection)
        if self._writing.acquire(timeout=CHECK_WAIT_S):
            try:
                if self.indexes.rebuild_where_wrong(self._read_checksums()):
                    raise StorageUnavailable
            finally:
                self._writing.release()
        self.indexes.require_built()

    @in_changing_thread
    def create_collection(self, collection: str, expires_after_days: int | None = None) -> tuple[Collection, bool]:
        """Create the collection if it does not exist. Return whether it is new.

        expires_after_days: faces are deleted at this age. None: never. A collection that exists is not changed.
        """
        with self._writing:
            with self._database.writing() as connection:
                is_new = collections.create(connection, collection, expires_after_days)
                created = collections.get(connection, collection)
            if is_new:
                self.indexes.put_empty(collection)
                self._read_settings()
        return created, is_new

    @in_changing_thread
    def change_collection(self, collection: str, changes: CollectionChanges) -> Collection:
        """Change the given fields of the collection. Faces that are too old now are deleted soon.

        Raises CalibrationNotFound if it is set to its own calibration and has none.
        """
        with self._writing:
            with self._database.writing() as connection:
                key = collections.find(connection, collection).key
                if "calibration" in changes:
                    calibration.choose(connection, key, changes["calibration"])
                if "expires_after_days" in changes:
                    retention.set_expiry(connection, key, changes["expires_after_days"])
                changed = collections.get(connection, collection)
            self._read_settings()
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
                calibration.remove(connection, collections.find(connection, collection).key)
            self._read_settings()

    @in_changing_thread
    def delete_collection(self, collection: str) -> None:
        """Delete the collection and all it holds. If it is `default`, it is created again at once, empty."""
        with self._writing:
            with self._database.erasing() as connection:
                collections.remove(connection, collection)
                collections.ensure(connection, DEFAULT_COLLECTION)
            if collection == DEFAULT_COLLECTION:
                self.indexes.put_empty(collection)
            else:
                self.indexes.remove(collection)
            self._read_settings()

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
            self.indexes[collection].move(numbers, subject_key)
        note_subject(collection, merged)
        return result, len(numbers)

    @in_changing_thread
    def enrol(
        self, collection: str, subject: str, new: Sequence[FaceToEnrol], model: EmbeddingModel
    ) -> list[EnrolmentOutcome]:
        """Store faces in one transaction, and return the outcome of each.

        The first face of a collection binds it to its model. Raises InvalidEmbedding or ModelMismatch.
        """
        checked = [FaceToEnrol(face.image_sha256, check_embedding(face.embedding, model.dimension)[0]) for face in new]
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
            self.indexes[collection].move([moved.number], subject_key)
        note_subject(collection, former.subject)
        note_subject(collection, moved.subject)
        return moved

    @in_changing_thread
    def delete_face(self, collection: str, face: str) -> None:
        """Delete the face and its embedding."""
        self._deletions.make(collection, partial(transactions.delete_face, collection=collection, face=face))

    def _read_checksums(self) -> Mapping[str, FaceChecksum]:
        """Return the checksums of the records. A million faces take 0.3 s, so they are read only now and then."""
        commits, now_s = self._database.commits, time.monotonic()
        if commits != self._checksums_commits or now_s >= self._checksums_until_s:
            with self._database.reading() as connection:
                self._checksums = collections.checksums(connection)
            self._checksums_commits, self._checksums_until_s = commits, now_s + CHECKSUMS_S
        return self._checksums

    def _read_settings(self) -> None:
        """Read again what the gallery knows of its collections without a record, after a change of one of them."""
        self._retention.read_rules()
        self._read_calibration_sources()

    def _index_enrolled(self, collection: str, enrolled: Sequence[transactions.Enrolment]) -> None:
        """Add new faces to the index, all with one change."""
        if (stored := transactions.joined_references(enrolled)) is not None:
            self.indexes[collection].add(stored)
            self._retention.note_enrolled(collection)

    def _erase_deleted(self, collection: str, deleted: Sequence[Sequence[int]]) -> None:
        """Remove deleted faces from the disk and from the index. deleted: the numbers of the faces."""
        self._database.erase_replaced_content()
        self.indexes[collection].remove(list(chain.from_iterable(deleted)))

    def expire_all(self) -> None:
        """Delete what is older than its collection keeps it. The thread of the gallery calls this."""
        self._retention.expire_all()

    def note_audit_head(self) -> None:
        """Note the last durable line of the audit log in the records, if it is another one than before."""
        head = self._log.durable_head()
        if head is not None and head != self.noted_audit_head():
            with self._database.writing() as connection:
                storage.note_audit_head(connection, *head)

"""The gallery: collections of people and their faces. Records are the truth; an index a collection finds them.

Every verb is synchronous and thread-safe; callers run it in a bounded pool of threads. A change is committed to the
records first, then made in the index, then acknowledged; whoever enrols finds the face at once.
"""

import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np

from service.domain import Embeddings, check_embedding
from service.errors import CollectionNotFound, StorageUnavailable
from service.galleries import directory, index_builder
from service.galleries.base import (
    BuildIndex,
    Candidate,
    Collection,
    EnrolledFace,
    Enrolment,
    ModelRef,
    NewFace,
    NewSubject,
    Page,
    Subject,
    SubjectChanges,
)
from service.galleries.records import collections, faces, subjects
from service.galleries.records.database import Records
from service.galleries.records.faces import Person
from service.galleries.records.paging import Span
from service.galleries.shelf import Nearest, References, Shelf

DEFAULT_COLLECTION = "default"
DATABASE = "gallery.sqlite3"


class Gallery:
    """What the decisions call.

    Any verb raises StorageUnavailable where the records cannot be read or written, and then nothing was changed; one
    that names a collection, subject or face raises CollectionNotFound, SubjectNotFound or FaceNotFound.
    """

    def __init__(self, records: Records, build: BuildIndex) -> None:
        self._records = records
        self._build = build
        self._owned = ExitStack()
        # One writer: the index takes changes in the order in which the records took them.
        self._writing = threading.Lock()
        with records.writing() as connection:
            collections.create(connection, DEFAULT_COLLECTION)
            ids = list(collections.tallies(connection))
        # Replaced and never changed in place, so that nobody needs a lock to look a shelf up.
        self._shelves = {collection: self._empty_shelf(collection) for collection in ids}
        for shelf in self._shelves.values():
            shelf.rebuild()

    @classmethod
    def open(cls, data_dir: Path, index: str) -> Self:
        """Opens the records in the directory, brings them to this version's form and builds the indexes from them.

        The directory is created if it is not there, and owned until `close`. index: a name of `galleries.INDEXES` or
        a factory string of FAISS. Raises InvalidSettings, DataDirectoryInUse or DataDirectoryUnusable.
        """
        build = index_builder(index)
        build(dimension=1)  # a name that cannot be built stops the start, not the first enrolment
        with ExitStack() as opened:
            opened.enter_context(directory.own(data_dir))
            try:
                records = opened.enter_context(closing(Records(data_dir / DATABASE)))
                records.upgrade()
                gallery = cls(records, build)
            except StorageUnavailable as error:
                raise directory.unusable(data_dir / DATABASE, error.__cause__) from None
            gallery._owned = opened.pop_all()
            return gallery

    def close(self) -> None:
        """Empties the journal and lets go of the directory."""
        self._owned.close()

    @property
    def size(self) -> int:
        """How many faces there are in all collections together."""
        return sum(len(shelf) for shelf in self._shelves.values())

    def check(self) -> None:
        """Raises StorageUnavailable unless the records can be read and every index holds the faces that they hold.

        An index that does not is made again, so that the next check finds it mended.
        """
        with self._writing:
            with self._records.reading() as connection:
                tallies = collections.tallies(connection)
            wrong = [shelf for collection, shelf in self._shelves.items() if shelf.tally() != tallies[collection]]
            for shelf in wrong:
                shelf.rebuild()
        if wrong:
            raise StorageUnavailable

    def create_collection(self, collection: str) -> tuple[Collection, bool]:
        """And whether it is new; again changes nothing."""
        with self._writing:
            with self._records.writing() as connection:
                is_new = collections.create(connection, collection)
                created = collections.get(connection, collection)
            if is_new:
                self._shelves = self._shelves | {collection: self._empty_shelf(collection)}
        return created, is_new

    def collection(self, collection: str) -> Collection:
        """The collection of this id."""
        with self._records.reading() as connection:
            return collections.get(connection, collection)

    def collections(self, limit: int, after: str | None) -> Page[Collection]:
        """All of them, in the order of their ids."""
        with self._records.reading() as connection:
            return collections.listed(connection, Span(limit, after))

    def delete_collection(self, collection: str) -> None:
        """With all that is in it. The collection `default` is there again at once, and empty."""
        with self._writing:
            with self._records.writing() as connection:
                collections.remove(connection, collection)
                collections.create(connection, DEFAULT_COLLECTION)
            others = {other: shelf for other, shelf in self._shelves.items() if other != collection}
            self._shelves = {DEFAULT_COLLECTION: self._empty_shelf(DEFAULT_COLLECTION)} | others
            self._records.empty_journal()

    def create_subject(self, collection: str, new: NewSubject) -> Subject:
        """Raises SubjectExists."""
        with self._writing, self._records.writing() as connection:
            return subjects.create(connection, collections.place(connection, collection).key, new)

    def put_subject(
        self, collection: str, subject: str, name: str | None, metadata: dict[str, object]
    ) -> tuple[Subject, bool]:
        """Makes the subject be as given, whether or not it was there, and says whether it is new. Its faces stay."""
        with self._writing, self._records.writing() as connection:
            key = collections.place(connection, collection).key
            return subjects.put(connection, key, subject, SubjectChanges(name=name, metadata=metadata))

    def subject(self, collection: str, subject: str) -> Subject:
        """The subject of this id."""
        with self._records.reading() as connection:
            return subjects.get(connection, collections.place(connection, collection).key, subject)

    def subjects(self, collection: str, limit: int, after: str | None) -> Page[Subject]:
        """All of the collection, in the order of their ids."""
        with self._records.reading() as connection:
            return subjects.listed(connection, collections.place(connection, collection).key, Span(limit, after))

    def change_subject(self, collection: str, subject: str, changes: SubjectChanges) -> Subject:
        """What is absent in the changes stays as it is."""
        with self._writing, self._records.writing() as connection:
            return subjects.change(connection, collections.place(connection, collection).key, subject, changes)

    def delete_subject(self, collection: str, subject: str) -> None:
        """With their faces."""
        with self._writing:
            with self._records.writing() as connection:
                place = collections.place(connection, collection)
                numbers = subjects.remove(connection, place.key, subject)
                collections.unbind_if_empty(connection, place.key)
            self._shelves[collection].remove(numbers)
            self._records.empty_journal()

    def check_enrolment(self, collection: str, subject: str, model: ModelRef) -> None:
        """Raises what `enrol` would, ModelMismatch among it, before a photograph is looked at."""
        with self._records.reading() as connection:
            place = collections.place(connection, collection)
            subjects.key(connection, place.key, subject)
        model.check(place.model)

    def enrol(self, collection: str, subject: str, new: Sequence[NewFace], model: ModelRef) -> list[Enrolment]:
        """What became of each face; all that are stored are stored together.

        The first face of a collection binds it to its model. Raises InvalidEmbedding or ModelMismatch.
        """
        checked = [NewFace(face.image_sha256, check_embedding(face.embedding, model.dimension)[0]) for face in new]
        with self._writing:
            with self._records.writing() as connection:
                place = collections.place(connection, collection)
                key = subjects.key(connection, place.key, subject)
                model.check(place.model)
                outcomes, stored = faces.enrol(connection, place.key, key, checked)
                if stored:
                    collections.bind(connection, place.key, model)
            if stored:
                self._shelves[collection].add(_references(model, key, stored))
        return outcomes

    def face(self, collection: str, face: str) -> EnrolledFace:
        """The face of this id."""
        with self._records.reading() as connection:
            return faces.get(connection, collections.place(connection, collection).key, face)

    def faces(self, collection: str, subject: str, limit: int, after: str | None) -> Page[EnrolledFace]:
        """All of the subject, in the order of their ids."""
        with self._records.reading() as connection:
            place = collections.place(connection, collection)
            key = subjects.key(connection, place.key, subject)
            return faces.listed(connection, place.key, key, Span(limit, after))

    def delete_face(self, collection: str, face: str) -> None:
        """With its vector."""
        with self._writing:
            with self._records.writing() as connection:
                place = collections.place(connection, collection)
                number = faces.remove(connection, place.key, face)
                collections.unbind_if_empty(connection, place.key)
            self._shelves[collection].remove([number])
            self._records.empty_journal()

    def face_vectors(self, collection: str, face: str, model: ModelRef) -> Embeddings:
        """(1, d) float32. model: what is to have made it. Raises ModelMismatch."""
        with self._records.reading() as connection:
            place = collections.place(connection, collection)
            vectors = faces.vector_of(connection, place.key, face)
        model.check(place.model)
        return vectors

    def subject_vectors(self, collection: str, subject: str, model: ModelRef) -> Embeddings:
        """(n, d) float32, in the order of enrolment. model: what is to have made them.

        Raises SubjectWithoutFaces or ModelMismatch.
        """
        with self._records.reading() as connection:
            place = collections.place(connection, collection)
            vectors = faces.vectors_of(connection, place.key, subjects.key(connection, place.key, subject))
        model.check(place.model)
        return vectors

    def model_of(self, collection: str) -> ModelRef | None:
        """What made the embeddings of the collection's faces, None where it has none; looks at no record."""
        return self._shelf(collection).model()

    def faces_of(self, collection: str) -> int:
        """How many faces the collection has; looks at no record."""
        return len(self._shelf(collection))

    def references(self, collection: str, model: ModelRef) -> tuple[list[EnrolledFace], Embeddings]:
        """Every face of the collection in the order of enrolment, and (n, d) float32. Raises ModelMismatch."""
        with self._records.reading() as connection:
            place = collections.place(connection, collection)
            model.check(place.model)
            if place.model is None:
                return [], np.empty((0, model.dimension), np.float32)
            return faces.every(connection, place.key), faces.references(connection, place.key, model).embeddings

    def search(self, collection: str, probes: Embeddings, k: int, model: ModelRef) -> tuple[list[list[Candidate]], int]:
        """For each probe up to `k` subjects, nearest first, and the number of faces that were searched.

        probes: (n, d) float32, unit length. model: what is to have made the collection's faces; whether probes of
        another may meet them is for the caller to know. Raises ModelMismatch.
        """
        nearest, searched = self._shelf(collection).search(probes, k, model)
        with self._records.reading() as connection:
            people = faces.people(connection, {one.number for row in nearest for one in row})
        return [_candidates(row, people) for row in nearest], searched

    def _shelf(self, collection: str) -> Shelf:
        try:
            return self._shelves[collection]
        except KeyError:
            raise CollectionNotFound from None

    def _empty_shelf(self, collection: str) -> Shelf:
        return Shelf(partial(self._load, collection), self._build)

    def _load(self, collection: str) -> References | None:
        with self._records.reading() as connection:
            place = collections.place(connection, collection)
            return faces.references(connection, place.key, place.model) if place.model else None


def _references(model: ModelRef, subject: int, stored: Mapping[int, NewFace]) -> References:
    numbers = np.array(list(stored), np.int64)
    embeddings = np.stack([face.embedding for face in stored.values()])
    return References(model, numbers, np.full(len(stored), subject, np.int64), embeddings)


def _candidates(nearest: Sequence[Nearest], people: Mapping[int, Person]) -> list[Candidate]:
    """Those whose face was deleted since the search are left out."""
    found = [(people[one.number], one.distance) for one in nearest if one.number in people]
    return [Candidate(person.subject, person.name, distance, person.face) for person, distance in found]

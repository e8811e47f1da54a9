"""After any sequence of changes, the gallery holds the same as dictionaries that get the same changes."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from service.domain.distances import squared_l2
from service.domain.errors import CollectionNotFound, FaceNotFound, InvalidOption, SubjectNotFound
from service.gallery.base import EnrolledBefore, EnrolledForAnother, EnrolledNow, EnrolmentOutcome
from service.gallery.gallery import DEFAULT_COLLECTION
from tests.service.gallery.random_faces import MODEL, make_embeddings, make_faces
from tests.support.blocking_gallery import BlockingGallery

PHOTOGRAPHS, PROBE = make_faces(8), make_embeddings(1, seed=1)
COLLECTIONS = st.sampled_from([DEFAULT_COLLECTION, "left"])
SUBJECTS = st.sampled_from(["anna", "berta", "carla"])
PHOTOGRAPH_NUMBERS = st.integers(0, len(PHOTOGRAPHS) - 1)


class RandomChanges(RuleBasedStateMachine):
    """Makes random changes in a gallery and in `expected`, and compares them after each change.

    expected: by collection, subject and photograph, the id of the enrolled face.
    """

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.gallery = BlockingGallery.open(self.folder, "faiss")
        self.expected: dict[str, dict[str, dict[int, str]]] = {DEFAULT_COLLECTION: {}}

    def teardown(self) -> None:
        self.gallery.close()
        shutil.rmtree(self.folder)

    @rule(collection=COLLECTIONS)
    def create_collection(self, collection: str) -> None:
        assert self.gallery.create_collection(collection)[1] == (collection not in self.expected)
        self.expected.setdefault(collection, {})

    @rule(collection=COLLECTIONS)
    def delete_collection(self, collection: str) -> None:
        if collection not in self.expected:
            with pytest.raises(CollectionNotFound):
                self.gallery.delete_collection(collection)
            return
        self.gallery.delete_collection(collection)
        del self.expected[collection]
        self.expected.setdefault(DEFAULT_COLLECTION, {})

    @rule(collection=COLLECTIONS, subject=SUBJECTS)
    def put_subject(self, collection: str, subject: str) -> None:
        if collection in self.expected:
            _, is_new = self.gallery.put_subject(collection, subject, None, {})
            assert is_new == (subject not in self.expected[collection])
            self.expected[collection].setdefault(subject, {})

    @rule(collection=COLLECTIONS, subject=SUBJECTS)
    def delete_subject(self, collection: str, subject: str) -> None:
        if subject in self.expected.get(collection, {}):
            self.gallery.delete_subject(collection, subject)
            del self.expected[collection][subject]
        else:
            with pytest.raises((CollectionNotFound, SubjectNotFound)):
                self.gallery.delete_subject(collection, subject)

    @rule(collection=COLLECTIONS, subject=SUBJECTS, photographs=st.lists(PHOTOGRAPH_NUMBERS, max_size=4))
    def enrol(self, collection: str, subject: str, photographs: list[int]) -> None:
        if subject not in self.expected.get(collection, {}):
            return
        people = self.expected[collection]
        outcomes: list[EnrolmentOutcome] = self.gallery.enrol(
            collection, subject, [PHOTOGRAPHS[photograph] for photograph in photographs], MODEL
        )
        for photograph, outcome in zip(photographs, outcomes, strict=True):
            owner = next((name for name, face_ids in people.items() if photograph in face_ids), None)
            outcome_type = {None: EnrolledNow, subject: EnrolledBefore}.get(owner, EnrolledForAnother)
            assert type(outcome) is outcome_type
            if owner is None:
                people[subject][photograph] = outcome.face
            else:
                assert outcome.face == people[owner][photograph]

    @rule(collection=COLLECTIONS, photograph=PHOTOGRAPH_NUMBERS)
    def delete_face(self, collection: str, photograph: int) -> None:
        for face_ids in self.expected.get(collection, {}).values():
            if photograph in face_ids:
                face = face_ids.pop(photograph)
                self.gallery.delete_face(collection, face)
                with pytest.raises(FaceNotFound):
                    self.gallery.delete_face(collection, face)

    @rule(collection=COLLECTIONS, photograph=PHOTOGRAPH_NUMBERS, subject=SUBJECTS)
    def move_face(self, collection: str, photograph: int, subject: str) -> None:
        people = self.expected.get(collection, {})
        owner = next((name for name, face_ids in people.items() if photograph in face_ids), None)
        if owner is None:
            return
        face = people[owner][photograph]
        if subject in people:
            assert self.gallery.move_face(collection, face, subject).subject == subject
            people[subject][photograph] = people[owner].pop(photograph)
        else:
            with pytest.raises(SubjectNotFound):
                self.gallery.move_face(collection, face, subject)

    @rule(collection=COLLECTIONS, subject=SUBJECTS, other=SUBJECTS)
    def merge_subjects(self, collection: str, subject: str, other: str) -> None:
        people = self.expected.get(collection, {})
        if subject in people and other in people and subject != other:
            merged, moved = self.gallery.merge_subjects(collection, subject, other)
            assert moved == len(people[other])
            people[subject] |= people.pop(other)
            assert merged.faces == len(people[subject])
        else:
            with pytest.raises((CollectionNotFound, SubjectNotFound, InvalidOption)):
                self.gallery.merge_subjects(collection, subject, other)

    @rule()
    def open_again(self) -> None:
        self.gallery.close()
        self.gallery = BlockingGallery.open(self.folder, "faiss")

    @invariant()
    def the_index_agrees_with_the_records(self) -> None:
        self.gallery.check()

    @invariant()
    def every_collection_holds_the_expected_faces(self) -> None:
        listed = {collection.id: collection for collection in self.gallery.list_collections(10, None).items}
        assert list(listed) == sorted(self.expected)
        for name, people in self.expected.items():
            face_counts = {subject.id: subject.faces for subject in self.gallery.list_subjects(name, 10, None).items}
            assert face_counts == {subject: len(face_ids) for subject, face_ids in people.items()}
            assert listed[name].faces == sum(face_counts.values())
            assert listed[name].model_id == (MODEL.id if listed[name].faces else None)

    @invariant()
    def every_search_finds_the_nearest_face_of_each_subject(self) -> None:
        for name, people in self.expected.items():
            (candidates,), searched = self.gallery.search(name, PROBE, 10, MODEL)
            assert searched == sum(map(len, people.values()))
            assert [(candidate.subject, candidate.face) for candidate in candidates] == _nearest(people)


def _nearest(people: dict[str, dict[int, str]]) -> list[tuple[str, str]]:
    distances = squared_l2(PROBE, np.stack([face.embedding for face in PHOTOGRAPHS]))[0]
    nearest_photographs = {
        subject: min(face_ids, key=lambda photograph: distances[photograph])
        for subject, face_ids in people.items()
        if face_ids
    }
    return [
        (subject, people[subject][nearest_photographs[subject]])
        for subject in sorted(nearest_photographs, key=lambda subject: distances[nearest_photographs[subject]])
    ]


TestRandomChanges = pytest.mark.slow(RandomChanges.TestCase)
TestRandomChanges.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, database=None, derandomize=True
)

"""Any sequence of changes leaves what a dictionary would hold."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from service.distances import squared_l2
from service.errors import CollectionNotFound, FaceNotFound, SubjectNotFound
from service.galleries.base import Elsewhere, Enrolled, Known
from service.galleries.gallery import DEFAULT_COLLECTION, Gallery
from tests.service.galleries.made_up import MODEL, faces, vectors

PHOTOGRAPHS, PROBE = faces(8), vectors(1, seed=1)
COLLECTIONS = st.sampled_from([DEFAULT_COLLECTION, "left"])
SUBJECTS = st.sampled_from(["anna", "berta", "carla"])
SHOWN = st.integers(0, len(PHOTOGRAPHS) - 1)


class AnyChanges(RuleBasedStateMachine):
    """The model: for each collection its subjects, and for each of these their photographs' face ids."""

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.gallery = Gallery.open(self.folder, "faiss")
        self.model: dict[str, dict[str, dict[int, str]]] = {DEFAULT_COLLECTION: {}}

    def teardown(self) -> None:
        self.gallery.close()
        shutil.rmtree(self.folder)

    @rule(collection=COLLECTIONS)
    def create_collection(self, collection: str) -> None:
        assert self.gallery.create_collection(collection)[1] == (collection not in self.model)
        self.model.setdefault(collection, {})

    @rule(collection=COLLECTIONS)
    def delete_collection(self, collection: str) -> None:
        if collection not in self.model:
            with pytest.raises(CollectionNotFound):
                self.gallery.delete_collection(collection)
            return
        self.gallery.delete_collection(collection)
        del self.model[collection]
        self.model.setdefault(DEFAULT_COLLECTION, {})

    @rule(collection=COLLECTIONS, subject=SUBJECTS)
    def put_subject(self, collection: str, subject: str) -> None:
        if collection in self.model:
            _, is_new = self.gallery.put_subject(collection, subject, None, {})
            assert is_new == (subject not in self.model[collection])
            self.model[collection].setdefault(subject, {})

    @rule(collection=COLLECTIONS, subject=SUBJECTS)
    def delete_subject(self, collection: str, subject: str) -> None:
        if subject in self.model.get(collection, {}):
            self.gallery.delete_subject(collection, subject)
            del self.model[collection][subject]
        else:
            with pytest.raises((CollectionNotFound, SubjectNotFound)):
                self.gallery.delete_subject(collection, subject)

    @rule(collection=COLLECTIONS, subject=SUBJECTS, shown=st.lists(SHOWN, max_size=4))
    def enrol(self, collection: str, subject: str, shown: list[int]) -> None:
        if subject not in self.model.get(collection, {}):
            return
        people = self.model[collection]
        outcomes = self.gallery.enrol(collection, subject, [PHOTOGRAPHS[one] for one in shown], MODEL)
        for one, outcome in zip(shown, outcomes, strict=True):
            owner = next((name for name, theirs in people.items() if one in theirs), None)
            expected = {None: Enrolled, subject: Known}.get(owner, Elsewhere)
            assert type(outcome) is expected
            if owner is None:
                people[subject][one] = outcome.face
            else:
                assert outcome.face == people[owner][one]

    @rule(collection=COLLECTIONS, shown=SHOWN)
    def delete_face(self, collection: str, shown: int) -> None:
        for theirs in self.model.get(collection, {}).values():
            if shown in theirs:
                face = theirs.pop(shown)
                self.gallery.delete_face(collection, face)
                with pytest.raises(FaceNotFound):
                    self.gallery.delete_face(collection, face)

    @rule()
    def open_again(self) -> None:
        self.gallery.close()
        self.gallery = Gallery.open(self.folder, "faiss")

    @invariant()
    def index_and_records_agree(self) -> None:
        self.gallery.check()

    @invariant()
    def every_collection_holds_what_the_model_holds(self) -> None:
        listed = {collection.id: collection for collection in self.gallery.collections(10, None).items}
        assert list(listed) == sorted(self.model)
        for name, people in self.model.items():
            held = {subject.id: subject.faces for subject in self.gallery.subjects(name, 10, None).items}
            assert held == {subject: len(theirs) for subject, theirs in people.items()}
            assert listed[name].faces == sum(held.values())
            assert listed[name].model_id == (MODEL.id if listed[name].faces else None)

    @invariant()
    def every_search_finds_the_nearest_face_of_each_subject(self) -> None:
        for name, people in self.model.items():
            (candidates,), searched = self.gallery.search(name, PROBE, 10, MODEL)
            assert searched == sum(map(len, people.values()))
            assert [(one.subject, one.face) for one in candidates] == _nearest(people)


def _nearest(people: dict[str, dict[int, str]]) -> list[tuple[str, str]]:
    distances = squared_l2(PROBE, np.stack([photograph.embedding for photograph in PHOTOGRAPHS]))[0]
    best = {subject: min(theirs, key=lambda one: distances[one]) for subject, theirs in people.items() if theirs}
    return [(subject, people[subject][best[subject]]) for subject in sorted(best, key=lambda one: distances[best[one]])]


TestAnyChanges = AnyChanges.TestCase
TestAnyChanges.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, database=None, derandomize=True
)

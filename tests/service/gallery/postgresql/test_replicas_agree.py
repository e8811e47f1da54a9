"""What one replica has acknowledged, the other one answers with at once."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from service.access.secret_file import write_encryption_key
from service.domain.distances import squared_l2
from service.domain.errors import CollectionNotFound, FaceNotFound, ModelMismatch, SubjectNotFound
from service.gallery.base import CollectionChanges, EmbeddingModel, SubjectChanges
from service.gallery.gallery import DEFAULT_COLLECTION
from service.gallery.search_values import Found
from service.model_files.calibration import OwnCalibration
from service.model_files.own_calibration import CollectionCalibration
from tests.service.gallery.postgresql.conftest import OpenReplica, Replica
from tests.service.gallery.random_faces import MODEL, OTHER_MODEL, make_embeddings, make_face, make_faces
from tests.support.calibrations import calibration_fields

PHOTOGRAPHS, PROBES = make_faces(30), make_embeddings(2, seed=1)
LARGER_MODEL = EmbeddingModel("c" * 64, 32)
ALL_DISTANCES = squared_l2(PROBES, np.stack([face.embedding for face in PHOTOGRAPHS]))
People = dict[str, dict[int, str]]
"""By subject and photograph, the id of the enrolled face."""


def found_subjects(found: Found) -> list[list[tuple[str, str]]]:
    return [[(candidate.subject, candidate.face) for candidate in row] for row in found[0]]


def expected_subjects(people: People) -> list[list[tuple[str, str]]]:
    rows = []
    for distances in ALL_DISTANCES:
        nearest = [
            min((distances[photograph], subject, face) for photograph, face in faces.items())
            for subject, faces in people.items()
            if faces
        ]
        rows.append([(subject, face) for _, subject, face in sorted(nearest)])
    return rows


def require_agreement(replica: Replica, expected: dict[str, People]) -> None:
    """Check all that the replica says of its collections."""
    replica.begin_request()
    listed = {collection.id: collection for collection in replica.list_collections(10, None).items}
    assert list(listed) == sorted(expected)
    assert replica.face_count == sum(len(faces) for people in expected.values() for faces in people.values())
    for name, people in expected.items():
        faces = sum(map(len, people.values()))
        found = replica.search(name, PROBES, 10, MODEL)
        assert found_subjects(found) == expected_subjects(people)
        assert found[1] == faces
        assert listed[name].faces == replica.count_faces(name) == faces
        assert replica.collection_model(name) == (MODEL if faces else None)
        subjects = {subject.id: subject.faces for subject in replica.list_subjects(name, 10, None).items}
        assert subjects == {subject: len(faces) for subject, faces in people.items()}
        if people:
            subject, enrolled = next(iter(people.items()))
            assert {face.id for face in replica.list_faces(name, subject, 100, None).items} == set(enrolled.values())
    assert not any(replica.gallery.has_collection(name) for name in {"left", "right"} - expected.keys())


class Changes:
    """Makes one random change in a replica, and the same one in `expected`."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.expected: dict[str, People] = {DEFAULT_COLLECTION: {}}

    def make(self, replica: Replica) -> None:
        replica.begin_request()
        changes = [self.collection, self.subject, *[self.enrol] * 4, self.delete, self.move, self.merge]
        changes[self.random.integers(len(changes))](replica)

    def collection(self, replica: Replica) -> None:
        name = self.random.choice([DEFAULT_COLLECTION, "left", "right"])
        if name in self.expected and self.random.random() < 0.4:
            replica.delete_collection(name)
            del self.expected[name]
            self.expected.setdefault(DEFAULT_COLLECTION, {})
        else:
            assert replica.create_collection(name)[1] == (name not in self.expected)
            self.expected.setdefault(name, {})

    def subject(self, replica: Replica) -> None:
        name, subject = self._collection(), self._subject()
        if subject in self.expected[name] and self.random.random() < 0.3:
            replica.delete_subject(name, subject)
            del self.expected[name][subject]
        else:
            assert replica.put_subject(name, subject, None, {})[1] == (subject not in self.expected[name])
            self.expected[name].setdefault(subject, {})

    def enrol(self, replica: Replica) -> None:
        name, subject = self._collection(), self._subject()
        people = self.expected[name]
        if subject not in people:
            replica.put_subject(name, subject, None, {})
            people[subject] = {}
        taken = {photograph for faces in people.values() for photograph in faces}
        new = [int(one) for one in self.random.choice(len(PHOTOGRAPHS), 4, replace=False) if one not in taken]
        outcomes = replica.enrol(name, subject, [PHOTOGRAPHS[one] for one in new], MODEL)
        people[subject] |= {one: outcome.face for one, outcome in zip(new, outcomes, strict=True)}

    def delete(self, replica: Replica) -> None:
        name, subject = self._collection(), self._subject()
        for photograph, face in list(self.expected[name].get(subject, {}).items())[:2]:
            replica.delete_face(name, face)
            del self.expected[name][subject][photograph]

    def move(self, replica: Replica) -> None:
        name, subject, other = self._collection(), self._subject(), self._subject()
        people = self.expected[name]
        if people.get(subject) and other in people:
            photograph = next(iter(people[subject]))
            replica.move_face(name, people[subject][photograph], other)
            people[other][photograph] = people[subject].pop(photograph)

    def merge(self, replica: Replica) -> None:
        name, subject, other = self._collection(), self._subject(), self._subject()
        people = self.expected[name]
        if subject in people and other in people and subject != other:
            assert replica.merge_subjects(name, subject, other)[1] == len(people[other])
            people[subject] |= people.pop(other)

    def _collection(self) -> str:
        return str(self.random.choice(sorted(self.expected)))

    def _subject(self) -> str:
        return str(self.random.choice(["anna", "berta", "carla"]))


@pytest.mark.slow
def test_after_each_of_many_changes_the_other_replica_answers_as_dictionaries_do(pair: tuple[Replica, Replica]) -> None:
    changes = Changes(1)
    for _ in range(120):
        place = int(changes.random.integers(2))
        changes.make(pair[place])
        require_agreement(pair[1 - place], changes.expected)
    for replica in pair:
        replica.check()


@pytest.mark.slow
@pytest.mark.parametrize("index", ["faiss"])
def test_replicas_with_encrypted_records_agree(tmp_path: Path, open_replica: OpenReplica) -> None:
    key_file = tmp_path / "key"
    write_encryption_key(key_file)
    pair = open_replica(key_file=key_file), open_replica(key_file=key_file)
    changes = Changes(3)
    for turn in range(40):
        changes.make(pair[turn % 2])
        replica = pair[1 - turn % 2].begin_request()
        for name, people in changes.expected.items():
            assert found_subjects(replica.search(name, PROBES, 10, MODEL)) == expected_subjects(people)


def test_a_name_and_metadata_that_one_replica_changed_are_read_by_the_other(pair: tuple[Replica, Replica]) -> None:
    first, second = pair
    first.put_subject("default", "anna", "Anna", {"room": 1})
    first.enrol("default", "anna", [make_face(1)], MODEL)
    assert second.search("default", PROBES, 1, MODEL)[0][0][0].name == "Anna"
    second.change_subject("default", "anna", SubjectChanges(name="Änna", metadata={"room": 2}))
    found = first.search("default", PROBES, 1, MODEL)[0][0][0]
    assert (found.name, first.get_subject("default", "anna").metadata) == ("Änna", {"room": 2})


def test_a_collection_created_again_has_nothing_of_the_former_one(pair: tuple[Replica, Replica]) -> None:
    first, second = pair
    for replica, other in (pair, pair[::-1]) * 2:
        replica.begin_request().create_collection("staff")
        replica.put_subject("staff", "anna", None, {})
        (outcome,) = replica.enrol("staff", "anna", [make_face(1)], MODEL)
        other.begin_request()
        assert found_subjects(other.search("staff", PROBES[:1], 5, MODEL)) == [[("anna", outcome.face)]]
        other.delete_collection("staff")
        with pytest.raises(CollectionNotFound):
            replica.begin_request().search("staff", PROBES, 5, MODEL)
        other.create_collection("staff")
        assert replica.begin_request().search("staff", PROBES, 5, MODEL) == ([[], []], 0)
        with pytest.raises(SubjectNotFound):
            replica.get_subject("staff", "anna")
        with pytest.raises(FaceNotFound):
            replica.get_face("staff", outcome.face)
        replica.delete_collection("staff")
    assert not first.begin_request().gallery.has_collection("staff")
    assert not second.begin_request().gallery.has_collection("staff")


@pytest.mark.parametrize("other_model", [OTHER_MODEL, LARGER_MODEL], ids=["as_many_numbers", "more_numbers"])
def test_an_emptied_collection_can_be_filled_with_another_model(
    pair: tuple[Replica, Replica], other_model: EmbeddingModel
) -> None:
    first, second = pair
    first.put_subject("default", "anna", None, {})
    (outcome,) = first.enrol("default", "anna", [make_face(1)], MODEL)
    second.search("default", PROBES, 1, MODEL)  # its index is built now
    with pytest.raises(ModelMismatch):
        second.search("default", PROBES, 1, other_model)
    first.delete_face("default", outcome.face)
    vector = np.eye(1, other_model.dimension, dtype=np.float32)
    face = type(make_face(2))("f" * 64, vector[0])
    first.enrol("default", "anna", [face], other_model)
    assert second.gallery.face_search.known_model("default") in {None, other_model}
    assert second.collection_model("default") == other_model
    (candidates,), searched = second.search("default", vector, 1, other_model)
    assert ([candidate.subject for candidate in candidates], searched) == (["anna"], 1)
    with pytest.raises(ModelMismatch):
        second.search("default", PROBES, 1, MODEL)


def test_many_faces_of_one_subject_do_not_hide_the_others_from_another_replica(pair: tuple[Replica, Replica]) -> None:
    first, second = pair
    near = np.tile(PROBES[:1], (300, 1)) + np.random.default_rng(4).normal(scale=0.01, size=(300, 16))
    near = np.asarray(near / np.linalg.norm(near, axis=1, keepdims=True), np.float32)
    for subject in ("anna", "berta"):
        first.put_subject("default", subject, None, {})
    first.enrol("default", "berta", [make_face(9)], MODEL)
    second.search("default", PROBES[:1], 2, MODEL)
    new = [type(make_face(1))(f"{number:064x}", vector) for number, vector in enumerate(near)]
    first.enrol("default", "anna", new, MODEL)
    (candidates,), searched = second.search("default", PROBES[:1], 2, MODEL)
    assert ([candidate.subject for candidate in candidates], searched) == (["anna", "berta"], 301)


def test_a_calibration_of_one_replica_is_used_by_the_other(pair: tuple[Replica, Replica]) -> None:
    first, second = pair
    for number in range(3):
        first.put_subject("default", f"person{number}", None, {})
        first.enrol("default", f"person{number}", make_faces(2, seed=number), MODEL)
    table = OwnCalibration.model_validate(calibration_fields())
    measured = CollectionCalibration(
        table=table, model_id=MODEL.id, measured_at=datetime.now(UTC), subjects=3, copies=0, duplicates=0
    )
    first.save_calibration("default", first.draw_people("default", MODEL), measured)
    assert second.get_calibration("default") == measured
    first.change_collection("default", CollectionChanges(calibration="own"))
    assert second.begin_request().gallery.calibration_source("default") == "own"
    second.delete_calibration("default")
    assert first.begin_request().gallery.calibration_source("default") == "model"


def test_faces_that_another_replica_enrolled_expire_here_too(pair: tuple[Replica, Replica]) -> None:
    """The replica that enrolled them may be gone when they expire."""
    first, second = pair
    first.change_collection("default", CollectionChanges(expires_after_days=1))
    second.begin_request().gallery.expire_all()  # it looks for subjects, and not again for a minute
    first.put_subject("default", "anna", None, {})
    first.enrol("default", "anna", [make_face(1)], MODEL)
    assert second.search("default", PROBES[:1], 1, MODEL)[1] == 1
    second.gallery.expire_all()  # its thread does this every second
    second.gallery._retention._now = lambda: datetime.now(UTC) + timedelta(days=1)  # noqa: SLF001
    assert second.search("default", PROBES[:1], 1, MODEL) == ([[]], 0)
    assert first.search("default", PROBES[:1], 1, MODEL) == ([[]], 0)

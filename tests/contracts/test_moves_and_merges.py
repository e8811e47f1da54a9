"""What a gallery must do with every index when a face moves to another subject, and when two subjects are merged."""

import threading

import numpy as np
import pytest

from service.domain.distances import squared_l2
from service.domain.errors import CollectionNotFound, FaceNotFound, InvalidOption, SubjectNotFound
from service.gallery.base import EnrolledBefore, EnrolledForAnother, SubjectToCreate
from service.gallery.search_values import Candidate
from tests.contracts.conftest import OpenGallery
from tests.service.gallery.random_faces import MODEL, make_embeddings, make_face, make_faces
from tests.support.blocking_gallery import BlockingGallery

PROBES = make_embeddings(3, seed=99)


def enrol(gallery: BlockingGallery, subject: str, count: int, seed: int = 0, collection: str = "default") -> list[str]:
    gallery.create_collection(collection)
    gallery.put_subject(collection, subject, None, {})
    return [outcome.face for outcome in gallery.enrol(collection, subject, make_faces(count, seed), MODEL)]


def nearest(gallery: BlockingGallery, seed: int, collection: str = "default") -> Candidate:
    (candidates,), _ = gallery.search(collection, make_embeddings(1, seed), 5, MODEL)
    found: Candidate = candidates[0]
    return found


def test_the_next_search_finds_a_moved_face_under_its_new_subject(gallery: BlockingGallery) -> None:
    enrol(gallery, "anna", 3)
    (face,) = enrol(gallery, "anna", 1, seed=1)
    gallery.create_subject("default", SubjectToCreate("berta", "Berta"))
    gallery.move_face("default", face, "berta")
    found = nearest(gallery, seed=1)
    assert (found.subject, found.name, found.face) == ("berta", "Berta", face)
    (candidates,), searched = gallery.search("default", make_embeddings(1, 1), 5, MODEL)
    assert [candidate.subject for candidate in candidates] == ["berta", "anna"]
    assert searched == 4


def test_everything_else_of_a_moved_face_stays(gallery: BlockingGallery) -> None:
    first, second = enrol(gallery, "anna", 2)
    gallery.put_subject("default", "berta", None, {})
    before, embedding = gallery.get_face("default", first), gallery.face_embedding("default", first, MODEL)
    moved = gallery.move_face("default", first, "berta")
    assert moved == gallery.get_face("default", first)
    assert moved.subject == "berta"
    for field in ("number", "id", "image_sha256", "created_at"):
        assert getattr(moved, field) == getattr(before, field)
    np.testing.assert_array_equal(gallery.face_embedding("default", first, MODEL), embedding)
    np.testing.assert_array_equal(gallery.subject_embeddings("default", "berta", MODEL), embedding)
    assert [face.id for face in gallery.list_faces("default", "anna", 5, None).items] == [second]


def test_a_move_to_the_same_subject_changes_nothing(gallery: BlockingGallery) -> None:
    (face,) = enrol(gallery, "anna", 1)
    before = gallery.get_face("default", face), gallery.get_subject("default", "anna")
    assert gallery.move_face("default", face, "anna") == before[0]
    assert (gallery.get_face("default", face), gallery.get_subject("default", "anna")) == before
    assert nearest(gallery, seed=0).subject == "anna"


def test_a_subject_whose_last_face_moved_stays_without_faces(gallery: BlockingGallery) -> None:
    (face,) = enrol(gallery, "anna", 1)
    gallery.put_subject("default", "berta", None, {})
    gallery.move_face("default", face, "berta")
    assert gallery.get_subject("default", "anna").faces == 0
    assert gallery.get_collection("default").model_id == MODEL.id
    gallery.delete_subject("default", "anna")
    assert nearest(gallery, seed=0).subject == "berta"


def test_a_moved_photograph_is_enrolled_for_its_new_subject_only(gallery: BlockingGallery) -> None:
    """A photograph is enrolled once in a collection, so no two subjects have the same, and no move can meet it."""
    (face,) = enrol(gallery, "anna", 1)
    gallery.put_subject("default", "berta", None, {})
    assert gallery.enrol("default", "berta", [make_face(0)], MODEL) == [EnrolledForAnother(face)]
    gallery.move_face("default", face, "berta")
    assert gallery.enrol("default", "berta", [make_face(0)], MODEL) == [EnrolledBefore(face)]
    assert gallery.enrol("default", "anna", [make_face(0)], MODEL) == [EnrolledForAnother(face)]


def test_a_moved_face_is_deleted_with_its_new_subject(gallery: BlockingGallery) -> None:
    (face, _) = enrol(gallery, "anna", 2)
    gallery.put_subject("default", "berta", None, {})
    gallery.move_face("default", face, "berta")
    gallery.delete_subject("default", "berta")
    with pytest.raises(FaceNotFound):
        gallery.move_face("default", face, "anna")
    assert gallery.face_count == gallery.get_subject("default", "anna").faces == 1


def test_a_face_does_not_move_to_another_collection(gallery: BlockingGallery) -> None:
    (face,) = enrol(gallery, "anna", 1, collection="left")
    enrol(gallery, "berta", 1, collection="right")
    with pytest.raises(SubjectNotFound, match="`subject`"):
        gallery.move_face("left", face, "berta")
    with pytest.raises(FaceNotFound):
        gallery.move_face("right", face, "berta")
    with pytest.raises(CollectionNotFound):
        gallery.move_face("nowhere", face, "berta")
    assert gallery.get_face("left", face).subject == "anna"


def test_a_merged_subject_is_gone_and_its_faces_belong_to_the_other(gallery: BlockingGallery) -> None:
    kept, moved = enrol(gallery, "anna", 2), enrol(gallery, "berta", 3, seed=1)
    gallery.put_subject("default", "anna", "Anna", {"team": 1})
    gallery.put_subject("default", "berta", "Berta", {"team": 2})
    before = gallery.get_subject("default", "anna")
    merged, count = gallery.merge_subjects("default", "anna", "berta")
    assert (merged.name, merged.metadata, merged.created_at) == ("Anna", {"team": 1}, before.created_at)
    assert (merged.faces, count) == (5, 3)
    assert merged == gallery.get_subject("default", "anna")
    faces = gallery.list_faces("default", "anna", 9, None).items
    assert {face.id for face in faces} == {*kept, *moved}
    found = nearest(gallery, seed=1)
    assert (found.subject, found.name, found.face) == ("anna", "Anna", moved[0])
    with pytest.raises(SubjectNotFound, match="`from`"):
        gallery.merge_subjects("default", "anna", "berta")


def test_a_subject_without_faces_can_be_merged(gallery: BlockingGallery) -> None:
    for name in ("anna", "berta"):
        gallery.put_subject("default", name, None, {})
    merged, count = gallery.merge_subjects("default", "anna", "berta")
    assert (merged.faces, count) == (0, 0)
    enrol(gallery, "carla", 1)
    assert gallery.merge_subjects("default", "anna", "carla")[1] == 1
    assert nearest(gallery, seed=0).subject == "anna"


def test_a_merge_with_itself_or_with_an_unknown_subject_changes_nothing(gallery: BlockingGallery) -> None:
    enrol(gallery, "anna", 2)
    enrol(gallery, "berta", 1, seed=1, collection="left")
    with pytest.raises(InvalidOption, match="itself"):
        gallery.merge_subjects("default", "anna", "anna")
    for collection, subject, other in (("default", "anna", "berta"), ("default", "nobody", "anna")):
        with pytest.raises(SubjectNotFound):
            gallery.merge_subjects(collection, subject, other)
    with pytest.raises(CollectionNotFound):
        gallery.merge_subjects("nowhere", "anna", "berta")
    assert gallery.get_subject("default", "anna").faces == 2


def test_moves_and_merges_survive_a_new_start(open_again: OpenGallery) -> None:
    gallery = open_again()
    (face, *_), _ = enrol(gallery, "anna", 3), enrol(gallery, "berta", 2, seed=1)
    enrol(gallery, "carla", 2, seed=2)
    gallery.move_face("default", face, "berta")
    gallery.merge_subjects("default", "carla", "anna")
    before = gallery.search("default", PROBES, 5, MODEL), gallery.list_subjects("default", 9, None)
    gallery.close()
    gallery = open_again()
    gallery.check()
    assert (gallery.search("default", PROBES, 5, MODEL), gallery.list_subjects("default", 9, None)) == before
    gallery.close()


def expected_candidates(owners: dict[str, str], numbers: dict[str, int]) -> list[list[tuple[str, str]]]:
    """Return the subjects and their nearest faces for each probe: every distance is computed, and sorted.

    owners: the subject of each face. numbers: the embedding of each face, in make_embeddings.
    """
    rows: list[list[tuple[str, str]]] = []
    for distances in squared_l2(PROBES, make_embeddings(40)):
        rows.append([])
        for face in sorted(owners, key=lambda face: distances[numbers[face]]):
            if owners[face] not in [subject for subject, _ in rows[-1]]:
                rows[-1].append((owners[face], face))
    return rows


def test_searches_after_random_moves_and_merges_are_those_of_all_distances(gallery: BlockingGallery) -> None:
    rng = np.random.default_rng(0)
    names = [f"s{number}" for number in range(8)]
    for name in names:
        gallery.put_subject("default", name, None, {})
    enrolled = [gallery.enrol("default", names[i % 8], [face], MODEL)[0].face for i, face in enumerate(make_faces(40))]
    owners = {face: names[i % 8] for i, face in enumerate(enrolled)}
    numbers = {face: i for i, face in enumerate(enrolled)}
    for step in range(60):
        subject, other = rng.choice(names, 2, replace=False)
        if step % 10 == 9 and len(names) > 3:
            _, moved = gallery.merge_subjects("default", subject, other)
            assert moved == list(owners.values()).count(other)
            owners = {face: subject if owner == other else owner for face, owner in owners.items()}
            names.remove(other)
        else:
            face = str(rng.choice(enrolled))
            gallery.move_face("default", face, subject)
            owners[face] = subject
        rows, searched = gallery.search("default", PROBES, 8, MODEL)
        assert [[(found.subject, found.face) for found in row] for row in rows] == expected_candidates(owners, numbers)
        assert searched == 40
        gallery.check()


@pytest.mark.slow
def test_searches_during_moves_find_every_face_under_one_subject(gallery: BlockingGallery) -> None:
    """A pair of faces moves to and fro between two subjects, and a third subject comes and goes.

    In each state, one subject has the nearest face and the other has the second. So every search finds both.
    """
    (first,) = enrol(gallery, "anna", 1)
    (second,) = enrol(gallery, "berta", 1, seed=1)
    enrol(gallery, "anna", 1, seed=2)
    enrol(gallery, "berta", 1, seed=3)
    done = threading.Event()
    failures: list[BaseException] = []
    found: set[tuple[str, ...]] = set()

    def repeat(action: str) -> None:
        try:
            while not done.is_set():
                if action == "search":
                    (candidates,), _ = gallery.search("default", make_embeddings(1), 2, MODEL)
                    found.add(tuple(candidate.subject for candidate in candidates))
                    assert candidates[0].face == first
                else:
                    enrol(gallery, "carla", 2, seed=4)
                    gallery.delete_subject("default", "carla")
        except BaseException as failure:  # noqa: BLE001  # the main thread asserts that there is none
            failures.append(failure)

    threads = [threading.Thread(target=repeat, args=[action]) for action in ("search", "search", "search", "delete")]
    for thread in threads:
        thread.start()
    for _ in range(50):
        gallery.move_face("default", first, "berta")
        gallery.move_face("default", second, "anna")
        gallery.move_face("default", first, "anna")
        gallery.move_face("default", second, "berta")
    done.set()
    for thread in threads:
        thread.join(timeout=10)
    assert not failures
    assert all(len(set(subjects)) == len(subjects) == 2 for subjects in found)
    assert {subjects[0] for subjects in found} <= {"anna", "berta"}

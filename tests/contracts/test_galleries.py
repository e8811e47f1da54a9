"""What a gallery must do with every index."""

import threading
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from service.domain.distances import squared_l2
from service.domain.errors import (
    CollectionNotFound,
    FaceNotFound,
    InvalidEmbedding,
    ModelMismatch,
    SubjectNotFound,
    SubjectWithoutFaces,
)
from service.gallery.base import (
    EmbeddingModel,
    EnrolledBefore,
    EnrolledForAnother,
    EnrolledNow,
    FaceToEnrol,
    SubjectToCreate,
)
from tests.contracts.conftest import OpenGallery, with_each_database
from tests.service.gallery.random_faces import MODEL, OTHER_MODEL, make_embeddings, make_face, make_faces
from tests.support.blocking_gallery import BlockingGallery

NAN, INF = float("nan"), float("inf")


def enrol(gallery: BlockingGallery, subject: str, *new: FaceToEnrol, collection: str = "default") -> list[str]:
    gallery.create_collection(collection)
    gallery.put_subject(collection, subject, None, {})
    return [outcome.face for outcome in gallery.enrol(collection, subject, new, MODEL)]


def find_subjects(gallery: BlockingGallery, probe: FaceToEnrol, k: int = 5, collection: str = "default") -> list[str]:
    (candidates,), _ = gallery.search(collection, probe.embedding[np.newaxis], k, MODEL)
    return [candidate.subject for candidate in candidates]


def test_an_empty_gallery_finds_no_candidates(gallery: BlockingGallery) -> None:
    assert gallery.search("default", make_embeddings(3), 5, MODEL) == ([[], [], []], 0)


def test_a_search_without_probes_finds_nothing(gallery: BlockingGallery) -> None:
    enrol(gallery, "anna", make_face(1))
    assert gallery.search("default", make_embeddings(0), 5, MODEL) == ([], 1)


def test_an_enrolled_face_is_found_by_the_next_search(gallery: BlockingGallery) -> None:
    for seed in range(20):
        gallery.put_subject("default", f"s{seed}", f"name {seed}", {})
        (outcome,) = gallery.enrol("default", f"s{seed}", [make_face(seed)], MODEL)
        ((nearest, *_),), searched = gallery.search("default", make_face(seed).embedding[np.newaxis], 5, MODEL)
        assert (nearest.subject, nearest.name, nearest.face) == (f"s{seed}", f"name {seed}", outcome.face)
        assert 0 <= nearest.distance < 1e-5
        assert searched == gallery.face_count == seed + 1


def test_a_subject_is_found_once_by_its_nearest_face(gallery: BlockingGallery) -> None:
    references = {f"s{seed}": make_embeddings(seed % 4 + 1, seed) for seed in range(30)}
    ids = {
        subject: enrol(gallery, subject, *make_faces(len(embeddings), i))
        for i, (subject, embeddings) in enumerate(references.items())
    }
    probes = make_embeddings(10, seed=99)
    rows, searched = gallery.search("default", probes, 7, MODEL)
    assert searched == sum(map(len, references.values()))
    for probe, row in zip(probes, rows, strict=True):
        distances = {
            subject: squared_l2(probe[np.newaxis], embeddings)[0] for subject, embeddings in references.items()
        }
        expected = sorted(distances, key=lambda subject: distances[subject].min())[:7]
        assert [candidate.subject for candidate in row] == expected
        for candidate in row:
            subject_distances = distances[candidate.subject]
            assert candidate.distance == pytest.approx(subject_distances.min(), abs=1e-4)
            assert candidate.face == ids[candidate.subject][subject_distances.argmin()]


def test_a_subject_with_many_faces_does_not_displace_other_subjects(gallery: BlockingGallery) -> None:
    equal_faces = [FaceToEnrol(f"{i:064x}", make_face(0).embedding) for i in range(60)]
    enrol(gallery, "crowd", *equal_faces)
    for seed in (1, 2, 3):
        enrol(gallery, f"s{seed}", make_face(seed))
    assert find_subjects(gallery, make_face(0), k=3)[0] == "crowd"
    assert len(find_subjects(gallery, make_face(0), k=3)) == 3
    assert len(find_subjects(gallery, make_face(0), k=100)) == 4


def test_one_photograph_in_two_collections_is_two_independent_faces(gallery: BlockingGallery) -> None:
    (left,) = enrol(gallery, "anna", make_face(1), collection="left")
    (right,) = enrol(gallery, "berta", make_face(1), collection="right")
    assert left != right
    assert find_subjects(gallery, make_face(1), collection="left") == ["anna"]
    gallery.delete_subject("left", "anna")
    assert find_subjects(gallery, make_face(1), collection="left") == []
    assert find_subjects(gallery, make_face(1), collection="right") == ["berta"]
    with pytest.raises(FaceNotFound):
        gallery.get_face("left", right)


def test_a_small_collection_beside_a_large_one_returns_all_its_subjects(gallery: BlockingGallery) -> None:
    enrol(gallery, "crowd", *make_faces(300, seed=1), collection="large")
    for seed in (2, 3, 4):
        enrol(gallery, f"s{seed}", make_face(seed), collection="small")
    assert sorted(find_subjects(gallery, make_faces(1, seed=1)[0], k=3, collection="small")) == ["s2", "s3", "s4"]


def test_a_deleted_face_is_removed_at_once_and_cannot_be_deleted_again(gallery: BlockingGallery) -> None:
    first, second = enrol(gallery, "anna", make_face(1), make_face(2))
    gallery.delete_face("default", first)
    ((candidate,),), searched = gallery.search("default", make_face(1).embedding[np.newaxis], 5, MODEL)
    assert (candidate.face, searched) == (second, 1)
    for operation in (gallery.delete_face, gallery.get_face):
        with pytest.raises(FaceNotFound):
            operation("default", first)


def test_a_deleted_subject_is_removed_at_once_and_cannot_be_deleted_again(gallery: BlockingGallery) -> None:
    (face_id,) = enrol(gallery, "anna", make_face(1))
    enrol(gallery, "berta", make_face(2))
    gallery.delete_subject("default", "anna")
    assert find_subjects(gallery, make_face(1)) == ["berta"]
    assert gallery.face_count == 1
    for operation in (gallery.delete_subject, gallery.get_subject):
        with pytest.raises(SubjectNotFound):
            operation("default", "anna")
    with pytest.raises(FaceNotFound):
        gallery.get_face("default", face_id)


def test_a_deleted_collection_is_removed_at_once_and_cannot_be_deleted_again(gallery: BlockingGallery) -> None:
    enrol(gallery, "anna", make_face(1), collection="left")
    gallery.delete_collection("left")
    assert gallery.face_count == 0
    for operation in (gallery.delete_collection, gallery.get_collection, gallery.count_faces):
        with pytest.raises(CollectionNotFound):
            operation("left")
    with pytest.raises(CollectionNotFound):
        find_subjects(gallery, make_face(1), collection="left")
    gallery.create_collection("left")
    assert find_subjects(gallery, make_face(1), collection="left") == []


def test_a_deleted_face_can_be_enrolled_again_and_gets_a_number_that_was_never_used(gallery: BlockingGallery) -> None:
    used_numbers: set[int] = set()
    for _ in range(3):
        ids = enrol(gallery, "anna", *make_faces(3))
        numbers = {gallery.get_face("default", face_id).number for face_id in ids}
        assert used_numbers.isdisjoint(numbers)
        used_numbers |= numbers
        assert find_subjects(gallery, make_faces(3)[0]) == ["anna"]
        gallery.delete_subject("default", "anna")


def test_a_photograph_is_enrolled_once_in_a_collection(gallery: BlockingGallery) -> None:
    (earlier,) = enrol(gallery, "anna", make_face(1))
    gallery.put_subject("default", "berta", None, {})
    known, new, twice = gallery.enrol("default", "anna", [make_face(1), make_face(2), make_face(2)], MODEL)
    assert known == EnrolledBefore(earlier)
    assert new == EnrolledNow(new.face)
    assert twice == EnrolledBefore(new.face)
    assert gallery.enrol("default", "berta", [make_face(1)], MODEL) == [EnrolledForAnother(earlier)]
    assert gallery.face_count == 2


UNUSUAL_TEXTS = [
    "it's",
    '"quoted"',
    "back\\slash",
    "new\nline",
    "'; DROP TABLE faces; --",
    "%_*?",
    "\N{GREEK SMALL LETTER ALPHA}\N{COMBINING ACUTE ACCENT}\N{SMILING FACE WITH SUNGLASSES}",
    "nul\0inside",
    "x" * 256,
    "",
]


@with_each_database
@pytest.mark.parametrize("name", UNUSUAL_TEXTS)
def test_names_can_be_any_text(gallery: BlockingGallery, name: str) -> None:
    gallery.create_subject("default", SubjectToCreate("anna", name, {name: [name, None, 1.5]}))
    gallery.enrol("default", "anna", [make_face(1)], MODEL)
    ((candidate,),), _ = gallery.search("default", make_face(1).embedding[np.newaxis], 1, MODEL)
    assert candidate.name == name
    assert gallery.get_subject("default", "anna").metadata == {name: [name, None, 1.5]}


@pytest.mark.parametrize("text", UNUSUAL_TEXTS)
def test_ids_can_be_any_text(gallery: BlockingGallery, text: str) -> None:
    enrol(gallery, f"anna{text}", make_face(1), collection=f"left{text}")
    assert find_subjects(gallery, make_face(1), collection=f"left{text}") == [f"anna{text}"]
    gallery.delete_subject(f"left{text}", f"anna{text}")


@with_each_database
@pytest.mark.parametrize(
    "vector",
    [
        np.r_[np.float32(NAN), make_embeddings(1)[0][1:]],
        np.r_[np.float32(INF), make_embeddings(1)[0][1:]],
        np.zeros(16, np.float32),
        make_embeddings(1)[0] * 1.01,
        make_embeddings(1)[0][:15],
        np.r_[make_embeddings(1)[0], np.float32(0)],
    ],
    ids=["NaN", "infinity", "zero", "not unit", "short", "long"],
)
def test_a_vector_that_cannot_be_compared_is_refused_and_nothing_is_stored(
    gallery: BlockingGallery, vector: NDArray[np.float32]
) -> None:
    gallery.put_subject("default", "anna", None, {})
    with pytest.raises(InvalidEmbedding):
        gallery.enrol("default", "anna", [make_face(1), FaceToEnrol("0" * 64, vector.astype(np.float32))], MODEL)
    assert gallery.face_count == gallery.get_collection("default").faces == 0
    assert gallery.get_collection("default").model_id is None


def test_embeddings_of_two_models_are_never_compared(gallery: BlockingGallery) -> None:
    (face_id,) = enrol(gallery, "anna", make_face(1))
    operation: Callable[[], object]
    for operation in (
        lambda: gallery.check_enrolment("default", "anna", OTHER_MODEL),
        lambda: gallery.enrol("default", "anna", [make_face(2)], OTHER_MODEL),
        lambda: gallery.search("default", make_embeddings(1), 1, OTHER_MODEL),
        lambda: gallery.face_embedding("default", face_id, OTHER_MODEL),
        lambda: gallery.subject_embeddings("default", "anna", OTHER_MODEL),
        lambda: gallery.references("default", OTHER_MODEL),
    ):
        with pytest.raises(ModelMismatch):
            operation()
    assert gallery.face_count == 1


def test_a_collection_is_bound_to_the_model_of_its_faces_while_it_has_any(gallery: BlockingGallery) -> None:
    gallery.put_subject("default", "anna", None, {})
    gallery.enrol("default", "anna", [], OTHER_MODEL)
    assert gallery.get_collection("default").model_id is None
    (first, second) = enrol(gallery, "anna", make_face(1), make_face(2))
    gallery.delete_face("default", first)
    assert gallery.get_collection("default").model_id == MODEL.id
    gallery.delete_face("default", second)
    assert gallery.get_collection("default").model_id is None
    wide_model = EmbeddingModel("c" * 64, 32)
    gallery.enrol("default", "anna", [FaceToEnrol("0" * 64, np.eye(1, 32, dtype=np.float32)[0])], wide_model)
    assert gallery.search("default", np.eye(1, 32, dtype=np.float32), 1, wide_model)[1] == 1
    gallery.delete_subject("default", "anna")
    assert gallery.get_collection("default").model_id is None


def test_a_gallery_returns_the_model_of_a_collection(gallery: BlockingGallery) -> None:
    assert gallery.collection_model("default") is None
    enrol(gallery, "anna", make_face(1))
    assert gallery.collection_model("default") == MODEL
    gallery.delete_subject("default", "anna")
    assert gallery.collection_model("default") is None
    with pytest.raises(CollectionNotFound):
        gallery.collection_model("nowhere")


def test_embeddings_are_returned_as_they_were_enrolled(gallery: BlockingGallery) -> None:
    ids = enrol(gallery, "anna", *make_faces(3))
    enrol(gallery, "berta", make_face(9))
    np.testing.assert_allclose(gallery.face_embedding("default", ids[1], MODEL), make_embeddings(3)[1:2], atol=1e-7)
    np.testing.assert_allclose(gallery.subject_embeddings("default", "anna", MODEL), make_embeddings(3), atol=1e-7)
    enrolled, references = gallery.references("default", MODEL)
    assert [face.subject for face in enrolled] == ["anna"] * 3 + ["berta"]
    assert [face.id for face in enrolled[:3]] == ids
    np.testing.assert_allclose(references, np.concatenate([make_embeddings(3), make_embeddings(1, 9)]), atol=1e-7)


def test_reading_the_embeddings_of_a_subject_without_faces_is_an_error(gallery: BlockingGallery) -> None:
    gallery.put_subject("default", "anna", None, {})
    with pytest.raises(SubjectWithoutFaces):
        gallery.subject_embeddings("default", "anna", MODEL)


def test_a_collection_without_faces_has_no_references(gallery: BlockingGallery) -> None:
    enrolled, references = gallery.references("default", MODEL)
    assert enrolled == []
    assert references.shape == (0, 16)


def test_all_data_is_found_after_the_gallery_is_opened_again(
    open_again: OpenGallery,
) -> None:
    gallery = open_again()
    for seed in range(5):
        enrol(gallery, f"s{seed}", *make_faces(3, seed))
    gallery.delete_subject("default", "s3")
    query = "default", make_embeddings(10, seed=99), 5, MODEL
    before, subjects = gallery.search(*query), gallery.list_subjects("default", 100, None)
    gallery.close()
    gallery = open_again()
    gallery.check()
    assert gallery.search(*query) == before
    assert gallery.list_subjects("default", 100, None) == subjects
    gallery.close()


@pytest.mark.slow
def test_searches_during_changes_find_consistent_states(gallery: BlockingGallery) -> None:
    """Each search counts the ten faces that stay, and all or none of the three faces that are added and deleted."""
    enrol(gallery, "stays", *make_faces(10))
    done = threading.Event()
    face_counts: set[int] = set()
    failures: list[BaseException] = []

    def search() -> None:
        try:
            while not done.is_set():
                ((nearest, *_),), searched = gallery.search("default", make_embeddings(1), 5, MODEL)
                assert nearest.subject == "stays"
                face_counts.add(searched)
        except BaseException as failure:  # noqa: BLE001  # the main thread asserts that there is none
            failures.append(failure)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for seed in range(1, 40):
        enrol(gallery, "comes and goes", *make_faces(3, seed))
        gallery.delete_subject("default", "comes and goes")
    done.set()
    for thread in threads:
        thread.join(timeout=10)
    assert not failures
    assert face_counts
    assert face_counts <= {10, 13}

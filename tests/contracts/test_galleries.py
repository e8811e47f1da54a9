"""What a gallery must do, whatever its index."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from service.distances import squared_l2
from service.errors import (
    CollectionNotFound,
    FaceNotFound,
    InvalidEmbedding,
    ModelMismatch,
    SubjectNotFound,
    SubjectWithoutFaces,
)
from service.galleries import INDEXES
from service.galleries.base import Elsewhere, Enrolled, Known, ModelRef, NewFace, NewSubject
from service.galleries.gallery import Gallery
from tests.service.galleries.made_up import MODEL, OTHER_MODEL, face, faces, vectors

NAN, INF = float("nan"), float("inf")


@pytest.fixture(params=INDEXES)
def index(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def gallery(tmp_path: Path, index: str) -> Iterator[Gallery]:
    opened = Gallery.open(tmp_path / "data", index)
    yield opened
    opened.check()
    opened.close()


def enrol(gallery: Gallery, subject: str, *new: NewFace, collection: str = "default") -> list[str]:
    gallery.create_collection(collection)
    gallery.put_subject(collection, subject, None, {})
    return [outcome.face for outcome in gallery.enrol(collection, subject, new, MODEL)]


def found(gallery: Gallery, probe: NewFace, k: int = 5, collection: str = "default") -> list[str]:
    (candidates,), _ = gallery.search(collection, probe.embedding[np.newaxis], k, MODEL)
    return [candidate.subject for candidate in candidates]


def test_an_empty_gallery_knows_nobody(gallery: Gallery) -> None:
    assert gallery.search("default", vectors(3), 5, MODEL) == ([[], [], []], 0)


def test_a_search_without_probes_finds_nothing(gallery: Gallery) -> None:
    enrol(gallery, "anna", face(1))
    assert gallery.search("default", vectors(0), 5, MODEL) == ([], 1)


def test_whoever_enrols_finds_the_face_at_once(gallery: Gallery) -> None:
    for seed in range(20):
        gallery.put_subject("default", f"s{seed}", f"name {seed}", {})
        (outcome,) = gallery.enrol("default", f"s{seed}", [face(seed)], MODEL)
        ((first, *_),), searched = gallery.search("default", face(seed).embedding[np.newaxis], 5, MODEL)
        assert (first.subject, first.name, first.face) == (f"s{seed}", f"name {seed}", outcome.face)
        assert 0 <= first.distance < 1e-5
        assert searched == gallery.size == seed + 1


def test_a_subject_is_found_once_by_their_nearest_face(gallery: Gallery) -> None:
    references = {f"s{seed}": vectors(seed % 4 + 1, seed) for seed in range(30)}
    ids = {
        subject: enrol(gallery, subject, *faces(len(theirs), i))
        for i, (subject, theirs) in enumerate(references.items())
    }
    probes = vectors(10, seed=99)
    rows, searched = gallery.search("default", probes, 7, MODEL)
    assert searched == sum(map(len, references.values()))
    for probe, row in zip(probes, rows, strict=True):
        distances = {subject: squared_l2(probe[np.newaxis], theirs)[0] for subject, theirs in references.items()}
        expected = sorted(distances, key=lambda subject: distances[subject].min())[:7]
        assert [candidate.subject for candidate in row] == expected
        for candidate in row:
            theirs = distances[candidate.subject]
            assert candidate.distance == pytest.approx(theirs.min(), abs=1e-4)
            assert candidate.face == ids[candidate.subject][theirs.argmin()]


def test_a_subject_of_many_faces_leaves_room_for_the_others(gallery: Gallery) -> None:
    crowd = [NewFace(f"{i:064x}", face(0).embedding) for i in range(60)]
    enrol(gallery, "crowd", *crowd)
    for seed in (1, 2, 3):
        enrol(gallery, f"s{seed}", face(seed))
    assert found(gallery, face(0), k=3)[0] == "crowd"
    assert len(found(gallery, face(0), k=3)) == 3
    assert len(found(gallery, face(0), k=100)) == 4


def test_the_same_face_in_two_collections_stays_apart(gallery: Gallery) -> None:
    (left,) = enrol(gallery, "anna", face(1), collection="left")
    (right,) = enrol(gallery, "berta", face(1), collection="right")
    assert left != right
    assert found(gallery, face(1), collection="left") == ["anna"]
    gallery.delete_subject("left", "anna")
    assert found(gallery, face(1), collection="left") == []
    assert found(gallery, face(1), collection="right") == ["berta"]
    with pytest.raises(FaceNotFound):
        gallery.face("left", right)


def test_a_small_collection_beside_a_large_one_gives_all_it_has(gallery: Gallery) -> None:
    enrol(gallery, "crowd", *faces(300, seed=1), collection="large")
    for seed in (2, 3, 4):
        enrol(gallery, f"s{seed}", face(seed), collection="small")
    assert sorted(found(gallery, faces(1, seed=1)[0], k=3, collection="small")) == ["s2", "s3", "s4"]


def test_a_deleted_face_is_gone_at_once_and_only_once(gallery: Gallery) -> None:
    first, second = enrol(gallery, "anna", face(1), face(2))
    gallery.delete_face("default", first)
    ((candidate,),), searched = gallery.search("default", face(1).embedding[np.newaxis], 5, MODEL)
    assert (candidate.face, searched) == (second, 1)
    for verb in (gallery.delete_face, gallery.face):
        with pytest.raises(FaceNotFound):
            verb("default", first)


def test_a_deleted_subject_is_gone_at_once_and_only_once(gallery: Gallery) -> None:
    (id_of_face,) = enrol(gallery, "anna", face(1))
    enrol(gallery, "berta", face(2))
    gallery.delete_subject("default", "anna")
    assert found(gallery, face(1)) == ["berta"]
    assert gallery.size == 1
    for verb in (gallery.delete_subject, gallery.subject):
        with pytest.raises(SubjectNotFound):
            verb("default", "anna")
    with pytest.raises(FaceNotFound):
        gallery.face("default", id_of_face)


def test_a_deleted_collection_is_gone_at_once_and_only_once(gallery: Gallery) -> None:
    enrol(gallery, "anna", face(1), collection="left")
    gallery.delete_collection("left")
    assert gallery.size == 0
    for verb in (gallery.delete_collection, gallery.collection, gallery.faces_of):
        with pytest.raises(CollectionNotFound):
            verb("left")
    with pytest.raises(CollectionNotFound):
        found(gallery, face(1), collection="left")
    gallery.create_collection("left")
    assert found(gallery, face(1), collection="left") == []


def test_what_was_deleted_may_be_enrolled_again_under_a_number_that_was_never_used(gallery: Gallery) -> None:
    used: set[int] = set()
    for _ in range(3):
        ids = enrol(gallery, "anna", *faces(3))
        numbers = {gallery.face("default", one).number for one in ids}
        assert used.isdisjoint(numbers)
        used |= numbers
        assert found(gallery, faces(3)[0]) == ["anna"]
        gallery.delete_subject("default", "anna")


def test_a_photograph_is_enrolled_once_a_collection(gallery: Gallery) -> None:
    (earlier,) = enrol(gallery, "anna", face(1))
    gallery.put_subject("default", "berta", None, {})
    known, new, twice = gallery.enrol("default", "anna", [face(1), face(2), face(2)], MODEL)
    assert known == Known(earlier)
    assert new == Enrolled(new.face)
    assert twice == Known(new.face)
    assert gallery.enrol("default", "berta", [face(1)], MODEL) == [Elsewhere(earlier)]
    assert gallery.size == 2


ODD = [
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


@pytest.mark.parametrize("name", ODD)
def test_names_may_be_any_text(gallery: Gallery, name: str) -> None:
    gallery.create_subject("default", NewSubject("anna", name, {name: [name, None, 1.5]}))
    gallery.enrol("default", "anna", [face(1)], MODEL)
    ((candidate,),), _ = gallery.search("default", face(1).embedding[np.newaxis], 1, MODEL)
    assert candidate.name == name
    assert gallery.subject("default", "anna").metadata == {name: [name, None, 1.5]}


@pytest.mark.parametrize("text", ODD)
def test_ids_may_be_any_text(gallery: Gallery, text: str) -> None:
    enrol(gallery, f"anna{text}", face(1), collection=f"left{text}")
    assert found(gallery, face(1), collection=f"left{text}") == [f"anna{text}"]
    gallery.delete_subject(f"left{text}", f"anna{text}")


@pytest.mark.parametrize(
    "bad",
    [
        np.r_[np.float32(NAN), vectors(1)[0][1:]],
        np.r_[np.float32(INF), vectors(1)[0][1:]],
        np.zeros(16, np.float32),
        vectors(1)[0] * 1.01,
        vectors(1)[0][:15],
        np.r_[vectors(1)[0], np.float32(0)],
    ],
    ids=["NaN", "infinity", "zero", "not unit", "short", "long"],
)
def test_a_vector_that_cannot_be_compared_is_refused_and_nothing_is_stored(
    gallery: Gallery, bad: NDArray[np.float32]
) -> None:
    gallery.put_subject("default", "anna", None, {})
    with pytest.raises(InvalidEmbedding):
        gallery.enrol("default", "anna", [face(1), NewFace("0" * 64, bad.astype(np.float32))], MODEL)
    assert gallery.size == gallery.collection("default").faces == 0
    assert gallery.collection("default").model_id is None


def test_vectors_of_two_models_are_never_compared(gallery: Gallery) -> None:
    (id_of_face,) = enrol(gallery, "anna", face(1))
    for refused in (
        lambda: gallery.check_enrolment("default", "anna", OTHER_MODEL),
        lambda: gallery.enrol("default", "anna", [face(2)], OTHER_MODEL),
        lambda: gallery.search("default", vectors(1), 1, OTHER_MODEL),
        lambda: gallery.face_vectors("default", id_of_face, OTHER_MODEL),
        lambda: gallery.subject_vectors("default", "anna", OTHER_MODEL),
        lambda: gallery.references("default", OTHER_MODEL),
    ):
        with pytest.raises(ModelMismatch):
            refused()
    assert gallery.size == 1


def test_a_collection_is_bound_to_the_model_of_its_faces_while_it_has_any(gallery: Gallery) -> None:
    gallery.put_subject("default", "anna", None, {})
    gallery.enrol("default", "anna", [], OTHER_MODEL)
    assert gallery.collection("default").model_id is None
    (first, second) = enrol(gallery, "anna", face(1), face(2))
    gallery.delete_face("default", first)
    assert gallery.collection("default").model_id == MODEL.id
    gallery.delete_face("default", second)
    assert gallery.collection("default").model_id is None
    wide = ModelRef("c" * 64, 32)
    gallery.enrol("default", "anna", [NewFace("0" * 64, np.eye(1, 32, dtype=np.float32)[0])], wide)
    assert gallery.search("default", np.eye(1, 32, dtype=np.float32), 1, wide)[1] == 1
    gallery.delete_subject("default", "anna")
    assert gallery.collection("default").model_id is None


def test_a_gallery_knows_the_model_of_a_collection_s_faces(gallery: Gallery) -> None:
    assert gallery.model_of("default") is None
    enrol(gallery, "anna", face(1))
    assert gallery.model_of("default") == MODEL
    gallery.delete_subject("default", "anna")
    assert gallery.model_of("default") is None
    with pytest.raises(CollectionNotFound):
        gallery.model_of("nowhere")


def test_vectors_come_back_as_they_were_enrolled(gallery: Gallery) -> None:
    ids = enrol(gallery, "anna", *faces(3))
    enrol(gallery, "berta", face(9))
    np.testing.assert_allclose(gallery.face_vectors("default", ids[1], MODEL), vectors(3)[1:2], atol=1e-7)
    np.testing.assert_allclose(gallery.subject_vectors("default", "anna", MODEL), vectors(3), atol=1e-7)
    enrolled, references = gallery.references("default", MODEL)
    assert [one.subject for one in enrolled] == ["anna"] * 3 + ["berta"]
    assert [one.id for one in enrolled[:3]] == ids
    np.testing.assert_allclose(references, np.concatenate([vectors(3), vectors(1, 9)]), atol=1e-7)


def test_a_subject_without_faces_cannot_be_compared(gallery: Gallery) -> None:
    gallery.put_subject("default", "anna", None, {})
    with pytest.raises(SubjectWithoutFaces):
        gallery.subject_vectors("default", "anna", MODEL)


def test_a_collection_without_faces_has_no_references(gallery: Gallery) -> None:
    enrolled, references = gallery.references("default", MODEL)
    assert enrolled == []
    assert references.shape == (0, 16)


def test_all_is_there_after_the_gallery_is_opened_again(tmp_path: Path, index: str) -> None:
    gallery = Gallery.open(tmp_path, index)
    for seed in range(5):
        enrol(gallery, f"s{seed}", *faces(3, seed))
    gallery.delete_subject("default", "s3")
    asked = "default", vectors(10, seed=99), 5, MODEL
    before, subjects = gallery.search(*asked), gallery.subjects("default", 100, None)
    gallery.close()
    gallery = Gallery.open(tmp_path, index)
    gallery.check()
    assert gallery.search(*asked) == before
    assert gallery.subjects("default", 100, None) == subjects
    gallery.close()


def test_searches_beside_changes_see_whole_states(gallery: Gallery) -> None:
    """Each search counts the faces of a moment: the ten that stay, and all or none of the three that come and go."""
    enrol(gallery, "stays", *faces(10))
    done = threading.Event()
    seen: set[int] = set()
    failures: list[BaseException] = []

    def search() -> None:
        try:
            while not done.is_set():
                ((first, *_),), searched = gallery.search("default", vectors(1), 5, MODEL)
                assert first.subject == "stays"
                seen.add(searched)
        except BaseException as failure:  # noqa: BLE001  # told by the thread that asserts
            failures.append(failure)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for seed in range(1, 40):
        enrol(gallery, "comes and goes", *faces(3, seed))
        gallery.delete_subject("default", "comes and goes")
    done.set()
    for thread in threads:
        thread.join(timeout=10)
    assert not failures
    assert seen
    assert seen <= {10, 13}

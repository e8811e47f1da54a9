"""Milvus is compared with the records, and repaired."""

from pathlib import Path

import pytest

from service.gallery.search.milvus import comparison
from service.gallery.search.milvus.stored_rows import FaceRows
from tests.service.gallery.milvus.conftest import OpenGallery
from tests.service.gallery.milvus.faces_in_milvus import apply_changes, enrol, find_subjects, rows, server_of
from tests.service.gallery.random_faces import make_embeddings, make_face, make_faces
from tests.support.blocking_gallery import BlockingGallery
from tests.support.milvus_lite import MilvusLite


@pytest.fixture(params=[2, 10_000])
def filled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, open_again: OpenGallery) -> OpenGallery:
    """Return what opens a gallery of seven faces. It is compared some faces at a time."""
    monkeypatch.setattr(comparison, "FACES_AT_ONCE", request.param)
    gallery = open_again()
    enrol(gallery, "anna", *make_faces(4))
    enrol(gallery, "bert", *make_faces(3, seed=1), collection="other")
    apply_changes(gallery)
    gallery.close()
    return open_again


def test_a_face_that_milvus_lost_is_found_after_the_next_start(filled: OpenGallery) -> None:
    gallery = filled()
    expected = rows(gallery)
    server_of(gallery).delete([*expected][2:5])
    gallery.close()
    gallery = filled()
    assert rows(gallery) == expected
    assert find_subjects(gallery, make_faces(4)[2]) == ["anna"]
    assert find_subjects(gallery, make_faces(3, seed=1)[0], "other") == ["bert"]
    gallery.close()


def test_a_face_that_the_records_do_not_have_leaves_milvus(filled: OpenGallery) -> None:
    gallery = filled()
    expected = rows(gallery)
    server_of(gallery).insert(FaceRows(1, [900, 901, 902], [1, 2, 3], make_embeddings(3, seed=9)))
    assert len(rows(gallery)) == 10
    gallery.close()
    gallery = filled()
    assert rows(gallery) == expected
    gallery.close()


def test_a_face_with_the_number_of_another_one_is_replaced(filled: OpenGallery) -> None:
    gallery = filled()
    expected = rows(gallery)
    number = next(iter(expected))
    server_of(gallery).delete([number])
    server_of(gallery).insert(FaceRows(1, [number], [5], make_embeddings(1, seed=9)))
    gallery.close()
    gallery = filled()
    assert rows(gallery) == expected
    assert find_subjects(gallery, make_faces(4)[0]) == ["anna"]
    gallery.close()


def test_another_milvus_gets_all_faces(filled: OpenGallery, lite: MilvusLite) -> None:
    gallery = filled()
    expected = rows(gallery)
    gallery.close()
    lite.drop_collections()
    gallery = filled()
    assert rows(gallery) == expected
    gallery.close()


def test_faces_that_were_enrolled_while_the_index_was_in_memory_are_found(filled: OpenGallery, tmp_path: Path) -> None:
    in_memory = BlockingGallery.open(tmp_path / "data", "exact")
    enrol(in_memory, "carl", make_face(50))
    in_memory.delete_subject("default", "anna")
    in_memory.close()
    gallery = filled()
    assert len(rows(gallery)) == 4
    assert find_subjects(gallery, make_face(50)) == ["carl"]
    gallery.close()

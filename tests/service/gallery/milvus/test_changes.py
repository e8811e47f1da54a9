"""Changes of the records reach Milvus, also after a crash. Searches never depend on when they do."""

from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from service.domain.errors import FacenetError
from service.gallery.base import FaceToEnrol
from service.gallery.records import vector_changes
from service.gallery.records.schema import VECTOR_CHANGES
from service.gallery.search.milvus import changes, search, work
from service.gallery.search.milvus.server import MilvusServer
from tests.service.gallery.milvus.conftest import OpenGallery
from tests.service.gallery.milvus.faces_in_milvus import (
    apply_changes,
    enrol,
    find_subjects,
    has_waiting,
    rows,
    search_of,
    wait_until,
)
from tests.service.gallery.random_faces import make_face, make_faces
from tests.support.blocking_gallery import BlockingGallery
from tests.support.milvus_lite import MilvusLite


def count_changes(gallery: BlockingGallery) -> int:
    with gallery.database.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(VECTOR_CHANGES)).scalar_one())


def count_rows(lite: MilvusLite) -> int:
    """Return how many rows Milvus has. Two of one face count twice."""
    with closing(lite.client()) as client:
        (name,) = client.list_collections()
        (counted,) = client.query(name, filter="number >= 0", output_fields=["count(*)"], consistency_level="Strong")
    return int(counted["count(*)"])


def stop_applying(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work.BackgroundWork, "do", lambda _: None)


def test_changes_reach_milvus_and_are_forgotten_after_a_while(
    gallery: BlockingGallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = enrol(gallery, "anna", *make_faces(3))
    apply_changes(gallery)
    assert len(rows(gallery)) == 3
    assert count_changes(gallery) == 3
    monkeypatch.setattr(changes, "SHOWN_AFTER", timedelta(0))
    wait_until(lambda: count_changes(gallery) == 0)
    assert find_subjects(gallery, make_faces(3)[1]) == ["anna"]
    gallery.delete_face("default", faces[0])
    wait_until(lambda: len(rows(gallery)) == 2)
    gallery.delete_subject("default", "anna")
    wait_until(lambda: rows(gallery) == {})
    wait_until(lambda: not search_of(gallery).has_remains)


def test_all_faces_of_a_deleted_collection_leave_milvus(gallery: BlockingGallery) -> None:
    enrol(gallery, "anna", *make_faces(3), collection="a")
    enrol(gallery, "bert", *make_faces(2, seed=1), collection="b")
    apply_changes(gallery)
    gallery.delete_collection("a")
    wait_until(lambda: len(rows(gallery)) == 2)
    assert find_subjects(gallery, make_faces(2, seed=1)[0], "b") == ["bert"]


def test_a_change_that_is_undone_leaves_no_trace(gallery: BlockingGallery, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise FacenetError("no")

    monkeypatch.setattr("service.gallery.records.grouped_changes.begin_storing", fail)
    with pytest.raises(FacenetError):
        enrol(gallery, "anna", make_face(1))
    assert count_changes(gallery) == 0


def test_a_face_is_found_and_a_deleted_one_is_not_before_milvus_knows_of_it(
    gallery: BlockingGallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol(gallery, "anna", make_face(1))
    apply_changes(gallery)
    stop_applying(monkeypatch)
    enrol(gallery, "bert", make_face(2))
    gallery.delete_subject("default", "anna")
    assert find_subjects(gallery, make_face(2)) == ["bert"]
    assert find_subjects(gallery, make_face(1)) == ["bert"]
    assert len(rows(gallery)) == 1
    assert has_waiting(gallery)
    assert search_of(gallery).work.changes.look()
    assert search_of(gallery).has_remains


def test_what_a_killed_service_had_not_applied_is_applied_by_the_next_start(
    open_again: OpenGallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = open_again()
    enrol(gallery, "anna", make_face(1))
    apply_changes(gallery)
    with monkeypatch.context() as patch:
        stop_applying(patch)
        enrol(gallery, "bert", make_face(2))
        gallery.delete_subject("default", "anna")
        gallery.close()
    gallery = open_again()
    apply_changes(gallery)
    assert len(rows(gallery)) == 1
    assert find_subjects(gallery, make_face(1)) == ["bert"]
    gallery.close()


def test_what_milvus_got_before_the_crash_is_not_there_twice(
    open_again: OpenGallery, lite: MilvusLite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("killed between Milvus and the note of it")

    gallery = open_again()
    with monkeypatch.context() as patch:
        patch.setattr(vector_changes, "note_applied", crash)
        enrol(gallery, "anna", *make_faces(3))
        wait_until(lambda: len(rows(gallery)) == 3)
        gallery.close()
    gallery = open_again()
    apply_changes(gallery)
    assert count_rows(lite) == len(rows(gallery)) == 3
    gallery.close()


def test_many_new_faces_are_searched_by_milvus_and_only_what_it_lacks_is_compared(
    gallery: BlockingGallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    ask = MilvusServer.search

    def note(server: MilvusServer, *arguments: object) -> list[list[int]]:
        asked.append(str(arguments[-1]))
        return ask(server, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(MilvusServer, "search", note)
    monkeypatch.setattr(search, "MOST_NEW", 3)
    enrol(gallery, "anna", *make_faces(3))
    assert find_subjects(gallery, make_faces(3)[0]) == ["anna"]
    apply_changes(gallery)
    stop_applying(monkeypatch)
    enrol(gallery, "bert", *make_faces(2, seed=1))
    assert find_subjects(gallery, make_faces(2, seed=1)[1]) == ["bert", "anna"]
    assert asked == ["Bounded", "Strong"]


def test_when_milvus_lacks_too_many_faces_nothing_is_found(
    gallery: BlockingGallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_applying(monkeypatch)
    monkeypatch.setattr(search, "MOST_NEW", 1)
    monkeypatch.setattr(search, "MOST_WAITING", 2)
    new: list[FaceToEnrol] = make_faces(3)
    enrol(gallery, "anna", *new)
    with pytest.raises(FacenetError, match="is being filled"):
        find_subjects(gallery, new[0])

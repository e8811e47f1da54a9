"""Listing and changing collections, subjects and faces."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from service.domain.command_errors import InvalidSettings
from service.domain.errors import (
    Abandoned,
    CollectionNotFound,
    FaceNotFound,
    StorageUnavailable,
    SubjectExists,
    SubjectNotFound,
)
from service.domain.waiting import WaitingClient, work_for
from service.gallery.base import EnrolledNow, Page, Subject, SubjectToCreate
from service.gallery.indexes import index_factory
from service.gallery.indexes.base import ReadVectors
from service.gallery.indexes.exact import ExactIndex
from service.gallery.records.sqlite.data_directory import DATABASE_FILE
from service.gallery.records.sqlite.database import SqliteDatabase
from tests.service.gallery.random_faces import MODEL, OTHER_MODEL, make_embeddings, make_face, make_faces
from tests.support.blocking_gallery import BlockingGallery


def is_recent(moment: datetime) -> bool:
    return moment.tzinfo is UTC and abs(datetime.now(UTC) - moment) < timedelta(minutes=1)


def ids_by_page(read_page: Callable[[str | None], Page[Any]]) -> list[list[str]]:
    """Return the ids of each page of a list."""
    cursor: str | None = None
    ids: list[list[str]] = []
    while not ids or cursor is not None:
        page = read_page(cursor)
        ids.append([item.id for item in page.items])
        cursor = page.next_cursor
    return ids


def test_a_new_gallery_has_the_default_collection(gallery: BlockingGallery) -> None:
    default = gallery.get_collection("default")
    assert (default.id, default.model_id, default.subjects, default.faces) == ("default", None, 0, 0)
    assert is_recent(default.created_at)


def test_a_deleted_default_collection_is_created_again_empty(gallery: BlockingGallery) -> None:
    gallery.put_subject("default", "anna", None, {})
    gallery.enrol("default", "anna", make_faces(2), MODEL)
    gallery.delete_collection("default")
    assert gallery.get_collection("default").subjects == gallery.face_count == 0
    assert gallery.search("default", make_embeddings(1), 1, OTHER_MODEL) == ([[]], 0)
    gallery.check()


def test_nothing_is_stored_for_a_client_that_was_told_that_its_request_failed(gallery: BlockingGallery) -> None:
    gallery.put_subject("default", "anna", None, {})
    client = WaitingClient()
    client.refuse()
    with work_for(client), pytest.raises(Abandoned):
        gallery.enrol("default", "anna", make_faces(2), MODEL)
    assert gallery.get_collection("default").faces == gallery.face_count == 0
    gallery.check()


def test_creating_an_existing_collection_changes_nothing(gallery: BlockingGallery) -> None:
    created, is_new = gallery.create_collection("left")
    assert is_new
    gallery.put_subject("left", "anna", None, {})
    gallery.enrol("left", "anna", make_faces(2), MODEL)
    again, is_new = gallery.create_collection("left")
    assert not is_new
    assert (again.subjects, again.faces, again.model_id, again.created_at) == (1, 2, MODEL.id, created.created_at)


def test_a_list_is_returned_in_pages(gallery: BlockingGallery) -> None:
    for name in "edcba":
        gallery.create_collection(name)
        gallery.put_subject("default", name, None, {})
    enrolled = [outcome.face for outcome in gallery.enrol("default", "a", make_faces(5), MODEL)]
    assert ids_by_page(lambda after: gallery.list_collections(2, after)) == [["a", "b"], ["c", "d"], ["default", "e"]]
    assert ids_by_page(lambda after: gallery.list_subjects("default", 2, after)) == [["a", "b"], ["c", "d"], ["e"]]
    assert [*chain(*ids_by_page(lambda after: gallery.list_faces("default", "a", 2, after)))] == sorted(enrolled)
    assert ids_by_page(lambda after: gallery.list_faces("default", "b", 2, after)) == [[]]


def test_a_list_continues_after_a_deleted_item(gallery: BlockingGallery) -> None:
    for name in "abcd":
        gallery.put_subject("default", name, None, {})
    cursor = gallery.list_subjects("default", 2, None).next_cursor
    gallery.delete_subject("default", "b")
    assert [subject.id for subject in gallery.list_subjects("default", 2, cursor).items] == ["c", "d"]


def test_a_subject_without_an_id_gets_one(gallery: BlockingGallery) -> None:
    first, second = (gallery.create_subject("default", SubjectToCreate(name="Anna")) for _ in range(2))
    assert first.id != second.id
    assert gallery.get_subject("default", first.id) == first
    assert (first.name, first.metadata, first.faces) == ("Anna", {}, 0)
    assert is_recent(first.created_at)


def test_an_existing_id_is_refused(gallery: BlockingGallery) -> None:
    anna = gallery.create_subject("default", SubjectToCreate("anna", "Anna", {"a": 1}))
    with pytest.raises(SubjectExists):
        gallery.create_subject("default", SubjectToCreate("anna"))
    assert gallery.get_subject("default", "anna") == anna


def test_put_replaces_the_fields_of_a_subject_and_keeps_its_faces(gallery: BlockingGallery) -> None:
    created, is_new = gallery.put_subject("default", "anna", "Anna", {"a": 1})
    assert is_new
    gallery.enrol("default", "anna", make_faces(2), MODEL)
    replaced, is_new = gallery.put_subject("default", "anna", None, {})
    assert not is_new
    assert (replaced.name, replaced.metadata, replaced.faces) == (None, {}, 2)
    assert replaced.created_at == created.created_at
    assert gallery.put_subject("default", "anna", None, {}) == (replaced, False)


def test_a_change_keeps_the_fields_that_are_not_given(gallery: BlockingGallery) -> None:
    gallery.create_subject("default", SubjectToCreate("anna", "Anna", {"a": 1}))
    assert gallery.change_subject("default", "anna", {"name": None}).metadata == {"a": 1}
    assert gallery.change_subject("default", "anna", {"metadata": {}}).name is None
    before = gallery.get_subject("default", "anna")
    assert gallery.change_subject("default", "anna", {}) == before


def test_a_face_has_its_subject_and_its_photograph(gallery: BlockingGallery) -> None:
    gallery.put_subject("default", "anna", None, {})
    (enrolled,) = gallery.enrol("default", "anna", [make_face(1)], MODEL)
    stored = gallery.get_face("default", enrolled.face)
    assert (stored.id, stored.subject, stored.image_sha256) == (enrolled.face, "anna", make_face(1).image_sha256)
    assert is_recent(stored.created_at)
    assert gallery.list_faces("default", "anna", 10, None) == Page([stored], None)


def test_an_unknown_collection_is_not_found(gallery: BlockingGallery) -> None:
    operation: Callable[[], object]
    for operation in (
        lambda: gallery.get_collection("nowhere"),
        lambda: gallery.delete_collection("nowhere"),
        lambda: gallery.list_subjects("nowhere", 1, None),
        lambda: gallery.create_subject("nowhere", SubjectToCreate()),
        lambda: gallery.put_subject("nowhere", "anna", None, {}),
        lambda: gallery.check_enrolment("nowhere", "anna", MODEL),
        lambda: gallery.enrol("nowhere", "anna", make_faces(1), MODEL),
        lambda: gallery.get_face("nowhere", "x"),
        lambda: gallery.search("nowhere", make_embeddings(1), 1, MODEL),
        lambda: gallery.references("nowhere", MODEL),
        lambda: gallery.count_faces("nowhere"),
    ):
        with pytest.raises(CollectionNotFound):
            operation()


def test_an_unknown_subject_is_not_found(gallery: BlockingGallery) -> None:
    operation: Callable[[], object]
    for operation in (
        lambda: gallery.get_subject("default", "nobody"),
        lambda: gallery.change_subject("default", "nobody", {"name": "x"}),
        lambda: gallery.delete_subject("default", "nobody"),
        lambda: gallery.merge_subjects("default", "nobody", "anna"),
        lambda: gallery.check_enrolment("default", "nobody", MODEL),
        lambda: gallery.enrol("default", "nobody", make_faces(1), MODEL),
        lambda: gallery.list_faces("default", "nobody", 1, None),
        lambda: gallery.subject_embeddings("default", "nobody", MODEL),
    ):
        with pytest.raises(SubjectNotFound):
            operation()


def test_an_unknown_face_is_not_found(gallery: BlockingGallery) -> None:
    operation: Callable[[], object]
    for operation in (
        lambda: gallery.get_face("default", "none"),
        lambda: gallery.delete_face("default", "none"),
        lambda: gallery.move_face("default", "none", "nobody"),
        lambda: gallery.face_embedding("default", "none", MODEL),
    ):
        with pytest.raises(FaceNotFound):
            operation()


def test_one_of_several_concurrent_requests_creates_the_subject(gallery: BlockingGallery) -> None:
    def create(name: str) -> str | None:
        try:
            created: Subject = gallery.create_subject("default", SubjectToCreate("anna", name))
        except SubjectExists:
            return None
        return created.name

    with ThreadPoolExecutor(4) as threads:
        (created_name,) = [name for name in threads.map(create, "abcdefgh") if name]
    assert gallery.get_subject("default", "anna").name == created_name


def test_one_of_several_concurrent_requests_enrols_the_photograph(gallery: BlockingGallery) -> None:
    gallery.put_subject("default", "anna", None, {})
    with ThreadPoolExecutor(4) as threads:
        outcomes = list(threads.map(lambda _: gallery.enrol("default", "anna", [make_face(1)], MODEL)[0], range(8)))
    assert sum(isinstance(outcome, EnrolledNow) for outcome in outcomes) == 1
    assert len({outcome.face for outcome in outcomes}) == 1


def test_the_face_count_is_over_all_collections(gallery: BlockingGallery) -> None:
    for collection in ("left", "right"):
        gallery.create_collection(collection)
        gallery.put_subject(collection, "anna", None, {})
        gallery.enrol(collection, "anna", make_faces(3), MODEL)
    assert gallery.face_count == 6
    assert gallery.count_faces("left") == 3


def test_an_unknown_index_is_refused_at_the_start(data_dir: Path) -> None:
    for name in ("IDMap2,Flatt", "HNSW32", "IVF4,Flat", "Flat", ""):
        with pytest.raises(InvalidSettings, match=r"FACE_GALLERY__INDEX to one of faiss, flat, exact"):
            BlockingGallery.open(data_dir, name)
    assert not data_dir.exists()


def test_the_check_reports_and_rebuilds_an_index_that_differs_from_the_records(data_dir: Path) -> None:
    indexes: list[ExactIndex] = []

    def create_index(dimension: int, read: ReadVectors) -> ExactIndex:
        indexes.append(ExactIndex(dimension, read))
        return indexes[-1]

    data_dir.mkdir()
    records = SqliteDatabase(data_dir / DATABASE_FILE)
    records.migrate()
    gallery = BlockingGallery.from_database(records, create_index)
    gallery.put_subject("default", "anna", None, {})
    gallery.enrol("default", "anna", make_faces(3), MODEL)
    gallery.check()
    indexes[-1].remove(indexes[-1].numbers[:1])
    with pytest.raises(StorageUnavailable):
        gallery.check()
    gallery.check()
    assert len(indexes[-1]) == 3
    records.close()


@pytest.mark.parametrize("name", ["IDMap2,Flat", "IDMap,Flat"])
def test_the_names_of_earlier_versions_select_the_exact_index_of_faiss(data_dir: Path, name: str) -> None:
    assert index_factory(name) is index_factory("flat")
    gallery = BlockingGallery.open(data_dir, name)
    gallery.put_subject("default", "anna", None, {})
    gallery.enrol("default", "anna", make_faces(3), MODEL)
    gallery.check()
    gallery.close()

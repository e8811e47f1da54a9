"""Collections, subjects and faces as clients list and change them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from service.errors import (
    CollectionNotFound,
    FaceNotFound,
    InvalidSettings,
    StorageUnavailable,
    SubjectExists,
    SubjectNotFound,
)
from service.galleries import index_builder
from service.galleries.base import Enrolled, NewSubject, Page
from service.galleries.exact import ExactIndex
from service.galleries.gallery import DATABASE, Gallery
from service.galleries.records.database import Records
from tests.service.galleries.made_up import MODEL, OTHER_MODEL, face, faces, vectors


def is_now(moment: datetime) -> bool:
    return moment.tzinfo is UTC and abs(datetime.now(UTC) - moment) < timedelta(minutes=1)


def ids(part: Callable[[str | None], Page[Any]]) -> list[list[str]]:
    """Of every part of a list."""
    cursor: str | None = None
    parts: list[list[str]] = []
    while not parts or cursor is not None:
        page = part(cursor)
        parts.append([item.id for item in page.items])
        cursor = page.next_cursor
    return parts


def test_the_default_collection_is_there_from_the_start(gallery: Gallery) -> None:
    default = gallery.collection("default")
    assert (default.id, default.model_id, default.subjects, default.faces) == ("default", None, 0, 0)
    assert is_now(default.created_at)


def test_the_default_collection_is_there_again_and_empty_once_it_is_deleted(gallery: Gallery) -> None:
    gallery.put_subject("default", "anna", None, {})
    gallery.enrol("default", "anna", faces(2), MODEL)
    gallery.delete_collection("default")
    assert gallery.collection("default").subjects == gallery.size == 0
    assert gallery.search("default", vectors(1), 1, OTHER_MODEL) == ([[]], 0)
    gallery.check()


def test_to_create_a_collection_again_changes_nothing(gallery: Gallery) -> None:
    created, is_new = gallery.create_collection("left")
    assert is_new
    gallery.put_subject("left", "anna", None, {})
    gallery.enrol("left", "anna", faces(2), MODEL)
    again, is_new = gallery.create_collection("left")
    assert not is_new
    assert (again.subjects, again.faces, again.model_id, again.created_at) == (1, 2, MODEL.id, created.created_at)


def test_lists_come_in_parts(gallery: Gallery) -> None:
    for name in "edcba":
        gallery.create_collection(name)
        gallery.put_subject("default", name, None, {})
    enrolled = [one.face for one in gallery.enrol("default", "a", faces(5), MODEL)]
    assert ids(lambda after: gallery.collections(2, after)) == [["a", "b"], ["c", "d"], ["default", "e"]]
    assert ids(lambda after: gallery.subjects("default", 2, after)) == [["a", "b"], ["c", "d"], ["e"]]
    assert [*chain(*ids(lambda after: gallery.faces("default", "a", 2, after)))] == sorted(enrolled)
    assert ids(lambda after: gallery.faces("default", "b", 2, after)) == [[]]


def test_a_list_goes_on_after_an_item_that_is_gone(gallery: Gallery) -> None:
    for name in "abcd":
        gallery.put_subject("default", name, None, {})
    cursor = gallery.subjects("default", 2, None).next_cursor
    gallery.delete_subject("default", "b")
    assert [subject.id for subject in gallery.subjects("default", 2, cursor).items] == ["c", "d"]


def test_a_subject_is_given_an_id_where_it_brings_none(gallery: Gallery) -> None:
    one, other = (gallery.create_subject("default", NewSubject(name="Anna")) for _ in range(2))
    assert one.id != other.id
    assert gallery.subject("default", one.id) == one
    assert (one.name, one.metadata, one.faces) == ("Anna", {}, 0)
    assert is_now(one.created_at)


def test_an_id_that_is_taken_is_refused(gallery: Gallery) -> None:
    anna = gallery.create_subject("default", NewSubject("anna", "Anna", {"a": 1}))
    with pytest.raises(SubjectExists):
        gallery.create_subject("default", NewSubject("anna"))
    assert gallery.subject("default", "anna") == anna


def test_put_makes_a_subject_be_as_given_and_keeps_their_faces(gallery: Gallery) -> None:
    created, is_new = gallery.put_subject("default", "anna", "Anna", {"a": 1})
    assert is_new
    gallery.enrol("default", "anna", faces(2), MODEL)
    replaced, is_new = gallery.put_subject("default", "anna", None, {})
    assert not is_new
    assert (replaced.name, replaced.metadata, replaced.faces) == (None, {}, 2)
    assert replaced.created_at == created.created_at
    assert gallery.put_subject("default", "anna", None, {}) == (replaced, False)


def test_a_patch_changes_what_it_names(gallery: Gallery) -> None:
    gallery.create_subject("default", NewSubject("anna", "Anna", {"a": 1}))
    assert gallery.change_subject("default", "anna", {"name": None}).metadata == {"a": 1}
    assert gallery.change_subject("default", "anna", {"metadata": {}}).name is None
    before = gallery.subject("default", "anna")
    assert gallery.change_subject("default", "anna", {}) == before


def test_a_face_says_whose_it_is(gallery: Gallery) -> None:
    gallery.put_subject("default", "anna", None, {})
    (enrolled,) = gallery.enrol("default", "anna", [face(1)], MODEL)
    stored = gallery.face("default", enrolled.face)
    assert (stored.id, stored.subject, stored.image_sha256) == (enrolled.face, "anna", face(1).image_sha256)
    assert is_now(stored.created_at)
    assert gallery.faces("default", "anna", 10, None) == Page([stored], None)


def test_a_collection_that_is_not_there_is_named(gallery: Gallery) -> None:
    for wrong in (
        lambda: gallery.collection("nowhere"),
        lambda: gallery.delete_collection("nowhere"),
        lambda: gallery.subjects("nowhere", 1, None),
        lambda: gallery.create_subject("nowhere", NewSubject()),
        lambda: gallery.put_subject("nowhere", "anna", None, {}),
        lambda: gallery.check_enrolment("nowhere", "anna", MODEL),
        lambda: gallery.enrol("nowhere", "anna", faces(1), MODEL),
        lambda: gallery.face("nowhere", "x"),
        lambda: gallery.search("nowhere", vectors(1), 1, MODEL),
        lambda: gallery.references("nowhere", MODEL),
        lambda: gallery.faces_of("nowhere"),
    ):
        with pytest.raises(CollectionNotFound):
            wrong()


def test_a_subject_that_is_not_there_is_named(gallery: Gallery) -> None:
    for wrong in (
        lambda: gallery.subject("default", "nobody"),
        lambda: gallery.change_subject("default", "nobody", {"name": "x"}),
        lambda: gallery.delete_subject("default", "nobody"),
        lambda: gallery.check_enrolment("default", "nobody", MODEL),
        lambda: gallery.enrol("default", "nobody", faces(1), MODEL),
        lambda: gallery.faces("default", "nobody", 1, None),
        lambda: gallery.subject_vectors("default", "nobody", MODEL),
    ):
        with pytest.raises(SubjectNotFound):
            wrong()


def test_a_face_that_is_not_there_is_named(gallery: Gallery) -> None:
    for wrong in (
        lambda: gallery.face("default", "none"),
        lambda: gallery.delete_face("default", "none"),
        lambda: gallery.face_vectors("default", "none", MODEL),
    ):
        with pytest.raises(FaceNotFound):
            wrong()


def test_of_several_who_create_the_same_subject_one_does(gallery: Gallery) -> None:
    def create(name: str) -> str | None:
        try:
            return gallery.create_subject("default", NewSubject("anna", name)).name
        except SubjectExists:
            return None

    with ThreadPoolExecutor(4) as threads:
        (won,) = [name for name in threads.map(create, "abcdefgh") if name]
    assert gallery.subject("default", "anna").name == won


def test_of_several_who_enrol_the_same_photograph_one_does(gallery: Gallery) -> None:
    gallery.put_subject("default", "anna", None, {})
    with ThreadPoolExecutor(4) as threads:
        outcomes = list(threads.map(lambda _: gallery.enrol("default", "anna", [face(1)], MODEL)[0], range(8)))
    assert sum(isinstance(outcome, Enrolled) for outcome in outcomes) == 1
    assert len({outcome.face for outcome in outcomes}) == 1


def test_size_counts_all_collections(gallery: Gallery) -> None:
    for collection in ("left", "right"):
        gallery.create_collection(collection)
        gallery.put_subject(collection, "anna", None, {})
        gallery.enrol(collection, "anna", faces(3), MODEL)
    assert gallery.size == 6
    assert gallery.faces_of("left") == 3


def test_an_index_that_cannot_be_built_stops_the_start(data_dir: Path) -> None:
    for name in ("IDMap2,Flatt", "HNSW32", "IVF4,Flat", "Flat", ""):
        with pytest.raises(InvalidSettings, match=r"FACE_GALLERY__INDEX=IDMap2,Flat"):
            Gallery.open(data_dir, name)
    assert not data_dir.exists()


def test_an_index_that_disagrees_with_the_records_is_told_and_mended(data_dir: Path) -> None:
    built: list[ExactIndex] = []

    def build(dimension: int) -> ExactIndex:
        built.append(ExactIndex(dimension))
        return built[-1]

    data_dir.mkdir()
    records = Records(data_dir / DATABASE)
    records.upgrade()
    gallery = Gallery(records, build)
    gallery.put_subject("default", "anna", None, {})
    gallery.enrol("default", "anna", faces(3), MODEL)
    gallery.check()
    built[-1].remove(built[-1].numbers[:1])
    with pytest.raises(StorageUnavailable):
        gallery.check()
    gallery.check()
    assert len(built[-1]) == 3
    records.close()


def test_exact_indexes_of_faiss_may_be_named_by_their_factory_string(data_dir: Path) -> None:
    index_builder("IDMap,Flat")(dimension=16)
    gallery = Gallery.open(data_dir, "IDMap,Flat")
    gallery.put_subject("default", "anna", None, {})
    gallery.enrol("default", "anna", faces(3), MODEL)
    gallery.check()
    gallery.close()

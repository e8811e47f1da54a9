"""What every gallery must do when a collection is exported and imported: the same content, whatever the database."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import update

from service.api.bodies import Lines
from service.api.routes.exports import read_part
from service.domain.errors import CollectionNotFound, FacenetError, FacesExist, ImportUnfinished
from service.gallery.base import FaceOfSubject, SubjectToCreate
from service.gallery.records.schema import FACES, SUBJECTS
from service.gallery.records.statements.moving.values import Imported
from tests.contracts.conftest import OpenGallery
from tests.service.gallery.random_faces import MODEL, make_embeddings, make_faces
from tests.support.blocking_gallery import BlockingGallery
from tests.support.collection_files import content_of, parts_of

FACES_COUNT = 4_500
"""Several parts, and pages of faces."""
OLD = datetime(2020, 1, 2, 3, 4, 5, 6, UTC)


def fill(gallery: BlockingGallery, collection: str) -> None:
    """Enrol faces, mixed with those of another collection. Two faces are deleted, and one is moved."""
    gallery.create_collection(collection, 36_500)
    gallery.create_subject(collection, SubjectToCreate("nobody", "Ω\u2028", {"a": [0.1, 2**60, None, {"b": "\n"}]}))
    for seed in range(3):
        block = make_faces(FACES_COUNT // 3, seed)
        new = [
            FaceOfSubject(SubjectToCreate(f"s{i % 700}", f"Person {i}", {"i": i}), one) for i, one in enumerate(block)
        ]
        gallery.enrol_block(collection, new, MODEL)
        gallery.enrol_block(
            "default", [FaceOfSubject(SubjectToCreate("x"), one) for one in make_faces(10, seed)], MODEL
        )
    faces = gallery.list_faces(collection, "s3", 10, None).items
    gallery.delete_face(collection, faces[0].id)
    gallery.delete_face(collection, faces[1].id)
    gallery.move_face(collection, faces[2].id, "s4")
    with gallery.gallery.database.writing() as connection:  # times that are not those of now
        connection.execute(update(FACES).where(FACES.c.id == faces[2].id).values(created_at=OLD))
        connection.execute(update(SUBJECTS).where(SUBJECTS.c.created_at > OLD).values(created_at=OLD))


def export(gallery: BlockingGallery, collection: str) -> bytes:
    started = gallery.gallery.export(collection)
    next_part: Any = type(started).next_part
    return b"".join(iter(lambda: next_part.__wrapped__(started), b""))


def store(gallery: BlockingGallery, collection: str, part: bytes) -> Imported:
    imports = gallery.gallery.imports
    run: Any = type(imports).store
    imported: Imported = run.__wrapped__(imports, collection, read_part(Lines(bytearray(part), part.count(b"\n"))))
    return imported


@pytest.fixture
def other(tmp_path: Path) -> Iterator[BlockingGallery]:
    """Return a plain gallery of SQLite."""
    gallery = BlockingGallery.open(tmp_path / "other", "exact")
    yield gallery
    gallery.check()
    gallery.close()


def nearest(gallery: BlockingGallery, seed: int) -> tuple[str, str | None, str]:
    (candidates,), _ = gallery.search("people", make_embeddings(5, seed)[3:4], 1, MODEL)
    return candidates[0].subject, candidates[0].name, candidates[0].face


def test_a_collection_is_identical_after_it_moved_there_and_back(
    gallery: BlockingGallery, other: BlockingGallery
) -> None:
    fill(gallery, "people")
    before = export(gallery, "people")
    found = nearest(gallery, 2)
    embeddings = gallery.subject_embeddings("people", "s4", MODEL)
    assert len(parts_of(before)) > 2
    for part in parts_of(before):
        store(other, "people", part)
    assert nearest(other, 2) == found
    there = export(other, "people")
    assert content_of(there) == content_of(before)
    gallery.delete_collection("people")
    for part in parts_of(there):
        store(gallery, "people", part)
    assert content_of(export(gallery, "people")) == content_of(before)
    assert nearest(gallery, 2) == found
    np.testing.assert_array_equal(gallery.subject_embeddings("people", "s4", MODEL), embeddings)
    assert gallery.get_collection("people").faces == FACES_COUNT - 2
    assert gallery.search("people", make_embeddings(1, 50), 5, MODEL)[1] == FACES_COUNT - 2


def test_a_half_of_an_import_is_not_used_and_continues_after_a_restart(
    open_again: OpenGallery, other: BlockingGallery
) -> None:
    fill(other, "people")
    parts = parts_of(export(other, "people"))
    gallery = open_again()
    for part in parts[:2]:
        store(gallery, "people", part)
    gallery.close()
    gallery = open_again()
    gallery.check()
    assert gallery.get_collection("people").import_unfinished
    for use in (
        lambda: gallery.list_subjects("people", 5, None),
        lambda: gallery.enrol("people", "s1", make_faces(1, 9), MODEL),
        lambda: gallery.change_collection("people", {"expires_after_days": 1}),
        lambda: export(gallery, "people"),
    ):
        with pytest.raises(ImportUnfinished):
            use()
    with pytest.raises(CollectionNotFound):
        gallery.search("people", make_embeddings(1), 1, MODEL)
    gallery.gallery.expire_all()
    answer = store(gallery, "people", parts[0])
    assert not answer.is_finished
    for part in parts[2:]:
        store(gallery, "people", part)
    assert content_of(export(gallery, "people")) == content_of(b"".join(parts))
    gallery.check()
    gallery.close()
    gallery = open_again()
    assert nearest(gallery, 2) == nearest(other, 2)
    gallery.close()


def test_faces_of_another_collection_are_refused_and_nothing_is_left(gallery: BlockingGallery) -> None:
    fill(gallery, "people")
    parts = parts_of(export(gallery, "people"))
    part_with_faces = next(number for number, part in enumerate(parts) if b'"face"' in part)
    for part in parts[:part_with_faces]:
        store(gallery, "copy", part)
    with pytest.raises(FacesExist):
        store(gallery, "copy", parts[part_with_faces])  # the first part: its transaction also made the collection
    with pytest.raises(CollectionNotFound):
        gallery.get_collection("copy")
    assert gallery.get_collection("people").faces == FACES_COUNT - 2


def test_an_expired_face_is_deleted_after_the_import_and_is_in_no_export(
    gallery: BlockingGallery, other: BlockingGallery
) -> None:
    fill(other, "people")
    other.change_collection("people", {"expires_after_days": (datetime.now(UTC) - OLD + timedelta(days=1)).days})
    parts = parts_of(export(other, "people"))
    changed = (datetime.now(UTC) - OLD).days - 1
    other.change_collection("people", {"expires_after_days": changed})
    assert len(content_of(export(other, "people"))) < len(content_of(b"".join(parts)))
    for part in parts:
        store(gallery, "people", part)
    gallery.change_collection("people", {"expires_after_days": changed})
    gallery.gallery.expire_all()
    assert gallery.get_collection("people").faces == other.get_collection("people").faces


def test_changes_during_an_export_leave_a_file_that_can_be_imported(
    gallery: BlockingGallery, other: BlockingGallery
) -> None:
    fill(gallery, "people")
    started: Any = gallery.gallery.export("people")
    next_part = type(started).next_part.__wrapped__
    parts = [next_part(started)]
    last = gallery.list_faces("people", "s699", 10, None).items
    gallery.create_subject("people", SubjectToCreate("new", "New"))
    gallery.move_face("people", last[-1].id, "new")
    gallery.delete_face("people", last[-2].id)
    gallery.delete_subject("people", "s698")
    gallery.put_subject("people", "late", None, {})
    gallery.enrol("people", "late", make_faces(3, 77), MODEL)
    while part := next_part(started):
        parts.append(part)
    for part in parts:
        store(other, "people", part)
    assert [face.id for face in other.list_faces("people", "new", 10, None).items] == [last[-1].id]
    assert last[-2].id not in {face.id for face in other.list_faces("people", "s699", 10, None).items}
    assert len(other.list_faces("people", "s698", 10, None).items) == 2  # they were read before
    with pytest.raises(FacenetError):
        other.get_subject("people", "late")

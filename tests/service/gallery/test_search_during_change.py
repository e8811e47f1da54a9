"""A change between the two steps of a search: the index is searched first, then the owners of the faces are read."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from service.domain.errors import StorageUnavailable
from service.gallery.indexes.exact import ExactIndex
from service.gallery.records.sqlite.data_directory import DATABASE_FILE
from service.gallery.records.sqlite.database import SqliteDatabase
from tests.service.gallery.random_faces import MODEL, make_embeddings, make_face
from tests.support.blocking_gallery import BlockingGallery


class ChangingDatabase(SqliteDatabase):
    """Calls `change` once, just before a search reads the owners of the faces that it has found."""

    change: Callable[[], object] | None = None

    @contextmanager
    def reading_once(self) -> Iterator[Connection]:
        change, self.change = self.change, None
        if change:
            change()
        with super().reading_once() as connection:
            yield connection


@pytest.fixture
def database(tmp_path: Path) -> Iterator[ChangingDatabase]:
    with closing(ChangingDatabase(tmp_path / DATABASE_FILE)) as database:
        database.migrate()
        yield database


@pytest.fixture
def gallery(database: ChangingDatabase) -> BlockingGallery:
    """Return a gallery in which anna's nearest face to the probe is face 0, then face 2. Berta's is face 1."""
    gallery = BlockingGallery.from_database(database, ExactIndex)
    for subject, seeds in (("anna", (0, 2)), ("berta", (1,))):
        gallery.put_subject("default", subject, None, {})
        gallery.enrol("default", subject, [make_face(seed) for seed in seeds], MODEL)
    return gallery


def found(gallery: BlockingGallery) -> dict[str, str]:
    """Return the subjects that a search for face 0 finds, and the photograph of the nearest face of each."""
    (candidates,), _ = gallery.search("default", make_embeddings(1), 5, MODEL)
    assert len({candidate.subject for candidate in candidates}) == len(candidates)
    return {candidate.subject: gallery.get_face("default", candidate.face).image_sha256 for candidate in candidates}


def face_id(gallery: BlockingGallery, subject: str, seed: int) -> str:
    faces = gallery.list_faces("default", subject, 9, None).items
    return str(next(face.id for face in faces if face.image_sha256 == make_face(seed).image_sha256))


def test_a_face_that_moves_during_a_search_is_found_once_and_its_former_subject_by_another_face(
    database: ChangingDatabase, gallery: BlockingGallery
) -> None:
    face = face_id(gallery, "anna", 0)
    database.change = lambda: gallery.move_face("default", face, "berta")
    assert found(gallery) == {"berta": make_face(0).image_sha256, "anna": make_face(2).image_sha256}


def test_the_subject_of_a_face_that_is_deleted_during_a_search_is_found_by_another_face(
    database: ChangingDatabase, gallery: BlockingGallery
) -> None:
    face = face_id(gallery, "anna", 0)
    database.change = lambda: gallery.delete_face("default", face)
    assert found(gallery) == {"anna": make_face(2).image_sha256, "berta": make_face(1).image_sha256}


def test_two_subjects_that_are_merged_during_a_search_are_found_once(
    database: ChangingDatabase, gallery: BlockingGallery
) -> None:
    database.change = lambda: gallery.merge_subjects("default", "berta", "anna")
    assert found(gallery) == {"berta": make_face(0).image_sha256}


def test_an_index_with_a_wrong_owner_is_not_used_and_the_check_builds_it_again(
    database: ChangingDatabase, gallery: BlockingGallery
) -> None:
    with database.writing() as connection:
        connection.execute(text("UPDATE faces SET subject = (SELECT key FROM subjects WHERE id = 'berta')"))
    with pytest.raises(StorageUnavailable):
        found(gallery)
    with pytest.raises(StorageUnavailable):
        gallery.check()
    gallery.check()
    assert found(gallery) == {"berta": make_face(0).image_sha256}

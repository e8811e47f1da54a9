"""Faces are deleted when they are as old as their collection keeps them. A search never finds an older one."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from service.domain.errors import FaceNotFound, StorageUnavailable, SubjectNotFound
from service.gallery.base import Deleted, NoGalleryLog
from service.gallery.gallery import Gallery
from service.gallery.indexes.exact import ExactIndex
from service.gallery.records.encryption.data_keys import data_keys
from service.gallery.records.encryption.encrypt import encrypt
from service.gallery.records.encryption.key_file import KEY_BYTES, OperatorKey
from service.gallery.records.schema import CROPS, FACES
from service.gallery.records.sqlite.data_directory import DATABASE_FILE
from service.gallery.records.sqlite.database import SqliteDatabase
from service.gallery.records.statements import collections
from service.gallery.records.statements.encryption import cipher
from service.gallery.records.statements.rules import retention
from service.gallery.search.in_memory.search import in_memory
from tests.service.gallery.random_faces import MODEL, make_crop, make_faces
from tests.support.blocking_gallery import BlockingGallery
from tests.support.full_disk import simulate_full_disk

DAY = timedelta(days=1)


class Clock:
    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class ExpiredLog(NoGalleryLog):
    def __init__(self) -> None:
        self.expired: list[Deleted] = []

    def record_deleted(self, deleted: Deleted) -> None:
        self.expired.append(deleted)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log() -> ExpiredLog:
    return ExpiredLog()


@pytest.fixture(params=[None, OperatorKey.of(bytes(range(KEY_BYTES)))], ids=["plain", "encrypted"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqliteDatabase]:
    keys = data_keys(request.param)
    with closing(SqliteDatabase(tmp_path / DATABASE_FILE, data_keys=keys)) as database:
        database.migrate()
        encrypt(database, keys.key_id)
        yield database


@pytest.fixture
def gallery(database: SqliteDatabase, clock: Clock, log: ExpiredLog) -> BlockingGallery:
    """Return a gallery without its thread, so nothing expires by itself. `friends` keeps faces for 30 days."""
    gallery = BlockingGallery(Gallery(database, in_memory(ExactIndex), log, clock))
    gallery.create_collection("friends", 30)
    for subject in ("anna", "berta"):
        gallery.put_subject("friends", subject, None, {})
    return gallery


FACES_OF_ANNA = [replace(face, crop=make_crop(1)) for face in make_faces(3)]
FACE_OF_BERTA = make_faces(1, seed=1)


def stored_faces(database: SqliteDatabase) -> int:
    with database.reading() as connection:
        return connection.execute(select(func.count()).select_from(FACES)).scalar_one()


def stored_crops(database: SqliteDatabase) -> int:
    with database.reading() as connection:
        return connection.execute(select(func.count()).select_from(CROPS)).scalar_one()


def search(gallery: BlockingGallery, face: int = 0) -> list[str]:
    rows, _ = gallery.search("friends", FACES_OF_ANNA[face].embedding[None], 5, MODEL)
    return [candidate.subject for candidate in rows[0]]


def test_a_search_finds_no_face_that_has_expired(
    gallery: BlockingGallery, clock: Clock, database: SqliteDatabase
) -> None:
    gallery.enrol("friends", "anna", FACES_OF_ANNA, MODEL)
    clock.ahead = 30 * DAY - timedelta(minutes=1)
    assert search(gallery) == ["anna"]
    assert stored_crops(database) == 3
    clock.ahead = 30 * DAY + timedelta(seconds=1)
    assert search(gallery) == []
    assert stored_faces(database) == stored_crops(database) == 0
    gallery.check()


def test_faces_expire_one_after_the_other(gallery: BlockingGallery, clock: Clock) -> None:
    for number, face in enumerate(FACES_OF_ANNA):
        gallery.enrol("friends", "anna", [face], MODEL)
        age(gallery, face.image_sha256, timedelta(days=10 * number))
    for days, faces in ((9, 3), (11, 2), (21, 1), (31, 0)):
        clock.ahead = days * DAY
        gallery.gallery.expire_all()
        assert gallery.get_collection("friends").faces == faces
    gallery.check()


def age(gallery: BlockingGallery, image_sha256: str, by: timedelta) -> None:
    with gallery.gallery._database.writing() as connection:  # noqa: SLF001  # no method changes the time of an enrolment
        to = cipher(connection, collections.find(connection, "friends").key)
        stored = to.write_id("faces.image_sha256", image_sha256)
        statement = FACES.update().where(FACES.c.image_sha256 == stored)
        connection.execute(statement.values(created_at=datetime.now(UTC) - by))
    gallery.gallery._retention.read_rules()  # noqa: SLF001  # as a start does


@pytest.mark.parametrize(
    ("method", "arguments"),
    [("subject_embeddings", (MODEL,)), ("list_faces", (10, None)), ("stored_subject", ())],
)
def test_a_subject_that_has_expired_is_gone_for_every_method(
    gallery: BlockingGallery, clock: Clock, method: str, arguments: tuple[object, ...]
) -> None:
    gallery.enrol("friends", "anna", FACES_OF_ANNA, MODEL)
    clock.ahead = 31 * DAY
    with pytest.raises(SubjectNotFound):
        getattr(gallery, method)("friends", "anna", *arguments)


def test_a_clustering_gets_no_face_that_has_expired(gallery: BlockingGallery, clock: Clock) -> None:
    gallery.enrol("friends", "anna", FACES_OF_ANNA, MODEL)
    clock.ahead = 31 * DAY
    assert gallery.references("friends", MODEL)[0] == []


def test_a_face_that_has_expired_cannot_be_read_by_its_id(gallery: BlockingGallery, clock: Clock) -> None:
    (enrolled,) = gallery.enrol("friends", "anna", FACES_OF_ANNA[:1], MODEL)
    clock.ahead = 31 * DAY
    with pytest.raises(FaceNotFound):
        gallery.face_embedding("friends", enrolled.face, MODEL)
    with pytest.raises(FaceNotFound):
        gallery.get_face("friends", enrolled.face)


def test_old_subjects_without_faces_are_deleted_and_others_stay(gallery: BlockingGallery, clock: Clock) -> None:
    clock.ahead = 31 * DAY
    gallery.enrol("friends", "anna", FACES_OF_ANNA, MODEL)
    clock.ahead = 20 * DAY
    gallery.gallery.expire_all()
    assert {subject.id for subject in gallery.list_subjects("friends", 10, None).items} == {"anna", "berta"}
    clock.ahead = 29 * DAY
    gallery.enrol("friends", "berta", FACE_OF_BERTA, MODEL)
    age(gallery, FACE_OF_BERTA[0].image_sha256, -29 * DAY)
    gallery.put_subject("default", "carla", None, {})
    clock.ahead = 31 * DAY
    gallery.gallery.expire_all()
    assert [subject.id for subject in gallery.list_subjects("friends", 10, None).items] == ["berta"]
    assert gallery.get_subject("default", "carla").id == "carla"
    with pytest.raises(SubjectNotFound):
        gallery.get_subject("friends", "anna")


def test_what_expired_is_recorded(gallery: BlockingGallery, clock: Clock, log: ExpiredLog) -> None:
    gallery.enrol("friends", "anna", FACES_OF_ANNA, MODEL)
    clock.ahead = 31 * DAY
    gallery.gallery.expire_all()
    assert log.expired == [
        Deleted("expired", "friends", ("anna",), 3, 0),
        Deleted("expired", "friends", ("anna", "berta"), 0, 2),
    ]


def test_more_faces_than_one_transaction_deletes_expire_together(
    gallery: BlockingGallery, clock: Clock, database: SqliteDatabase
) -> None:
    gallery.enrol("friends", "berta", make_faces(retention.MAX_FACES + 10, seed=2), MODEL)
    clock.ahead = 31 * DAY
    assert search(gallery) == []
    assert stored_faces(database) == 0


def test_a_shorter_rule_holds_at_once_and_null_keeps_all(gallery: BlockingGallery, clock: Clock) -> None:
    gallery.enrol("friends", "anna", FACES_OF_ANNA, MODEL)
    clock.ahead = 31 * DAY
    gallery.change_collection("friends", {"expires_after_days": None})
    assert search(gallery) == ["anna"]
    assert gallery.change_collection("friends", {"expires_after_days": 31}).expires_after_days == 31
    clock.ahead = 32 * DAY
    assert search(gallery) == []


def test_a_collection_without_a_rule_keeps_its_faces(gallery: BlockingGallery, clock: Clock) -> None:
    gallery.put_subject("default", "anna", None, {})
    gallery.enrol("default", "anna", FACES_OF_ANNA, MODEL)
    clock.ahead = 36_500 * DAY
    gallery.gallery.expire_all()
    assert gallery.get_collection("default").faces == 3


def test_the_rule_is_known_after_a_restart(
    gallery: BlockingGallery, clock: Clock, database: SqliteDatabase, log: ExpiredLog
) -> None:
    gallery.enrol("friends", "anna", FACES_OF_ANNA, MODEL)
    clock.ahead = 31 * DAY
    restarted = BlockingGallery(Gallery(database, in_memory(ExactIndex), log, clock))
    assert search(restarted) == []


def test_a_search_fails_if_an_expired_face_cannot_be_deleted(gallery: BlockingGallery, clock: Clock) -> None:
    gallery.enrol("friends", "anna", FACES_OF_ANNA, MODEL)
    clock.ahead = 31 * DAY
    with simulate_full_disk(1), pytest.raises(StorageUnavailable):
        search(gallery)
    assert search(gallery) == []

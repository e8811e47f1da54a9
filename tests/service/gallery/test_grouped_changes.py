"""Enrolments that wait at the same time share a transaction, and so do deletions. An error undoes only one of them."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from service.access.secret_file import write_encryption_key
from service.domain.access import FULL_ACCESS, Access, work_with
from service.domain.errors import Abandoned, FaceNotFound, ModelMismatch, StorageUnavailable, SubjectNotFound
from service.domain.waiting import WaitingClient, work_for
from service.gallery.base import EnrolledNow, FaceOfSubject, FaceToEnrol, SubjectToCreate
from service.gallery.records.grouped_changes import GroupedChanges
from service.gallery.records.statements.transactions import Enrolment
from tests.service.gallery.random_faces import MODEL, OTHER_MODEL, make_face, make_faces
from tests.support.blocking_gallery import BlockingGallery

Work = Callable[[], Any]


def raise_key_error(_connection: Connection) -> Enrolment:
    raise KeyError


def count_commits(gallery: BlockingGallery, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets an item for each transaction that changes something."""
    commits: list[int] = []
    committing = gallery.gallery.database.committing

    @contextmanager
    def counted(committed: Callable[[], None]) -> Iterator[Connection]:
        with committing(committed) as connection:
            yield connection
        commits.append(1)

    monkeypatch.setattr(gallery.gallery.database, "committing", counted)
    return commits


def run_at_once(gallery: BlockingGallery, *works: Work) -> list[Future[Any]]:
    """Run enrolments in threads, in this order, while the lock for changes is held, so that they wait together."""
    return run_while_locked(gallery, gallery.gallery._enrolments, works)  # noqa: SLF001


def run_while_locked(gallery: BlockingGallery, group: GroupedChanges[Any], works: Sequence[Work]) -> list[Future[Any]]:
    waiting = group._waiting  # noqa: SLF001  # nothing else says that they wait
    futures: list[Future[Any]] = []
    with ThreadPoolExecutor(len(works)) as threads, gallery.gallery._writing:  # noqa: SLF001
        for number, work in enumerate(works, 1):
            futures.append(threads.submit(work))
            while len(waiting) < number:
                assert not futures[-1].done()
    return futures


def enrolment(gallery: BlockingGallery, subject: str, *faces: FaceToEnrol, collection: str = "default") -> Work:
    return lambda: gallery.enrol(collection, subject, faces, MODEL)


def check_found(gallery: BlockingGallery, subject: str, face: FaceToEnrol, collection: str = "default") -> None:
    ((nearest,),), _ = gallery.search(collection, face.embedding[None], 1, MODEL)
    assert nearest.subject == subject
    assert nearest.distance < 1e-5


def test_enrolments_that_wait_share_one_transaction(gallery: BlockingGallery, monkeypatch: pytest.MonkeyPatch) -> None:
    people = {f"s{number}": make_face(number) for number in range(8)}
    for subject in people:
        gallery.put_subject("default", subject, None, {})
    commits = count_commits(gallery, monkeypatch)
    futures = run_at_once(gallery, *(enrolment(gallery, subject, face) for subject, face in people.items()))
    assert len(commits) == 1
    for future, (subject, face) in zip(futures, people.items(), strict=True):
        (outcome,) = future.result()
        assert gallery.get_face("default", outcome.face).subject == subject
        check_found(gallery, subject, face)
    gallery.check()


def test_an_error_in_one_undoes_only_that_one(gallery: BlockingGallery) -> None:
    for subject in ("anna", "berta"):
        gallery.put_subject("default", subject, None, {})
    a, b, c = make_faces(3)
    futures = run_at_once(
        gallery,
        enrolment(gallery, "anna", a),
        enrolment(gallery, "nobody", b),
        lambda: gallery.enrol_block("default", [FaceOfSubject(SubjectToCreate("new"), b)], OTHER_MODEL),
        lambda: gallery.gallery._enrolments.make("default", raise_key_error),  # noqa: SLF001
        enrolment(gallery, "berta", c),
    )
    assert [type(future.exception()) for future in futures] == [
        type(None), SubjectNotFound, ModelMismatch, KeyError, type(None),
    ]  # fmt: skip
    assert {one.id: one.faces for one in gallery.list_subjects("default", 9, None).items} == {"anna": 1, "berta": 1}
    check_found(gallery, "berta", c)
    gallery.check()


def test_a_client_that_was_told_of_a_failure_finds_nothing_stored(gallery: BlockingGallery) -> None:
    gallery.put_subject("default", "anna", None, {})
    a, b = make_faces(2)
    client = WaitingClient()

    def enrol_for_refused_client() -> Any:
        with work_for(client):
            return gallery.enrol("default", "anna", [a], MODEL)

    client.refuse()
    futures = run_at_once(gallery, enrol_for_refused_client, enrolment(gallery, "anna", b))
    assert isinstance(futures[0].exception(), Abandoned)
    assert isinstance(futures[1].result()[0], EnrolledNow)
    assert gallery.get_subject("default", "anna").faces == 1
    assert not client.waits


def test_a_failed_commit_fails_all_and_stores_nothing(
    gallery: BlockingGallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery.put_subject("default", "anna", None, {})
    committing = gallery.gallery.database.committing

    @contextmanager
    def failing(committed: Callable[[], None]) -> Iterator[Connection]:
        with committing(committed) as connection:
            yield connection
            connection.execute(text("INSERT INTO no_table VALUES (1)"))

    faces = make_faces(3)
    with monkeypatch.context() as patched:
        patched.setattr(gallery.gallery.database, "committing", failing)
        futures = run_at_once(gallery, *(enrolment(gallery, "anna", face) for face in faces))
        assert [type(future.exception()) for future in futures] == [StorageUnavailable] * 3
    assert gallery.get_subject("default", "anna").faces == gallery.face_count == 0
    gallery.enrol("default", "anna", faces, MODEL)
    gallery.check()


def test_each_enrolment_has_the_access_of_its_own_request(gallery: BlockingGallery) -> None:
    faces = dict(zip(("mine", "yours"), make_faces(2), strict=True))
    for collection in faces:
        gallery.create_collection(collection)
        gallery.put_subject(collection, "anna", None, {})

    def enrol_with_access(collection: str) -> Work:
        def work() -> Any:
            with work_with(Access("0" * 12, FULL_ACCESS.scopes, frozenset({collection}))):
                return gallery.enrol(collection, "anna", [faces[collection]], MODEL)

        return work

    futures = run_at_once(gallery, *(enrol_with_access(collection) for collection in faces))
    assert all(isinstance(future.result()[0], EnrolledNow) for future in futures)
    for collection, face in faces.items():
        check_found(gallery, "anna", face, collection)


def test_deletions_that_wait_share_one_transaction_and_an_error_undoes_only_one(
    gallery: BlockingGallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = make_faces(4)
    enrolled: dict[str, str] = {}
    for subject, face in zip(("anna", "berta", "carla", "dora"), faces, strict=True):
        gallery.put_subject("default", subject, None, {})
        (outcome,) = gallery.enrol("default", subject, [face], MODEL)
        enrolled[subject] = outcome.face
    gallery.create_collection("other")
    gallery.put_subject("other", "anna", None, {})
    commits = count_commits(gallery, monkeypatch)
    futures = run_while_locked(
        gallery,
        gallery.gallery._deletions,  # noqa: SLF001
        [
            lambda: gallery.delete_subject("default", "anna"),
            lambda: gallery.delete_face("default", enrolled["berta"]),
            lambda: gallery.delete_subject("default", "nobody"),
            lambda: gallery.delete_subject("other", "anna"),
            lambda: gallery.delete_face("default", enrolled["anna"]),
            lambda: gallery.delete_subject("default", "carla"),
        ],
    )
    assert [type(future.exception()) for future in futures] == [
        type(None), type(None), SubjectNotFound, type(None), FaceNotFound, type(None),
    ]  # fmt: skip
    assert len(commits) == 1
    assert {one.id: one.faces for one in gallery.list_subjects("default", 9, None).items} == {"berta": 0, "dora": 1}
    assert gallery.get_collection("other").subjects == 0
    check_found(gallery, "dora", faces[3])
    gallery.check()


def test_an_error_after_the_commit_is_that_of_its_collection_only(
    gallery: BlockingGallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    for collection in ("left", "right"):
        gallery.create_collection(collection)
        gallery.put_subject(collection, "anna", None, {})
        gallery.enrol(collection, "anna", make_faces(1), MODEL)

    def fail(_numbers: Sequence[int]) -> None:
        raise MemoryError

    monkeypatch.setattr(gallery.indexes["left"], "remove", fail)
    futures = run_while_locked(
        gallery,
        gallery.gallery._deletions,  # noqa: SLF001
        [lambda: gallery.delete_subject("left", "anna"), lambda: gallery.delete_subject("right", "anna")],
    )
    assert [type(future.exception()) for future in futures] == [MemoryError, type(None)]
    assert gallery.search("right", make_face(0).embedding[None], 1, MODEL)[1] == 0


def test_many_threads_enrol_while_others_delete_and_the_index_agrees(gallery: BlockingGallery) -> None:
    for number in range(6):
        gallery.put_subject("default", f"s{number}", None, {})
    started = threading.Barrier(6)

    def work(number: int) -> None:
        started.wait()
        for round_ in range(8):
            (outcome,) = gallery.enrol("default", f"s{number}", [make_face(100 * number + round_)], MODEL)
            check_found(gallery, f"s{number}", make_face(100 * number + round_))
            if round_ % 2:
                gallery.delete_face("default", outcome.face)

    with ThreadPoolExecutor(6) as threads:
        for future in [threads.submit(work, number) for number in range(6)]:
            future.result()
    gallery.check()
    assert gallery.face_count == 6 * 4


@pytest.mark.parametrize("is_encrypted", [False, True])
def test_a_block_creates_the_subjects_that_get_a_face_and_no_others(
    data_dir: Path,
    tmp_path: Path,
    is_encrypted: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    key_file = tmp_path / "key"
    write_encryption_key(key_file)
    gallery = BlockingGallery.open(data_dir, "exact", key_file if is_encrypted else None)
    gallery.put_subject("default", "anna", "Anna", {"a": 1})
    a, b, c = make_faces(3)
    gallery.enrol("default", "anna", [a], MODEL)
    new = [
        ("anna", a), ("anna", b), ("berta", a), ("berta", c), ("berta", b), ("carla", c), ("anna", b),
    ]  # fmt: skip
    block = [FaceOfSubject(SubjectToCreate(subject, f"{subject}!", {"b": 2}), face) for subject, face in new]
    outcomes = gallery.enrol_block("default", block, MODEL)
    expected = ["known", "enrolled", "refused", "enrolled", "refused", "refused", "known"]
    assert [outcome.status for outcome in outcomes] == expected
    assert outcomes[6].face == outcomes[4].face == outcomes[1].face
    listed = {one.id: (one.name, one.metadata, one.faces) for one in gallery.list_subjects("default", 9, None).items}
    assert listed == {"anna": ("Anna", {"a": 1}, 2), "berta": ("berta!", {"b": 2}, 1)}
    gallery.check()
    gallery.close()
    reopened = BlockingGallery.open(data_dir, "exact", key_file if is_encrypted else None)
    for subject, face in (("anna", a), ("anna", b), ("berta", c)):
        check_found(reopened, subject, face)
    reopened.close()


def test_the_faces_of_a_block_expire_with_their_collection(gallery: BlockingGallery) -> None:
    gallery.create_collection("short", 1)
    (face,) = make_faces(1)
    gallery.enrol_block("short", [FaceOfSubject(SubjectToCreate("anna"), face)], MODEL)
    gallery.gallery.expire_all()
    check_found(gallery, "anna", face, "short")
    assert gallery.gallery._retention._plans["short"].next_at is not None  # noqa: SLF001  # else they would never expire

"""Two replicas that change the same at the same time: nothing is stored twice, nothing is lost, and none blocks."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from typing import Any

import pytest

from service.domain.errors import CollectionNotFound, FacenetError, FaceNotFound, ModelMismatch, SubjectExists
from service.gallery.base import EnrolledBefore, EnrolledNow, SubjectToCreate
from tests.service.gallery.postgresql.conftest import OpenReplica, Replica
from tests.service.gallery.random_faces import MODEL, OTHER_MODEL, make_embeddings, make_face, make_faces

Pair = tuple[Replica, Replica]
WAIT_S = 60


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Do all of it at the same time, and return the results, or the errors of the service."""
    begin = threading.Barrier(len(works))

    def do(work: Callable[[], Any]) -> Any:
        begin.wait(WAIT_S)
        try:
            return work()
        except FacenetError as error:
            return error

    with ThreadPoolExecutor(len(works)) as threads:
        return [done.result(WAIT_S) for done in [threads.submit(do, work) for work in works]]


def test_the_same_photographs_are_stored_once(pair: Pair) -> None:
    pair[0].put_subject("default", "anna", None, {})
    for seed in range(10):
        enrol = [partial(replica.enrol, "default", "anna", make_faces(5, seed), MODEL) for replica in pair * 2]
        outcomes = at_once(*enrol)
        assert len({tuple(outcome.face for outcome in of_one) for of_one in outcomes}) == 1
        kinds = [{type(outcome) for outcome in of_one} for of_one in outcomes]
        assert kinds.count({EnrolledNow}) == 1
        assert kinds.count({EnrolledBefore}) == 3
    for replica in pair:
        assert replica.count_faces("default") == replica.search("default", make_embeddings(1), 1, MODEL)[1] == 50


def test_the_same_collection_is_created_once(pair: Pair) -> None:
    for number in range(10):
        name = f"c{number}"
        created = at_once(*(partial(replica.create_collection, name) for replica in pair * 2))
        assert sorted(is_new for _, is_new in created) == [False, False, False, True]
        for replica in pair:
            assert replica.begin_request().gallery.has_collection(name)
            assert replica.search(name, make_embeddings(1), 1, MODEL) == ([[]], 0)


def test_the_same_subject_is_created_once(pair: Pair) -> None:
    for number in range(10):
        new = SubjectToCreate(f"s{number}")
        created = at_once(*(partial(replica.create_subject, "default", new) for replica in pair * 2))
        assert [type(one) for one in created].count(SubjectExists) == 3
        put = at_once(*(partial(replica.put_subject, "default", f"p{number}", None, {}) for replica in pair))
        assert sorted(is_new for _, is_new in put) == [False, True]


def test_one_of_two_models_gets_an_empty_collection(pair: Pair) -> None:
    for number in range(10):
        name = f"c{number}"
        pair[0].create_collection(name)
        pair[1].begin_request()
        pair[0].put_subject(name, "anna", None, {})
        first, second = at_once(
            partial(pair[0].enrol, name, "anna", [make_face(1)], MODEL),
            partial(pair[1].enrol, name, "anna", [make_face(2)], OTHER_MODEL),
        )
        assert {type(first), type(second)} == {list, ModelMismatch}
        winner = MODEL if isinstance(first, list) else OTHER_MODEL
        for replica in pair:
            assert replica.collection_model(name) == winner
            assert replica.search(name, make_embeddings(1), 1, winner)[1] == 1


def test_a_face_is_deleted_once_and_a_subject_is_deleted_beside_enrolments(pair: Pair) -> None:
    for seed in range(10):
        pair[0].put_subject("default", "anna", None, {})
        (outcome,) = pair[0].enrol("default", "anna", [make_face(seed)], MODEL)
        deleted = at_once(*(partial(replica.delete_face, "default", outcome.face) for replica in pair))
        assert sorted(type(one).__name__ for one in deleted) == [FaceNotFound.__name__, "NoneType"]
        at_once(
            partial(pair[0].delete_subject, "default", "anna"),
            partial(pair[1].enrol, "default", "anna", make_faces(3, seed), MODEL),
        )
        for replica in pair:
            assert replica.search("default", make_embeddings(1), 1, MODEL) == ([[]], 0)
            assert replica.collection_model("default") is None


@pytest.mark.slow
def test_writers_of_several_collections_do_not_block_each_other(pair: Pair) -> None:
    """Each thread changes all collections, in another order, and deletes and creates one of them."""
    names = ["default", "left", "right"]
    for name in names[1:]:
        pair[0].create_collection(name)
    pair[1].begin_request()
    acknowledged: list[tuple[str, str]] = []

    def work(replica: Replica, number: int) -> list[FacenetError]:
        errors: list[FacenetError] = []
        for turn in range(12):
            name, subject = names[(number + turn) % 2], f"{number}_{turn}"
            try:
                replica.put_subject(name, subject, None, {})
                kept, removed = replica.enrol(name, subject, make_faces(2, 100 * number + turn), MODEL)
                replica.delete_face(name, removed.face)
                replica.begin_request().search(name, make_embeddings(1), 3, MODEL)
                acknowledged.append((name, kept.face))
                if turn % 4 == number % 4:
                    replica.create_collection("right")
                    replica.delete_collection("right")
            except FacenetError as error:
                errors.append(error)
        return errors

    errors = at_once(*(partial(work, pair[number % 2], number) for number in range(8)))
    assert {type(error) for error in chain.from_iterable(errors)} <= {CollectionNotFound}
    for replica in pair:
        replica.begin_request()
        for name in names[:2]:
            of_name = {face for collection, face in acknowledged if collection == name}
            assert replica.count_faces(name) >= len(of_name)
            assert replica.search(name, make_embeddings(1), 1, MODEL)[1] == replica.count_faces(name)
            for face in of_name:
                assert replica.get_face(name, face).id == face
        replica.check()


@pytest.mark.slow
def test_settings_that_are_read_by_several_threads_at_once_are_all_known(open_replica: OpenReplica) -> None:
    """Requests learn of another replica's collections while others create some here."""
    here, there = open_replica(), open_replica()

    def create(replica: Replica, letter: str) -> None:
        for number in range(25):
            replica.begin_request().create_collection(f"{letter}{number}")
            if number % 2:
                replica.begin_request().delete_collection(f"{letter}{number - 1}")

    def read() -> None:
        for _ in range(150):
            here.begin_request()

    done = at_once(partial(create, here, "a"), partial(create, here, "b"), partial(create, there, "c"), read, read)
    assert done == [None] * 5
    expected = {
        "default",
        *(f"{letter}{number}" for letter in "abc" for number in range(25) if number % 2 or number == 24),
    }
    for replica in (here, there):
        replica.begin_request()
        assert {collection.id for collection in replica.list_collections(100, None).items} == expected
        assert {name for name in expected if replica.gallery.has_collection(name)} == expected
        for name in expected:
            assert replica.search(name, make_embeddings(1), 1, MODEL) == ([[]], 0)

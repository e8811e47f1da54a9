"""An index in memory that missed changes, or lost a face, is built again from the records."""

import threading
from datetime import timedelta

import numpy as np
import psycopg
import pytest

from service.gallery.records.postgresql import shared_faces
from service.gallery.search.in_memory.followed_index import FollowedIndex
from service.gallery.search.in_memory.shared_search import SharedSearch
from tests.service.gallery.postgresql.conftest import OpenReplica, Replica
from tests.service.gallery.random_faces import MODEL, make_embeddings, make_faces

PROBE = make_embeddings(1, seed=9)
Pair = tuple[Replica, Replica]


@pytest.fixture(params=["exact", "faiss"])
def index(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def pair(open_replica: OpenReplica) -> Pair:
    """Return two replicas whose indexes are built."""
    pair = open_replica(), open_replica()
    pair[0].put_subject("default", "anna", None, {})
    pair[0].enrol("default", "anna", make_faces(20), MODEL)
    for replica in pair:
        assert searched(replica) == 20
    return pair


def searched(replica: Replica) -> int:
    return int(replica.search("default", PROBE, 1, MODEL)[1])


def search_of(replica: Replica) -> SharedSearch:
    assert isinstance(replica.gallery.face_search, SharedSearch)
    return replica.gallery.face_search


def index_of(replica: Replica) -> FollowedIndex:
    found = search_of(replica)["default"]
    assert isinstance(found, FollowedIndex)
    return found


def lose_a_face(replica: Replica) -> None:
    held = index_of(replica)
    held._remove(np.array([held._filled.index.numbers[3]]))  # type: ignore[union-attr]  # noqa: SLF001


def test_an_index_that_did_not_ask_for_too_long_is_built_again(pair: Pair, url: str) -> None:
    """Its changes may have been pruned."""
    first, second = pair
    first.enrol("default", "anna", make_faces(5, seed=1), MODEL)
    with psycopg.connect(url) as connection:
        connection.execute("DELETE FROM face_changes")
    assert searched(second) == 20, "nothing tells the index of the changes"
    held = index_of(second)
    position = held._position  # noqa: SLF001
    assert position is not None
    held._position = shared_faces.Position(  # noqa: SLF001
        position.sequence, position.asked_at - shared_faces.TRUSTED - timedelta(minutes=1)
    )
    assert searched(second) == 25


def test_a_replica_that_does_not_search_makes_the_changes_in_its_chores(pair: Pair) -> None:
    first, second = pair
    first.enrol("default", "anna", make_faces(5, seed=1), MODEL)
    held = index_of(second)
    assert len(held) == 20
    search_of(second).catch_up()
    assert len(held) == 25
    first.delete_subject("default", "anna")
    search_of(second).catch_up()
    assert len(held) == 0
    assert held.checksum() == search_of(second)._checksums()["default"]  # noqa: SLF001


def test_an_index_that_lost_a_face_is_noticed_and_built_again(pair: Pair) -> None:
    replica = pair[1]
    lose_a_face(replica)
    assert searched(replica) == 19
    search_of(replica).compare()
    assert searched(replica) == 20


def test_an_index_with_a_face_of_the_wrong_subject_is_noticed(pair: Pair) -> None:
    replica = pair[1]
    held = index_of(replica)
    held._move(held._filled.index.numbers[:1], 77)  # type: ignore[union-attr]  # noqa: SLF001
    search_of(replica).compare()
    assert held.checksum() == search_of(replica)._checksums()["default"] or held.checksum() is None  # noqa: SLF001
    assert searched(replica) == 20


def test_a_right_index_is_not_built_again_although_others_enrol_meanwhile(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large one would take minutes, and no search of its collection would be answered meanwhile."""
    first, second = pair
    built = index_of(second)._filled  # noqa: SLF001
    catch_up = search_of(second).catch_up
    seeds = iter(range(1, 100))

    def catch_up_and_be_late() -> None:
        catch_up()
        first.enrol("default", "anna", make_faces(1, next(seeds)), MODEL)

    monkeypatch.setattr(search_of(second), "catch_up", catch_up_and_be_late)
    for _ in range(5):
        search_of(second).compare()
    assert index_of(second)._filled is built  # noqa: SLF001
    assert searched(second) == 25


def test_comparisons_beside_changes_find_nothing_wrong(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = pair
    built = index_of(second)._filled  # noqa: SLF001
    ended = threading.Event()
    failed: list[BaseException] = []

    def change() -> None:
        try:
            for seed in range(1, 30):
                (outcome, _) = first.enrol("default", "anna", make_faces(2, seed), MODEL)
                first.delete_face("default", outcome.face)
        except BaseException as error:  # noqa: BLE001  # it is shown by the test
            failed.append(error)
        ended.set()

    thread = threading.Thread(target=change)
    thread.start()
    while not ended.is_set():
        search_of(second).compare()
    thread.join()
    assert not failed
    assert index_of(second)._filled is built  # noqa: SLF001
    assert searched(second) == 49
    assert "index_rebuilt" not in capsys.readouterr().out


def test_a_collection_of_another_client_s_statements_is_followed_too(pair: Pair, url: str) -> None:
    """The trigger notes whatever changes a face."""
    with psycopg.connect(url) as connection:
        connection.execute("DELETE FROM faces WHERE number = (SELECT max(number) FROM faces)")
    assert [searched(replica) for replica in pair] == [19, 19]
    with psycopg.connect(url) as connection:
        connection.execute("DELETE FROM collections")
    for replica in pair:
        assert len(index_of(replica)) in {0, 19}


def test_an_index_whose_collection_got_another_model_is_dropped_without_reading_its_faces(
    pair: Pair, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = pair[1]
    with psycopg.connect(url) as connection:  # as a change of the model does: every face gets a new number
        connection.execute("UPDATE collections SET model_id = %s WHERE id = 'default'", ["9" * 64])
        connection.execute("UPDATE faces SET number = number + 1000000")
    held = index_of(second)
    monkeypatch.setattr(shared_faces.SharedFaces, "references", None)  # a call fails
    held.catch_up()
    assert held.known_model is None

"""A replica uses the other embeddings of a collection as soon as another replica has changed its model."""

import psycopg
import pytest

from service.domain.errors import ModelMismatch
from tests.service.gallery.postgresql.conftest import OpenReplica
from tests.service.gallery.random_faces import MODEL, make_embeddings
from tests.service.gallery.switch_until_killed import SECOND
from tests.service.gallery.test_second_sets import check_all_found, enrol
from tests.support.second_sets import embed_waiting, run

pytestmark = pytest.mark.parametrize("index", ["faiss"])
FACES = 8


def test_a_change_of_the_model_is_in_the_next_search_of_every_replica(open_replica: OpenReplica) -> None:
    replica, other = open_replica(), open_replica()
    seeds = enrol(replica, FACES)
    check_all_found(other, FACES)
    run(replica, "begin", "default", SECOND)
    embed_waiting(other, seeds, SECOND)
    for to in (SECOND, MODEL):
        run(replica, "switch", "default", to, delete_missing=False)
        former = MODEL if to == SECOND else SECOND
        with pytest.raises(ModelMismatch):
            other.search("default", make_embeddings(1), 1, former)
        check_all_found(other, FACES)
        check_all_found(replica, FACES)


def test_a_change_and_the_way_back_leave_no_old_face_in_the_index_of_another_replica(open_replica: OpenReplica) -> None:
    replica, other = open_replica(), open_replica()
    seeds = enrol(replica, FACES)
    check_all_found(other, FACES)
    run(replica, "begin", "default", SECOND)
    embed_waiting(replica, seeds, SECOND)
    for to in (SECOND, MODEL):  # the other replica searches nothing meanwhile
        run(replica, "switch", "default", to, delete_missing=False)
    check_all_found(other, FACES)
    check_all_found(replica, FACES)


def test_the_model_can_be_changed_after_a_search_by_pgvector(open_replica: OpenReplica, url: str) -> None:
    replica = open_replica()
    seeds = enrol(replica, FACES)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        connection.execute(
            "CREATE TABLE face_vectors (number bigint PRIMARY KEY REFERENCES faces (number) ON DELETE CASCADE, "
            "collection bigint NOT NULL, embedding vector NOT NULL)"
        )
        connection.execute("INSERT INTO face_vectors SELECT number, collection, '[1,2]' FROM faces")
    run(replica, "begin", "default", SECOND)
    embed_waiting(replica, seeds, SECOND)
    run(replica, "switch", "default", SECOND, delete_missing=False)
    check_all_found(replica, FACES)

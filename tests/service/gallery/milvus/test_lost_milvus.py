"""While Milvus is away, searches are refused and everything else goes on. Afterwards nothing is missing."""

import time
from typing import Any

import pytest
from structlog.testing import capture_logs

from service.domain.errors import SearchUnavailable
from service.gallery.opening.housekeeping import INTERVAL_S
from service.gallery.search.milvus import server
from tests.service.gallery.milvus.faces_in_milvus import (
    enrol,
    find_subjects,
    is_ready,
    rows,
    search_of,
    server_of,
    wait_until,
)
from tests.service.gallery.random_faces import make_face
from tests.support.blocking_gallery import BlockingGallery
from tests.support.milvus_lite import MilvusLite


@pytest.fixture(autouse=True)
def short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SEARCH_S", 1.0)
    monkeypatch.setattr(server, "CALL_S", 1.0)


@pytest.mark.slow
def test_searches_are_refused_while_milvus_is_away_and_nothing_is_lost(
    gallery: BlockingGallery, lite: MilvusLite
) -> None:
    enrol(gallery, "anna", make_face(1))
    enrol(gallery, "bert", make_face(2))
    assert find_subjects(gallery, make_face(1))[0] == "anna"
    lite.stop()
    for _ in range(3):
        with pytest.raises(SearchUnavailable, match="does not answer"):
            find_subjects(gallery, make_face(1))
    with pytest.raises(SearchUnavailable, match="does not answer"):
        gallery.check()
    enrol(gallery, "carl", make_face(3))
    gallery.delete_subject("default", "anna")
    time.sleep(2 * INTERVAL_S)
    with pytest.raises(SearchUnavailable):
        find_subjects(gallery, make_face(3))
    lite.start()
    wait_until(lambda: is_ready(gallery))
    assert find_subjects(gallery, make_face(3))[0] == "carl"
    assert set(find_subjects(gallery, make_face(1))) == {"bert", "carl"}
    wait_until(lambda: len(rows(gallery)) == 2)


@pytest.mark.slow
def test_a_milvus_that_lost_its_collections_is_filled_again(gallery: BlockingGallery, lite: MilvusLite) -> None:
    enrol(gallery, "anna", make_face(1))
    wait_until(lambda: len(rows(gallery)) == 1)
    lite.drop_collections()
    with pytest.raises(SearchUnavailable):
        find_subjects(gallery, make_face(1))
    wait_until(lambda: is_ready(gallery))
    assert find_subjects(gallery, make_face(1)) == ["anna"]
    assert len(rows(gallery)) == 1


def test_a_search_whose_collection_is_lost_meanwhile_is_refused(
    gallery: BlockingGallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol(gallery, "anna", make_face(1))
    wait_until(lambda: len(rows(gallery)) == 1)
    search, work = server.MilvusServer.search, search_of(gallery).work

    def late(asked: server.MilvusServer, *arguments: Any) -> list[list[int]]:
        monkeypatch.setattr(work, "begin", lambda: None)
        work.losses += 1
        asked.use({})
        monkeypatch.setattr(server.MilvusServer, "find", lambda *_: {})
        return search(asked, *arguments)

    monkeypatch.setattr(server.MilvusServer, "search", late)
    with pytest.raises(SearchUnavailable, match="is being filled"):
        find_subjects(gallery, make_face(1))


def test_a_collection_that_is_dropped_while_it_is_looked_at_is_none(
    gallery: BlockingGallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol(gallery, "anna", make_face(1))
    wait_until(lambda: len(rows(gallery)) == 1)
    asked = server_of(gallery)
    before, names = asked.find(), server.MilvusServer._names  # noqa: SLF001
    dropped = f"{next(iter(before.values()))}0"
    monkeypatch.setattr(server.MilvusServer, "_names", lambda *arguments: [*names(*arguments), dropped])
    assert asked.find() == before


def test_a_milvus_that_takes_no_changes_is_still_searched(
    gallery: BlockingGallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise SearchUnavailable from OSError("no space left")

    enrol(gallery, "anna", make_face(1))
    wait_until(lambda: len(rows(gallery)) == 1)
    monkeypatch.setattr(server.MilvusServer, "insert", refuse)
    with capture_logs() as logs:
        enrol(gallery, "bert", make_face(2))
        wait_until(lambda: any(line["event"] == "search_server_not_changed" for line in logs))
    assert find_subjects(gallery, make_face(2)) == ["bert", "anna"]
    assert is_ready(gallery)
    monkeypatch.undo()
    wait_until(lambda: len(rows(gallery)) == 2)

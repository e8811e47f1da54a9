"""A real Milvus server that hangs, or is killed."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.domain.command_errors import SearchServerUnusable
from service.domain.errors import SearchUnavailable
from service.gallery.search.milvus import server
from service.gallery.search.milvus.address import MilvusAddress
from tests.service.gallery.milvus.faces_in_milvus import enrol, find_subjects, is_ready, rows, wait_until
from tests.service.gallery.random_faces import make_face
from tests.support.blocking_gallery import BlockingGallery
from tests.support.milvus_server import MilvusServerProcess

pytestmark = [pytest.mark.milvus, pytest.mark.slow]


@pytest.fixture
def gallery(milvus_address: MilvusAddress, tmp_path: Path) -> Iterator[BlockingGallery]:
    gallery = BlockingGallery.open(tmp_path / "data", "milvus", milvus=milvus_address)
    enrol(gallery, "anna", make_face(1))
    wait_until(lambda: len(rows(gallery)) == 1)
    yield gallery
    gallery.close()


def test_a_wrong_password_is_refused_and_not_repeated(milvus_address: MilvusAddress, tmp_path: Path) -> None:
    wrong = MilvusAddress(milvus_address.uri, "root:secret")
    with pytest.raises(SearchServerUnusable, match=r"FACE_GALLERY__MILVUS_TOKEN_FILE") as caught:
        BlockingGallery.open(tmp_path / "data", "milvus", milvus=wrong)
    assert "secret" not in str(caught.value)


def assert_refused(gallery: BlockingGallery, within_s: float) -> None:
    began_s = time.monotonic()
    with pytest.raises(SearchUnavailable):
        find_subjects(gallery, make_face(1))
    assert time.monotonic() - began_s < within_s


def test_a_server_that_hangs_keeps_no_request_waiting(
    gallery: BlockingGallery, milvus_server: MilvusServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SEARCH_S", 1.0)
    monkeypatch.setattr(server, "CALL_S", 2.0)
    milvus_server.pause()
    try:
        assert_refused(gallery, within_s=5)
        assert_refused(gallery, within_s=0.5)
        enrol(gallery, "bert", make_face(2))
        gallery.delete_subject("default", "anna")
    finally:
        milvus_server.go_on()
    wait_until(lambda: is_ready(gallery))
    assert find_subjects(gallery, make_face(1)) == ["bert"]


def test_a_server_that_was_killed_has_all_faces_afterwards(
    gallery: BlockingGallery, milvus_server: MilvusServerProcess
) -> None:
    milvus_server.kill()
    assert_refused(gallery, within_s=30)
    enrol(gallery, "bert", make_face(2))
    milvus_server.start()
    wait_until(lambda: is_ready(gallery), 10)
    assert set(find_subjects(gallery, make_face(1))) == {"anna", "bert"}
    wait_until(lambda: len(rows(gallery)) == 2)

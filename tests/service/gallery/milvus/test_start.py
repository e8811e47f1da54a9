"""The service does not start with a Milvus that it cannot use, and says why in one line."""

import sys
from contextlib import closing
from pathlib import Path

import pytest

from service.domain.command_errors import InvalidSettings, SearchServerUnusable
from service.gallery.records.statements import storage
from service.gallery.search.milvus import server
from service.gallery.search.milvus.address import MilvusAddress, read_token
from service.gallery.search.milvus.stored_rows import new_collection_name
from tests.service.gallery.milvus.conftest import OpenGallery
from tests.service.gallery.milvus.faces_in_milvus import apply_changes, enrol, rows, server_of
from tests.service.gallery.random_faces import MODEL, make_face
from tests.support.blocking_gallery import BlockingGallery
from tests.support.milvus_lite import MilvusLite
from tests.support.milvus_server import free_port

DATA_TYPE_INT64, DATA_TYPE_FLOAT_VECTOR = 5, 101
"""Of pymilvus, which is not installed everywhere."""
SERVER = MilvusAddress("http://127.0.0.1:1")


def gallery_id(gallery: BlockingGallery) -> str:
    with gallery.database.reading() as connection:
        return storage.gallery_id(connection)


def test_an_address_is_needed(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match=r"Set FACE_GALLERY__MILVUS_URI\."):
        BlockingGallery.open(tmp_path, "milvus")


@pytest.mark.parametrize("uri", ["secret", "postgresql://user:secret@host/db", ""])
def test_an_address_that_is_none_is_refused_and_not_repeated(uri: str) -> None:
    with pytest.raises(InvalidSettings, match=r"http://HOST:19530") as caught:
        MilvusAddress(uri)
    assert "secret" not in str(caught.value)


def test_an_address_is_shown_without_its_password() -> None:
    address = MilvusAddress("https://user:secret@host", "token")
    assert str(address) == "host:19530"
    assert "secret" not in repr(address)
    assert "token" not in repr(address)


def test_a_token_is_the_only_line_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("root:secret\n", "utf-8")
    assert read_token(file) == "root:secret"


@pytest.mark.parametrize("content", [b"", b"\n", b"root:secret\nmore\n", b"secret\xff"])
def test_a_file_that_holds_no_token_is_refused_and_not_repeated(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(InvalidSettings, match=r"FACE_GALLERY__MILVUS_TOKEN_FILE: .*token") as caught:
        read_token(file)
    assert "secret" not in str(caught.value)


def test_a_token_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match=r"missing cannot be read \(No such file"):
        read_token(tmp_path / "missing")


def test_an_encrypted_gallery_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="they cannot be encrypted"):
        BlockingGallery.open(tmp_path, "milvus", tmp_path / "key", milvus=SERVER)


def test_without_pymilvus_the_start_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymilvus", None)
    with pytest.raises(InvalidSettings, match=r"pip install facenet-service\[milvus\]"):
        BlockingGallery.open(tmp_path, "milvus", milvus=SERVER)


def test_a_server_that_does_not_answer_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pymilvus")
    monkeypatch.setattr(server, "CONNECT_S", 0.5)
    with pytest.raises(SearchServerUnusable, match=r"Milvus at 127\.0\.0\.1:\d+ cannot be used"):
        BlockingGallery.open(tmp_path, "milvus", milvus=MilvusAddress(f"http://127.0.0.1:{free_port()}"))


def test_a_collection_of_another_schema_is_refused(open_again: OpenGallery, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(server, "MARK", "another_field")
        gallery = open_again()
        server_of(gallery).create(16)
        gallery.close()
    with pytest.raises(SearchServerUnusable, match="another version of the service"):
        open_again()


def test_a_collection_that_a_killed_service_has_begun_to_create_is_created_again(
    open_again: OpenGallery, lite: MilvusLite
) -> None:
    gallery = open_again()
    name = new_collection_name(gallery_id(gallery), MODEL.dimension)
    with closing(lite.client()) as client:
        schema = client.create_schema(auto_id=False)
        schema.add_field("number", DATA_TYPE_INT64, is_primary=True)
        schema.add_field("embedding", DATA_TYPE_FLOAT_VECTOR, dim=MODEL.dimension)
        client.create_collection(name, schema=schema)
    enrol(gallery, "anna", make_face(1))
    apply_changes(gallery)
    assert len(rows(gallery)) == 1
    gallery.close()
    open_again().close()


def test_a_gallery_of_two_dimensions_has_two_collections(open_again: OpenGallery) -> None:
    gallery = open_again()
    enrol(gallery, "anna", make_face(1))
    apply_changes(gallery)
    server_of(gallery).create(8)
    assert server_of(gallery).dimensions == [8, 16]
    gallery.close()
    open_again().close()

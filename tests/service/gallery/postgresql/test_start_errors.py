"""A service that cannot use its database says why in one line, and never says the password."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import psycopg
import pytest

from service.access.keyring import Keyring, KeyToCreate
from service.access.opening import AccessOptions, open_keyring
from service.access.secret_file import write_encryption_key
from service.domain.access import Scope
from service.domain.command_errors import (
    DatabaseInUse,
    DatabaseUnusable,
    DataDirectoryUnusable,
    InvalidSettings,
    KeyFileUnusable,
    StartupError,
)
from service.gallery.base import EmbeddingModel, FaceToEnrol
from service.gallery.opening import Server, open_gallery
from tests.service.gallery.postgresql.conftest import OpenReplica, Replica
from tests.service.gallery.random_faces import MODEL, make_embeddings, make_face
from tests.support.postgres_server import PostgresServer

PASSWORD = "open-sesame"  # noqa: S105  # of a server of this test


@pytest.fixture(scope="module")
def server_with_password() -> Iterator[str]:
    """Return the URL of a database whose user needs a password, without it."""
    from tests.support.postgres_server import running_postgres  # noqa: PLC0415

    with running_postgres() as server:
        with closing(psycopg.connect(server.url, autocommit=True)) as connection:
            connection.execute(f"CREATE ROLE careful LOGIN PASSWORD '{PASSWORD}'")
            hba = Path(connection.execute("SHOW hba_file").fetchone()[0])  # type: ignore[index]
            hba.write_text(f"host all careful 127.0.0.1/32 scram-sha-256\n{hba.read_text()}")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("CREATE DATABASE guarded OWNER careful")
        yield server.url_of("guarded").replace("facenet@", "careful@")


def error_of(
    tmp_path: Path, url: str | None, index: str = "faiss", key_file: Path | None = None, model: str = ""
) -> str:
    """Start, and return the error. It is one line, and has no password."""
    server = None if url is None else Server(url, model)
    with (
        pytest.raises(StartupError) as raised,
        open_gallery(tmp_path / "other", index, key_file=key_file, server=server),
    ):
        pass
    text = str(raised.value)
    assert "\n" not in text
    assert "sesame" not in text
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
    return f"{type(raised.value).__name__}: {text}"


def enrol_one(replica: Replica, dimension: int) -> None:
    """Enrol a face with an embedding of so many numbers."""
    embedding = np.full(dimension, dimension**-0.5, np.float32)
    replica.put_subject("default", "anna", "Anna", {})
    replica.enrol("default", "anna", [FaceToEnrol("0" * 64, embedding)], EmbeddingModel("c" * 64, dimension))


@pytest.mark.slow
def test_a_wrong_password(tmp_path: Path, server_with_password: str) -> None:
    url = server_with_password.replace("careful@", f"careful:{PASSWORD}@")
    with open_gallery(tmp_path / "data", "faiss", server=Server(url)):
        pass
    wrong = error_of(tmp_path, server_with_password.replace("careful@", "careful:sesame-street@"))
    assert wrong.startswith(DatabaseUnusable.__name__)
    assert 'password authentication failed for user "careful"' in wrong
    assert "no password supplied" in error_of(tmp_path, server_with_password)


def test_an_unknown_database_and_an_unknown_user(tmp_path: Path, postgres: PostgresServer) -> None:
    assert 'database "nowhere" does not exist' in error_of(tmp_path, postgres.url_of("nowhere"))
    unknown = postgres.url.replace("facenet@", "nobody:sesame@")
    assert 'role "nobody" does not exist' in error_of(tmp_path, unknown)


def test_nothing_listens(tmp_path: Path) -> None:
    text = error_of(tmp_path, "postgresql://facenet:sesame@127.0.0.1:1/gallery")
    assert text.startswith("DatabaseUnusable: The database at 127.0.0.1:1/gallery cannot be used: ")
    assert "Connection refused" in text


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("postgresql:/facenet:sesame@127.0.0.1/gallery", "is no URL"),
        ("facenet:sesame@127.0.0.1/gallery", "is no URL"),
        ("postgresql://facenet:sesame@127.0.0.1:54x2/gallery", "is no URL"),
        ("mysql://facenet:sesame@127.0.0.1/gallery", "must begin with postgresql://"),
        ("postgresql+asyncpg://facenet:sesame@127.0.0.1/gallery", "must begin with postgresql://"),
        ("postgresql://facenet:sesame@127.0.0.1", "names no database"),
        ("postgresql://facenet:sesame@127.0.0.1/", "names no database"),
        ("postgresql://facenet:sesame@127.0.0.1:99999/gallery", "cannot be used"),
        ("postgresql://facenet:sesame@no-such-host.invalid/gallery", "cannot be used"),
        ("postgresql://facenet:sesame@127.0.0.1/gallery?sslmode=sometimes", "cannot be used"),
        ("postgresql://facenet:sesame@127.0.0.1/gallery?no_such_option=1", "cannot be used"),
    ],
)
def test_a_url_that_is_none(tmp_path: Path, url: str, part: str) -> None:
    assert part in error_of(tmp_path, url)


def test_a_newer_version_wrote_the_database(tmp_path: Path, open_replica: OpenReplica, url: str, index: str) -> None:
    open_replica().close()
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    text = error_of(tmp_path, url, index)
    assert text.startswith(DataDirectoryUnusable.__name__)
    assert "newer version" in text
    assert "9999" in text
    assert "FACE_GALLERY__URL to another database" in text


def test_another_program_uses_the_database(tmp_path: Path, url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE keys (lock text)")
    assert 'relation "keys" already exists' in error_of(tmp_path, url)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num text)")
        connection.execute("INSERT INTO alembic_version VALUES ('3512b954651e')")
    text = error_of(tmp_path, url)
    assert "3512b954651e" in text
    assert "FACE_GALLERY__URL to another database" in text
    with psycopg.connect(url) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert sorted(names) == [("alembic_version",), ("keys",)]


def test_pgvector_is_missing(tmp_path: Path, postgres: PostgresServer, url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS modest")
        connection.execute("CREATE ROLE modest LOGIN")
        connection.execute("GRANT ALL ON SCHEMA public TO modest")
        modest = url.replace("facenet@", "modest@")
        assert postgres.url != modest
        text = error_of(tmp_path, modest, "pgvector")
        assert text.startswith("DatabaseUnusable: FACE_GALLERY__INDEX=pgvector needs the extension pgvector")
        assert "permission denied to create extension" in text
        connection.execute("CREATE EXTENSION vector")
        with open_gallery(tmp_path / "data", "pgvector", server=Server(modest)):
            pass
        connection.execute("DROP OWNED BY modest")
        connection.execute("DROP ROLE modest")


def test_pgvector_is_too_old(tmp_path: Path, url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION vector")
        connection.execute("UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'")
    text = error_of(tmp_path, url, "pgvector")
    assert "needs pgvector 0.8 or newer, and the database has 0.7.4" in text
    assert "ALTER EXTENSION vector UPDATE" in text


def test_a_user_who_may_not_make_tables(tmp_path: Path, url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS poor")
        connection.execute("CREATE ROLE poor LOGIN")
        assert "permission denied for schema public" in error_of(tmp_path, url.replace("facenet@", "poor@"))
        connection.execute("DROP ROLE poor")


def test_pgvector_does_not_go_with_a_key_or_without_a_server(tmp_path: Path, url: str) -> None:
    key_file = tmp_path / "key"
    write_encryption_key(key_file)
    assert error_of(tmp_path, url, "pgvector", key_file).startswith(InvalidSettings.__name__)
    assert "Set FACE_GALLERY__URL" in error_of(tmp_path, None, "pgvector")


@pytest.mark.parametrize("index", ["faiss"])
def test_encrypted_records_need_their_key(tmp_path: Path, open_replica: OpenReplica, url: str) -> None:
    key_file, other_key = tmp_path / "key", tmp_path / "other_key"
    write_encryption_key(key_file)
    write_encryption_key(other_key)
    open_replica(key_file=key_file)
    for index, key in (("faiss", None), ("faiss", other_key)):
        assert error_of(tmp_path, url, index, key).startswith(KeyFileUnusable.__name__)
    open_replica(key_file=key_file).check()


def test_encrypted_records_cannot_be_searched_by_the_database(tmp_path: Path, url: str) -> None:
    key_file = tmp_path / "key"
    write_encryption_key(key_file)
    with open_gallery(tmp_path / "data", "faiss", key_file=key_file, server=Server(url)):
        pass
    assert error_of(tmp_path, url, "pgvector").startswith(KeyFileUnusable.__name__)


@pytest.mark.parametrize("index", ["faiss"])
def test_records_are_not_encrypted_while_others_use_them(tmp_path: Path, open_replica: OpenReplica, url: str) -> None:
    key_file = tmp_path / "key"
    write_encryption_key(key_file)
    plain = open_replica()
    plain.put_subject("default", "anna", "Anna", {})
    plain.enrol("default", "anna", [make_face(1)], MODEL)
    text = error_of(tmp_path, url, key_file=key_file)
    assert text.startswith(DatabaseInUse.__name__)
    assert "FACE_GALLERY__ENCRYPTION_KEY_FILE" in text
    assert plain.search("default", make_embeddings(1), 1, MODEL)[0][0][0].name == "Anna"
    plain.close()
    encrypted = open_replica(key_file=key_file)
    assert encrypted.search("default", make_embeddings(1), 1, MODEL)[0][0][0].name == "Anna"


@pytest.mark.parametrize("index", ["pgvector"])
def test_the_longest_embeddings_that_pgvector_can_store(tmp_path: Path, open_replica: OpenReplica, url: str) -> None:
    with (
        pytest.raises(InvalidSettings, match=r"at most 2,000 numbers, and those of the model have 2,001\."),
        open_gallery(tmp_path / "data", "pgvector", server=Server(url, dimension=2_001)),
    ):
        pass
    enrol_one(open_replica(), 2_000)


@pytest.mark.parametrize("index", ["faiss"])
def test_stored_embeddings_that_are_too_long_for_pgvector(tmp_path: Path, open_replica: OpenReplica, url: str) -> None:
    replica = open_replica()
    enrol_one(replica, 2_001)
    replica.close()
    text = error_of(tmp_path, url, "pgvector")
    assert text.startswith(DatabaseUnusable.__name__)
    assert "at most 2,000 numbers, and the database has some of 2,001." in text


def test_replicas_search_in_one_way(tmp_path: Path, open_replica: OpenReplica, url: str, index: str) -> None:
    """A replica with its index in memory stores no vectors, so pgvector would not find its faces."""
    first = open_replica()
    other = {"faiss": "pgvector", "pgvector": "faiss"}[index]
    text = error_of(tmp_path, url, other)
    assert text.startswith(DatabaseInUse.__name__)
    assert "FACE_GALLERY__INDEX" in text
    first.close()
    open_replica(other).check()


def test_replicas_have_one_model(tmp_path: Path, url: str, index: str) -> None:
    with open_gallery(tmp_path / "data", index, server=Server(url, "a" * 64)):
        text = error_of(tmp_path, url, index, model="b" * 64)
        assert text.startswith(DatabaseInUse.__name__)
        assert "FACE_MODELS__EMBEDDER" in text
        comparable = Server(url, "b" * 64, frozenset({"a" * 64}))
        with open_gallery(tmp_path / "third", index, server=comparable):
            pass
    with open_gallery(tmp_path / "data", index, server=Server(url, "b" * 64)):
        pass


@pytest.mark.anyio
@pytest.mark.parametrize("index", ["faiss"])
async def test_replicas_have_one_key_secret(tmp_path: Path, open_replica: OpenReplica) -> None:
    options = AccessOptions("127.0.0.1", None, insecure=False)
    first, second = open_replica().gallery.database, open_replica().gallery.database
    async with open_keyring(first, tmp_path, options) as keyring:
        assert isinstance(keyring, Keyring)
        await keyring.create(KeyToCreate([Scope.ADMIN]))
    with pytest.raises(InvalidSettings, match="FACE_KEY_SECRET_FILE") as raised:
        async with open_keyring(second, tmp_path / "data_1", options):
            pass
    assert "\n" not in str(raised.value)
    async with open_keyring(second, tmp_path, options) as keyring:
        assert not keyring.is_open

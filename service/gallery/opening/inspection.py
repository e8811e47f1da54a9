"""Look at a gallery as a start would, and read its keys. Nothing is changed, so it is not migrated either."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from service.gallery.opening.in_directory import directory_errors
from service.gallery.records.encryption.encrypt import require_key
from service.gallery.records.migrate import (
    known_revisions,
    require_journal,
    require_known,
    require_same_gallery,
    revision_of,
)
from service.gallery.records.postgresql.connections import connect, server_url, start_errors, storage_errors
from service.gallery.records.sqlite import connections as sqlite
from service.gallery.records.sqlite.data_directory import DATABASE_FILE, read_mark
from service.gallery.records.sqlite.reading_beside import check_beside, reading_beside, stored_key_id
from service.gallery.records.statements import keys, storage
from service.gallery.records.statements.keys import StoredKey

OLD = "The gallery is of an older version. The next start changes it to this version."


def inspect_directory(data_dir: Path, key_id: str | None) -> str | None:
    """Say what the gallery of a data directory holds, in a sentence. None if there is none yet.

    key_id: of the key of the settings. None: there is no key.
    Raises DataDirectoryUnusable or KeyFileUnusable, as the start would.
    """
    marked, path = read_mark(data_dir), data_dir / DATABASE_FILE
    with directory_errors(data_dir):
        if not path.exists() or not path.stat().st_size:
            return None
        has_journal = sqlite.journal(path).exists()
        require_key(path, stored_key_id(path), key_id)
        with reading_beside(path) as connection:
            require_known(connection)
            if revision_of(connection) != known_revisions()[-1]:
                return OLD
            found = storage.describe(connection)
            require_same_gallery(path, found.gallery, marked)
            if storage.is_in_use(connection):
                require_journal(path, exists=has_journal)
        check_beside(path)
    key = f"encrypted with the key {found.encryption_key}" if found.encryption_key else "not encrypted"
    return f"{found.faces:,} faces of {found.subjects:,} subjects in {found.collections:,} collections, {key}."


def inspect_server(url: str) -> str:
    """Say whether the database server can be used, in a sentence. Raises InvalidSettings or DatabaseUnusable."""
    with _reading_server(url) as connection:
        require_known(connection, "FACE_GALLERY__URL to another database")
        revision = revision_of(connection)
    if revision is None:
        return "The database has no tables yet. The first start makes them."
    return "The tables are of this version." if revision == known_revisions()[-1] else OLD


def keys_in_directory(data_dir: Path) -> list[StoredKey]:
    """Return the access keys of the gallery in a data directory, which a service may use.

    Raises StorageUnavailable or OSError.
    """
    path = data_dir / DATABASE_FILE
    if not path.is_file() or not path.stat().st_size:
        return []
    with reading_beside(path) as connection:
        return keys.load_all(connection)


def keys_on_server(url: str) -> list[StoredKey]:
    """Return the access keys in a database server. Raises InvalidSettings or DatabaseUnusable."""
    with _reading_server(url) as connection:
        return [] if revision_of(connection) is None else keys.load_all(connection)


@contextmanager
def _reading_server(url: str) -> Iterator[Connection]:
    place = server_url(url)
    engine = connect(place, "AUTOCOMMIT", read_only=True)
    try:
        with start_errors(place), storage_errors(), engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()

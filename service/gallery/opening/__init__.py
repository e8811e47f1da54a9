"""Open the gallery, wherever its records are.

in_directory.py    records in a data directory (SQLite)
on_server.py       records on a PostgreSQL server
running.py         what every open gallery has: its encryption, its audit log, and the thread of its chores
inspection.py      looks at a gallery, and does not open it
housekeeping.py    that thread, which also removes remains of deleted content
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.domain.command_errors import InvalidSettings
from service.gallery.base import NO_GALLERY_LOG, GalleryLog
from service.gallery.gallery import Gallery
from service.gallery.indexes import MILVUS, PGVECTOR, index_factory
from service.gallery.opening.in_directory import open_in_directory, rotate_encryption_key
from service.gallery.opening.on_server import Server, open_on_server
from service.gallery.records.postgresql.vectors import MAX_DIMENSION
from service.gallery.search.milvus.address import MilvusAddress

__all__ = ["Server", "open_gallery", "rotate_encryption_key"]


@contextmanager
def open_gallery(  # noqa: PLR0913, PLR0917  # they are the settings of the gallery
    data_dir: Path,
    index: str,
    log: GalleryLog = NO_GALLERY_LOG,
    key_file: Path | None = None,
    server: Server | None = None,
    milvus: MilvusAddress | None = None,
) -> Iterator[Gallery]:
    """Open the records, migrate them to this version, and encrypt them. Begin to build large indexes.

    data_dir: is created if it does not exist. No other process can use it until the context ends.
    index: a name in `indexes.INDEXES` or `indexes.FORMER_NAMES`, or `indexes.PGVECTOR`, or `indexes.MILVUS`.
    log: the audit log.
    key_file: encrypts the records, if they are not encrypted yet. None: they are plain.
    server: where the records are. None: the records are in `data_dir`.
    milvus: where the Milvus server is. It is used with `indexes.MILVUS` only.
    Raises InvalidSettings, KeyFileUnusable, DataDirectoryInUse, DataDirectoryUnusable, DatabaseInUse, DatabaseUnusable,
    SearchServerUnusable or AuditUnusable.
    """
    _check(index, key_file, milvus, server)
    milvus = milvus if index == MILVUS else None
    if server is not None:
        opened = open_on_server(server, data_dir, index, log, key_file, milvus)
    else:
        opened = open_in_directory(data_dir, milvus or index_factory(index), log, key_file)
    with opened as gallery:
        yield gallery


def _check(index: str, key_file: Path | None, milvus: MilvusAddress | None, server: Server | None) -> None:
    """Raise InvalidSettings if the settings do not fit together."""
    if index in {PGVECTOR, MILVUS} and key_file is not None:
        raise InvalidSettings(
            f"With FACE_GALLERY__INDEX={index}, a server searches the vectors, so they cannot be encrypted. Remove "
            "FACE_GALLERY__ENCRYPTION_KEY_FILE, or set FACE_GALLERY__INDEX=faiss."
        )
    if index == PGVECTOR:
        _check_pgvector(server)
    if index == MILVUS and milvus is None:
        raise InvalidSettings("FACE_GALLERY__INDEX=milvus needs a Milvus server. Set FACE_GALLERY__MILVUS_URI.")


def _check_pgvector(server: Server | None) -> None:
    """Raise InvalidSettings if there is no server, or if the embeddings of the model are too long for pgvector."""
    if server is None:
        raise InvalidSettings("FACE_GALLERY__INDEX=pgvector needs a PostgreSQL server. Set FACE_GALLERY__URL.")
    if server.dimension > MAX_DIMENSION:
        raise InvalidSettings(
            f"FACE_GALLERY__INDEX=pgvector stores embeddings of at most {MAX_DIMENSION:,} numbers, and those of the "
            f"model have {server.dimension:,}. Set FACE_GALLERY__INDEX to faiss or milvus, or choose another model."
        )

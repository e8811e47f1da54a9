"""Open a gallery whose records are on a PostgreSQL server."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog
from sqlalchemy import URL

from service.domain.command_errors import DatabaseInUse
from service.gallery.base import GalleryLog
from service.gallery.gallery import Gallery
from service.gallery.indexes import MILVUS, PGVECTOR, index_factory
from service.gallery.opening.running import running
from service.gallery.records.encryption.data_keys import data_keys
from service.gallery.records.encryption.encrypt import encrypt, require_key
from service.gallery.records.encryption.key_file import read_key_file
from service.gallery.records.postgresql.connections import describe, server_url, start_errors
from service.gallery.records.postgresql.database import PostgresDatabase
from service.gallery.records.postgresql.presence import Setup
from service.gallery.records.postgresql.shared_faces import prune_changes
from service.gallery.records.postgresql.vector_index import keep_indexes
from service.gallery.records.postgresql.vector_search import VectorSearch
from service.gallery.records.postgresql.vectors import VectorTable
from service.gallery.records.sqlite.data_directory import lock_data_directory
from service.gallery.records.statements import encryption
from service.gallery.records.statements.indexed_faces import StoresVectors
from service.gallery.records.vector_changes import VectorChanges
from service.gallery.search.background import Background
from service.gallery.search.face_search import OpenSearch
from service.gallery.search.in_memory.shared_search import in_memory_of_replicas
from service.gallery.search.milvus.address import MilvusAddress
from service.gallery.search.milvus.search import by_milvus
from service.gallery.threads import every

LOG = structlog.get_logger(__name__)
PRUNE_S = 300.0
"""How often changes that are too old for every replica are deleted from the records."""
INDEXES_S = 10.0
"""How often it is asked whether a collection needs an index, or needs none any more."""


@dataclass(frozen=True, slots=True)
class Server:
    """A database on a server.

    url: with the user and the password.
    model: the id of the loaded model. comparable: of the models whose embeddings can be compared with its own.
    dimension: how many numbers an embedding has. Of several models, the most.
    """

    url: str
    model: str = ""
    comparable: frozenset[str] = frozenset()
    dimension: int = 0


@contextmanager
def open_on_server(  # noqa: PLR0913, PLR0917  # as open_gallery
    server: Server, data_dir: Path, index: str, log: GalleryLog, key_file: Path | None, milvus: MilvusAddress | None
) -> Iterator[Gallery]:
    """Open the records of a database. `open_gallery` describes the arguments and the errors."""
    place = server_url(server.url)
    with ExitStack() as resources:
        resources.enter_context(lock_data_directory(data_dir))  # the audit log and the secret of the keys are there
        with start_errors(place):
            database = resources.enter_context(_open_database(place, server, index, key_file))
            LOG.info("gallery_opened", database=describe(place))
            gallery = Gallery(database, _search(index, milvus), log)
        chores = [every(PRUNE_S, partial(prune_changes, database))]
        if index == PGVECTOR:
            building = Background()
            resources.callback(building.stop)
            chores.append(every(INDEXES_S, lambda: building.begin_if_idle(partial(keep_indexes, database))))
        resources.enter_context(running(gallery, log, chores))
        resources.callback(database.long_statements.end)  # it is called first of all
        yield gallery


def _search(index: str, milvus: MilvusAddress | None) -> OpenSearch:
    if milvus is not None:
        return by_milvus(milvus)
    return VectorSearch if index == PGVECTOR else in_memory_of_replicas(index_factory(index))


@contextmanager
def _open_database(place: URL, server: Server, index: str, key_file: Path | None) -> Iterator[PostgresDatabase]:
    keys = data_keys(None if key_file is None else read_key_file(key_file))
    stores: dict[str, StoresVectors] = {PGVECTOR: VectorTable(), MILVUS: VectorChanges()}
    vectors = stores.get(index)
    with closing(PostgresDatabase(place, data_keys=keys, vectors=vectors)) as database:
        with database.joining(Setup(server.model, server.comparable, index if vectors else "memory")) as is_first:
            with database.reading() as connection:
                stored = encryption.operator_key_id(connection)
            require_key(Path(describe(place)), stored, keys.key_id)
            if stored != keys.key_id and not is_first:
                raise DatabaseInUse(
                    f"The records at {describe(place)} are plain, and other replicas use them. They could not read "
                    "encrypted ones. Stop all of them, and start one with FACE_GALLERY__ENCRYPTION_KEY_FILE first."
                )
            encrypt(database, keys.key_id)
        if isinstance(vectors, VectorTable):
            vectors.prepare(database)
        yield database

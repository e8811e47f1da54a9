"""A gallery without an event loop, for tests that are not async or that use their own threads."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Self

from service.domain.embedding import Embeddings
from service.gallery.base import EmbeddingModel
from service.gallery.gallery import Gallery
from service.gallery.indexes.base import CreateIndex
from service.gallery.opening import Server, open_gallery
from service.gallery.records.sqlite.database import SqliteDatabase
from service.gallery.search.in_memory.search import InMemorySearch, in_memory
from service.gallery.search.milvus.address import MilvusAddress
from service.gallery.search_values import Found, SearchQuestion


class BlockingGallery:
    """Runs the methods of a gallery in the thread of the caller."""

    def __init__(self, gallery: Gallery) -> None:
        self.gallery = gallery
        self._resources = ExitStack()

    @classmethod
    def open(
        cls,
        data_dir: Path,
        index: str,
        key_file: Path | None = None,
        url: str | None = None,
        milvus: MilvusAddress | None = None,
    ) -> Self:
        """Open a gallery in a directory, or in a database server. Call `close` at the end."""
        server = Server(url) if url else None
        with ExitStack() as resources:
            opened = open_gallery(data_dir, index, key_file=key_file, server=server, milvus=milvus)
            gallery = cls(resources.enter_context(opened))
            gallery._resources = resources.pop_all()
            return gallery

    @classmethod
    def from_database(cls, database: SqliteDatabase, create_index: CreateIndex) -> Self:
        """Return a gallery that uses an open database."""
        return cls(Gallery(database, in_memory(create_index)))

    def close(self) -> None:
        """Close the gallery and its database, if `open` opened them."""
        self._resources.close()

    @property
    def indexes(self) -> InMemorySearch:
        """The indexes in memory. The gallery must have been opened with them."""
        assert isinstance(self.gallery.face_search, InMemorySearch)
        return self.gallery.face_search

    def search(self, collection: str, probes: Embeddings, k: int, model: EmbeddingModel) -> Found:
        """Search alone. Requests search together with others that wait."""
        return self.gallery.search_together(SearchQuestion(collection, k, model), probes)

    def collection_model(self, collection: str) -> EmbeddingModel | None:
        """Return the model that made the embeddings of the collection."""
        return self.gallery.face_search.model(collection)

    def __getattr__(self, name: str) -> Any:
        method = getattr(Gallery, name)
        if isinstance(method, property):
            return getattr(self.gallery, name)
        return partial(method.__wrapped__, self.gallery)

"""A gallery without an event loop, for tests that are not async or that use their own threads."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Self

from service.domain.embedding import Embeddings
from service.gallery.base import EmbeddingModel, SearchQuestion
from service.gallery.gallery import Gallery
from service.gallery.indexes.base import CreateIndex
from service.gallery.opening import open_gallery
from service.gallery.reader import Found
from service.gallery.records.database import Database


class BlockingGallery:
    """Runs the methods of a gallery in the thread of the caller."""

    def __init__(self, gallery: Gallery) -> None:
        self.gallery = gallery
        self._resources = ExitStack()

    @classmethod
    def open(cls, data_dir: Path, index: str, key_file: Path | None = None) -> Self:
        """Open a gallery in a directory. Call `close` at the end."""
        with ExitStack() as resources:
            gallery = cls(resources.enter_context(open_gallery(data_dir, index, key_file=key_file)))
            gallery._resources = resources.pop_all()
            return gallery

    @classmethod
    def from_database(cls, database: Database, create_index: CreateIndex) -> Self:
        """Return a gallery that uses an open database."""
        return cls(Gallery(database, create_index))

    def close(self) -> None:
        """Close the gallery and its database, if `open` opened them."""
        self._resources.close()

    def search(self, collection: str, probes: Embeddings, k: int, model: EmbeddingModel) -> Found:
        """Search alone. Requests search together with others that wait."""
        return self.gallery.search_together(SearchQuestion(collection, k, model), probes)

    def collection_model(self, collection: str) -> EmbeddingModel | None:
        """Return the model that made the embeddings of the collection."""
        return self.gallery.indexes[collection].model()

    def __getattr__(self, name: str) -> Any:
        method = getattr(Gallery, name)
        if isinstance(method, property):
            return getattr(self.gallery, name)
        return partial(method.__wrapped__, self.gallery)

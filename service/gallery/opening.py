"""Open the gallery in its data directory."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from service.domain.errors import StorageUnavailable
from service.gallery.data_directory import lock_data_directory, unusable
from service.gallery.gallery import Gallery
from service.gallery.indexes import index_factory
from service.gallery.records.database import Database

DATABASE_FILE = "gallery.sqlite3"


@contextmanager
def open_gallery(data_dir: Path, index: str) -> Iterator[Gallery]:
    """Open the records in a directory, migrate them to this version, and build the indexes.

    The directory is created if it does not exist. No other process can use it until the context ends.
    index: a name in `indexes.INDEXES`, or a factory string of FAISS.
    Raises InvalidSettings, DataDirectoryInUse or DataDirectoryUnusable.
    """
    create_index = index_factory(index)
    create_index(dimension=1)  # a wrong name must fail at the start, and not at the first enrolment
    with ExitStack() as resources:
        resources.enter_context(lock_data_directory(data_dir))
        try:
            database = resources.enter_context(closing(Database(data_dir / DATABASE_FILE)))
            database.migrate()
            gallery = Gallery(database, create_index)
        except StorageUnavailable as error:
            raise unusable(data_dir / DATABASE_FILE, error.__cause__) from None
        yield gallery

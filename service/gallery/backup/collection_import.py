"""Store a collection from its file, part by part. Each part is one transaction.

Until the last part is stored, the collection is marked in the records, with the checksum of the part that was stored
last. Nothing else reads or changes it, except its deletion. So an import that was interrupted is known after any crash:
it continues where it stopped, or the collection is deleted.
"""

import threading
from collections.abc import Callable

import anyio

from service.gallery.records.database import Database
from service.gallery.records.statements import storage
from service.gallery.records.statements.moving.storing import store_part
from service.gallery.records.statements.moving.values import Imported, ImportPart
from service.gallery.search.face_search import FaceSearch
from service.gallery.threads import in_changing_thread


class CollectionImports:
    """Stores parts of files.

    writing: the lock of the gallery for changes.
    read_settings: reads again what the gallery knows of its collections.
    threads: limits how many methods of the gallery change something at the same time.
    """

    def __init__(
        self,
        database: Database,
        face_search: FaceSearch,
        writing: threading.Lock,
        read_settings: Callable[[], None],
        threads: anyio.CapacityLimiter,
    ) -> None:
        self._database, self._face_search, self._writing = database, face_search, writing
        self._read_settings = read_settings
        self.threads = self.changing_threads = threads

    @in_changing_thread
    def store(self, collection: str, part: ImportPart) -> Imported:
        """Store a part. A first or last stored part that comes again changes nothing.

        The collection must not exist, or be empty. Raises CollectionNotFound, CollectionNotEmpty, ImportUnfinished if
        another file is imported, ImportOutOfOrder, FacesExist or InvalidImport.
        """
        begins_or_ends = part.first is not None or part.end is not None
        with self._writing:
            with self._database.writing() as connection:
                if begins_or_ends:
                    storage.note_changed_settings(connection)
                imported = store_part(connection, collection, part)
            if begins_or_ends:
                self._show(collection, imported)
        return imported

    def _show(self, collection: str, imported: Imported) -> None:
        """Search the collection if its import is finished, and not before."""
        if imported.is_finished:
            self._face_search.add_collection(collection, imported.counts.faces)
        elif collection in self._face_search:
            self._face_search.remove_collection(collection)
        self._read_settings()

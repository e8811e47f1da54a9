"""Collections, calibrations and access keys that a process holds in memory. Other replicas may change them."""

import threading
from collections.abc import Callable, Sequence

import anyio
from anyio import to_thread

from service.gallery.records.database import Database
from service.gallery.records.statements import storage

THREADS = 4


class SharedSettings:
    """Notices that another replica has changed a setting, and lets this process read it again.

    One number in the database grows with each such change. It is compared at the beginning of each request, so a change
    that was acknowledged by one replica is known to all.

    readers: read the settings again, in the order in which they are called. They raise StorageUnavailable.
    """

    def __init__(self, database: Database, readers: Sequence[Callable[[], None]]) -> None:
        self._database = database
        self._readers = readers
        self._reading = threading.Lock()
        self._threads = anyio.CapacityLimiter(THREADS)
        self._version = -1  # a change between the start of the readers and now is not missed

    async def catch_up(self) -> None:
        """Read the settings again if another replica has changed them. Raises StorageUnavailable."""
        if self._database.is_shared:
            await to_thread.run_sync(self._catch_up, limiter=self._threads)

    def _catch_up(self) -> None:
        version = self._read_version()
        if version == self._version:
            return
        with self._reading:
            version = self._read_version()  # before the settings, so that a change meanwhile is read the next time
            if version != self._version:
                for read in self._readers:
                    read()
                self._version = version

    def _read_version(self) -> int:
        with self._database.reading_once() as connection:
            return storage.settings_version(connection)

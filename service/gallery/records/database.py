"""What every database of records offers."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from io import BufferedReader

from sqlalchemy import Connection

from service.domain.waiting import begin_storing
from service.gallery.records.statements import storage
from service.observability.outcomes import note_stored


class Database(ABC):
    """Opens transactions. A failed transaction raises StorageUnavailable, and then nothing was stored.

    The cause of the error is what the database reported.

    is_shared: whether other processes change the records too.
    commits: how many changes this process has committed.
    erased_at_s: when something was last deleted that `rewrite` has not removed yet (time.monotonic). None if nothing.
    """

    is_shared = False

    def __init__(self) -> None:
        self.commits = 0
        self.erased_at_s: float | None = None

    @abstractmethod
    def reading(self) -> AbstractContextManager[Connection]:
        """Open a transaction that sees one state of the records, whatever is written at the same time."""

    def reading_once(self) -> AbstractContextManager[Connection]:
        """Open a connection for one statement that reads. Where this is faster than a transaction, it is none."""
        return self.reading()

    @abstractmethod
    def committing(self, committed: Callable[[], None]) -> AbstractContextManager[Connection]:
        """Open a transaction as `writing` does, for the changes of several requests. The caller asks their clients.

        committed: is called after the commit.
        """

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction that is committed to the disk at the end. An error undoes all of it.

        Raises Abandoned at the end if the client was told meanwhile that its request failed.
        """
        with self.committing(note_stored) as connection:
            yield connection
            begin_storing()

    @contextmanager
    def erasing(self) -> Iterator[Connection]:
        """Open a transaction as `writing` does. What it deletes or replaces is then removed from the disk."""
        with self.writing() as connection:
            yield connection
            storage.set_needs_rewrite(connection)
        self.erase_replaced_content()

    @contextmanager
    def working_alone(self) -> Iterator[bool]:
        """Return whether this process may do the work that only one does at a time, until the context ends."""
        yield True

    @abstractmethod
    def erase_replaced_content(self) -> None:
        """Remove what can be removed now of deleted content, and note that `rewrite` is to remove the rest."""

    @abstractmethod
    def rewrite(self) -> bool:
        """Remove what remains of deleted content. Return whether this is done. Else it is to be tried again."""

    @abstractmethod
    def skip_deleted_rows(self, table: str) -> None:
        """Let statements skip the deleted rows of a table, where the database reads them until they are removed."""

    @property
    @abstractmethod
    def is_quick_to_rewrite(self) -> bool:
        """Whether `rewrite` takes at most a few seconds. Otherwise a stop leaves it to the next start."""

    @abstractmethod
    def interrupt_rewrite(self) -> None:
        """Let a `rewrite` that runs end soon, undone, because the service stops."""

    @abstractmethod
    def check_files(self) -> None:
        """Raise StorageLost if what the database needs was taken away, now or at an earlier check."""

    @abstractmethod
    def copy(self) -> tuple[BufferedReader, storage.StoredGallery]:
        """Return a copy of the state of this moment, as an open file without a name, and what it holds.

        Changes are not blocked meanwhile. Raises Overloaded while another copy is made.
        """

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""

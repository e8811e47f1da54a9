"""Changes of several requests in one transaction, so that they share one wait for the disk (group commit).

While one transaction is written, the next changes wait for the lock. The first of them to get it makes all that wait.
Each has a savepoint of its own, so an error undoes only its own statements.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from itertools import groupby
from typing import Generic, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from service.domain.errors import StorageUnavailable
from service.domain.waiting import begin_storing
from service.gallery.records.database import Database
from service.observability.outcomes import note_stored

R = TypeVar("R")
Change = Callable[[Connection], R]
"""Runs the statements of one change. What it raises undoes only these."""
Finish = Callable[[str, Sequence[R]], None]
"""Is called with a collection, and the results of its changes, in their order."""


@dataclass(frozen=True, slots=True, eq=False)
class _Done(Generic[R]):
    """The result of a change."""

    result: R


@dataclass(slots=True, eq=False)
class _Waiting(Generic[R]):
    """A change that waits for its transaction.

    context: of its request. Its access key and its client are found there, whichever thread makes the change.
    outcome: None until it is made. After the commit, it is durable.
    """

    collection: str
    change: Change[R]
    context: Context = field(default_factory=copy_context)
    outcome: _Done[R] | Exception | None = None

    def make(self, connection: Connection) -> None:
        """Run the statements, or note why they were undone. Raises what concerns the whole transaction."""
        try:
            with connection.begin_nested():
                made = self.context.run(self._make, connection)
        except (StorageUnavailable, DBAPIError, OSError):
            raise
        except Exception as error:  # noqa: BLE001  # it is raised again in the thread of its request
            self.outcome = error
        else:
            self.outcome = made

    def note_stored(self) -> None:
        """Note for the audit log that the request changed the records, if it did."""
        if isinstance(self.outcome, _Done):
            self.context.run(note_stored)

    def _make(self, connection: Connection) -> _Done[R]:
        result = self.change(connection)
        begin_storing()
        return _Done(result)


class GroupedChanges(Generic[R]):
    """Makes changes of one kind. Safe to use from several threads at once.

    writing: the lock of the gallery for changes. It is held until `finish` has ended.
    finish: is called after the commit, once for each collection.
    """

    def __init__(self, database: Database, writing: threading.Lock, finish: Finish[R]) -> None:
        self._database = database
        self._writing = writing
        self._finish = finish
        self._waiting: deque[_Waiting[R]] = deque()

    def make(self, collection: str, change: Change[R]) -> R:
        """Make the change, and return its result when it is durable and `finish` has ended.

        Raises what the change raises, and Abandoned. Raises StorageUnavailable if the commit fails: then nothing of the
        whole group was stored.
        """
        own = _Waiting(collection, change)
        self._waiting.append(own)
        with self._writing:
            if own.outcome is None:
                self._make(list(self._take_all()))
        if isinstance(own.outcome, _Done):
            return own.outcome.result
        raise own.outcome or StorageUnavailable()

    def _take_all(self) -> Iterator[_Waiting[R]]:
        while self._waiting:
            yield self._waiting.popleft()

    def _make(self, group: Sequence[_Waiting[R]]) -> None:
        def note_all() -> None:
            for waiting in group:
                waiting.note_stored()

        try:
            with self._database.committing(note_all) as connection:
                for waiting in sorted(group, key=_collection):  # in one order, else two replicas would block each other
                    waiting.make(connection)
        except Exception as error:  # noqa: BLE001  # it is raised again in the thread of each request
            for waiting in group:
                waiting.outcome = error
        else:
            self._finish_all(waiting for waiting in group if isinstance(waiting.outcome, _Done))

    def _finish_all(self, made: Iterable[_Waiting[R]]) -> None:
        by_collection = sorted(made, key=_collection)  # stable: in the order of the changes
        for collection, changes in groupby(by_collection, key=_collection):
            of_one = list(changes)
            results = [one.outcome.result for one in of_one if isinstance(one.outcome, _Done)]
            try:
                of_one[0].context.run(self._finish, collection, results)
            except Exception as error:  # noqa: BLE001  # it is that of this collection, and not of the others
                for one in of_one:
                    one.outcome = error


def _collection(waiting: _Waiting[R]) -> str:
    return waiting.collection

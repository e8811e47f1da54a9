"""Enrolments of several requests in one transaction, so that they share one wait for the disk (group commit).

While one transaction is written, the next enrolments wait for the lock. The first of them to get it makes all that
wait. Each has a savepoint of its own, so an error undoes only its own statements.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from service.domain.errors import StorageUnavailable
from service.domain.waiting import begin_storing
from service.gallery.base import EnrolmentOutcome, References
from service.gallery.records.database import Database
from service.gallery.records.statements.enrolment import Enrolment
from service.observability.outcomes import note_stored

Store = Callable[[Connection], Enrolment]
AddToIndex = Callable[[str, References], None]


@dataclass(slots=True, eq=False)
class _Waiting:
    """An enrolment that waits for its transaction.

    context: of its request. Its access key and its client are found there, whichever thread makes the enrolment.
    result: None until it is made. After the commit, it is durable.
    """

    collection: str
    store: Store
    context: Context = field(default_factory=copy_context)
    result: Enrolment | Exception | None = None

    def make(self, connection: Connection) -> None:
        """Run the statements, or note why they were undone. Raises what concerns the whole transaction."""
        try:
            with connection.begin_nested():
                result = self.context.run(self._store, connection)
        except (StorageUnavailable, DBAPIError, OSError):
            raise
        except Exception as error:  # noqa: BLE001  # it is raised again in the thread of its request
            self.result = error
        else:
            self.result = result

    def note_stored(self) -> None:
        """Note for the audit log that the request changed the records, if it did."""
        if isinstance(self.result, Enrolment):
            self.context.run(note_stored)

    def _store(self, connection: Connection) -> Enrolment:
        stored = self.store(connection)
        begin_storing()
        return stored


class GroupedEnrolments:
    """Makes enrolments. Safe to use from several threads at once.

    writing: the lock of the gallery for changes. It is held until the index has the new faces.
    add_to_index: adds stored faces to the index of a collection.
    """

    def __init__(self, database: Database, writing: threading.Lock, add_to_index: AddToIndex) -> None:
        self._database = database
        self._writing = writing
        self._add_to_index = add_to_index
        self._waiting: deque[_Waiting] = deque()

    def enrol(self, collection: str, store: Store) -> list[EnrolmentOutcome]:
        """Run the statements of `store`, and return the outcomes when they are durable and in the index.

        Raises what `store` raises, and Abandoned. Raises StorageUnavailable if the commit fails: then nothing of the
        whole group was stored.
        """
        own = _Waiting(collection, store)
        self._waiting.append(own)
        with self._writing:
            if own.result is None:
                self._make(list(self._take_all()))
        if isinstance(own.result, Enrolment):
            return own.result.outcomes
        raise own.result or StorageUnavailable()

    def _take_all(self) -> Iterator[_Waiting]:
        while self._waiting:
            yield self._waiting.popleft()

    def _make(self, group: Sequence[_Waiting]) -> None:
        def note_all() -> None:
            for waiting in group:
                waiting.note_stored()

        try:
            with self._database.committing(note_all) as connection:
                for waiting in group:
                    waiting.make(connection)
        except Exception as error:  # noqa: BLE001  # it is raised again in the thread of each request
            for waiting in group:
                waiting.result = error
        else:
            self._index(waiting for waiting in group if isinstance(waiting.result, Enrolment))

    def _index(self, stored: Iterable[_Waiting]) -> None:
        """Add the faces to the indexes, with one change for each collection."""
        by_collection = sorted(stored, key=lambda waiting: waiting.collection)  # stable: in the order of the numbers
        for collection, group in groupby(by_collection, key=lambda waiting: waiting.collection):
            enrolments = list(group)
            found = [one.result.references for one in enrolments if isinstance(one.result, Enrolment)]
            if references := [one for one in found if one is not None]:
                enrolments[0].context.run(self._add_to_index, collection, _joined(references))


def _joined(parts: Sequence[References]) -> References:
    return References(
        parts[0].model,
        np.concatenate([part.numbers for part in parts]),
        np.concatenate([part.subjects for part in parts]),
        np.concatenate([part.embeddings for part in parts]),
    )

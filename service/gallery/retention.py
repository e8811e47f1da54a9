"""Deletes faces, and subjects without faces, that are older than their collection keeps them.

A thread does this every second. A search does it first if a face has expired meanwhile, so it never finds such a face.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from service.domain.errors import CollectionNotFound
from service.gallery.base import Deleted
from service.gallery.records.database import Database
from service.gallery.records.statements import collections
from service.gallery.records.statements.rules import retention
from service.gallery.records.statements.rules.retention import Rule
from service.gallery.search.face_search import FaceSearch

SUBJECTS_INTERVAL = timedelta(minutes=1)
"""How often old subjects without faces are looked for."""


def utc_now() -> datetime:
    """Return the time by which faces expire."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class _Plan:
    """The rule of a collection. next_at: nothing expires before this time. None: as long as it has no face."""

    keeps: timedelta
    next_at: datetime | None

    @classmethod
    def of(cls, rule: Rule) -> "_Plan":
        return cls(rule.keeps, rule.oldest_face + rule.keeps if rule.oldest_face else None)


class Retention:
    """Knows when the next face of each collection expires, and deletes what has expired.

    writing: the lock of the gallery for changes.
    record: is told what was deleted.
    now: returns the time, in UTC.
    Every method raises StorageUnavailable if the records cannot be read or written.
    """

    def __init__(
        self,
        database: Database,
        indexes: FaceSearch,
        writing: threading.Lock,
        record: Callable[[Deleted], None],
        now: Callable[[], datetime],
    ) -> None:
        self._database, self._indexes, self._writing = database, indexes, writing
        self._record, self._now = record, now
        self._subjects_at = now()
        self._plans: dict[str, _Plan] = {}
        self.read_rules()

    def read_rules(self) -> None:
        """Read the rules of all collections. Call this after a change of a rule or of a collection."""
        with self._database.reading() as connection:
            found = retention.rules(connection)
        self._plans = {collection: _Plan.of(rule) for collection, rule in found.items()}

    def note_enrolled(self, collection: str) -> None:
        """Note that the collection has a new face. It is the next to expire if there is no other."""
        plan = self._plans.get(collection)
        if plan is not None and plan.next_at is None:
            self._plans[collection] = _Plan(plan.keeps, self._now() + plan.keeps)

    def expire(self, collection: str) -> None:
        """Delete what has expired in the collection, if anything has."""
        plan = self._plans.get(collection)
        if plan is None or plan.next_at is None or self._now() < plan.next_at:
            return
        self._remove_all(collection, plan)

    def expire_all(self) -> None:
        """Delete what has expired in all collections. From time to time, look also for subjects without faces."""
        if self._database.is_shared:
            self.read_rules()  # another replica may have enrolled the oldest face
        now = self._now()
        looks_for_subjects = now >= self._subjects_at
        for collection, plan in list(self._plans.items()):
            if looks_for_subjects:
                self._remove_all(collection, plan)
            else:
                self.expire(collection)
        if looks_for_subjects:
            self._subjects_at = now + SUBJECTS_INTERVAL

    def _remove_all(self, collection: str, plan: _Plan) -> None:
        before = self._now() - plan.keeps
        try:
            while self._has_older(collection, before):
                self._remove(collection, before)
        except CollectionNotFound:  # it was deleted meanwhile
            return
        self.read_rules()

    def _has_older(self, collection: str, before: datetime) -> bool:
        with self._database.reading() as connection:
            return retention.has_older(connection, collections.find(connection, collection).key, before)

    def _remove(self, collection: str, before: datetime) -> None:
        with self._writing:
            with self._database.erasing() as connection:
                removed = retention.remove_older(connection, collections.find(connection, collection).key, before)
            if removed.numbers:
                self._indexes.remove(collection, removed.numbers)
        faces, subjects = len(removed.numbers), removed.deleted_subjects
        self._record(Deleted("expired", collection, tuple(removed.subjects), faces, subjects))

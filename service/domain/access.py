"""What a request may do. An access key says it: its scopes, and the collections that it sees.

The access is found by a context variable, so tasks and threads that work on the same request find it too. Work outside
a request, such as the start of the service, may do everything.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum

from service.domain.errors import CollectionNotFound


class Scope(StrEnum):
    """A kind of work that a key allows. No scope contains another one.

    verify: compare, identify, cluster and embed faces.
    read: list and show collections, subjects and faces. Together with verify: cluster a collection.
    enrol: create, change, move and delete subjects and faces, and create collections.
    admin: delete collections, manage keys, make backups.
    metrics: read /metrics.
    """

    VERIFY = "verify"
    READ = "read"
    ENROL = "enrol"
    ADMIN = "admin"
    METRICS = "metrics"


@dataclass(frozen=True, slots=True)
class Access:
    """What the owner of a key may do.

    key: the id of the key. None if the service has no keys.
    collections: the ids of the collections that exist for the owner. None: all.
    """

    key: str | None
    scopes: frozenset[Scope]
    collections: frozenset[str] | None

    def sees(self, collection: str) -> bool:
        """Return whether the collection may exist for the owner of the key."""
        return self.collections is None or collection in self.collections


FULL_ACCESS = Access(key=None, scopes=frozenset(Scope), collections=None)

NO_ACCESS = Access(key=None, scopes=frozenset(), collections=frozenset())
"""For the requests that need no key. They see no collection."""

_current: ContextVar[Access] = ContextVar("access", default=FULL_ACCESS)


@contextmanager
def work_with(access: Access) -> Iterator[None]:
    """Do the work of the block with this access."""
    token = _current.set(access)
    try:
        yield
    finally:
        _current.reset(token)


def current_access() -> Access:
    """Return the access of this request. Outside a request, everything is allowed."""
    return _current.get()


def require_collection(collection: str) -> None:
    """Raise CollectionNotFound if the key of this request does not see the collection.

    So for the owner of the key, the collections of others are the same as collections that do not exist. The records
    are not asked, so the time is the same too.
    """
    if not _current.get().sees(collection):
        raise CollectionNotFound

"""The advisory locks of PostgreSQL. They end with their connection or transaction, also if a replica is killed."""

from sqlalchemy import text

Lock = dict[str, int]


def _lock(number: int) -> Lock:
    """Return a lock of this service. Other programs in the same database have other first numbers."""
    return {"space": 0x46414345, "number": number}


START = _lock(1)
"""Services that start at the same time migrate and encrypt one after the other."""
PRESENCE = _lock(2)
"""Each replica shares it for as long as it runs."""
PREPARE_VECTORS = _lock(3)
"""Replicas that start at the same time prepare the table of vectors one after the other."""
BUILD_INDEXES = _lock(4)
"""One replica at a time builds the indexes of pgvector."""
APPLY_CHANGES = _lock(5)
"""One replica at a time brings changes to the search server."""

TAKE = text("SELECT pg_advisory_lock(:space, :number)")
TAKE_SHARED = text("SELECT pg_advisory_lock_shared(:space, :number)")
TAKE_IF_FREE = text("SELECT pg_try_advisory_lock(:space, :number)")
TAKE_FOR_TRANSACTION = text("SELECT pg_advisory_xact_lock(:space, :number)")
RELEASE = text("SELECT pg_advisory_unlock(:space, :number)")

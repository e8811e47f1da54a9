"""The other replicas that use the database now. Their models must go together, and they must search in one way."""

import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from service.domain.command_errors import DatabaseInUse
from service.gallery.records.postgresql import locks
from service.gallery.records.statements import storage

_STILL_THERE = text("SELECT 1")


@dataclass(frozen=True, slots=True)
class Setup:
    """What replicas must agree on.

    model: the id of the loaded model. comparable: of the models whose embeddings can be compared with its own.
    search: what stores the vectors, as FACE_GALLERY__INDEX names it, or `memory`.
    """

    model: str = ""
    comparable: frozenset[str] = frozenset()
    search: str = "memory"

    def require_fit(self, model: str | None, search: str | None) -> None:
        """Raise DatabaseInUse if this set-up does not go with that of the other replicas."""
        if model not in {None, self.model, *self.comparable}:
            raise DatabaseInUse(
                f"The other replicas of this database have the model {str(model)[:16]}, and this one has "
                f"{self.model[:16]}. Their embeddings cannot be compared. Set FACE_MODELS__EMBEDDER to the same model "
                "in all, or stop the others first."
            )
        if search not in {None, self.search}:
            raise DatabaseInUse(
                f"The other replicas of this database search with {search}, and this one with {self.search} (memory is "
                "faiss, flat or exact). Set FACE_GALLERY__INDEX to the same value in all, or stop the others first."
            )


class Presence:
    """Shows the other replicas that this one is there, by a shared lock of PostgreSQL.

    The lock ends with its connection, also if the service is killed.
    engine: gives connections that commit each statement.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._connection: Connection | None = None

    def begin(self, connection: Connection, setup: Setup) -> bool:
        """Be present from now on, and return whether no other replica is.

        The first replica notes its set-up, and the others must have one that goes with it.
        connection: in a transaction that no other replica has at the same time.
        Raises DatabaseInUse.
        """
        with ExitStack() as refused:
            own = refused.enter_context(self._engine.connect())
            is_first = bool(own.scalar(locks.TAKE_IF_FREE, locks.PRESENCE))
            if is_first:
                own.execute(locks.RELEASE, locks.PRESENCE)
                storage.set_replica_setup(connection, setup.model, setup.search)
            else:
                setup.require_fit(*storage.replica_setup(connection))
            own.execute(locks.TAKE_SHARED, locks.PRESENCE)
            refused.pop_all()
        self._connection = own
        return is_first

    def keep(self) -> None:
        """Be present again if the connection was lost. If that is not possible now, the next call tries again."""
        with self._lock, suppress(SQLAlchemyError):
            try:
                if self._connection is not None:
                    self._connection.execute(_STILL_THERE)
                    return
            except SQLAlchemyError:
                self._close()
            connection = self._engine.connect()
            connection.execute(locks.TAKE_SHARED, locks.PRESENCE)
            self._connection = connection

    def end(self) -> None:
        """Be present no longer."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.invalidate()
                connection.close()

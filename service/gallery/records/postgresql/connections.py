"""How the service connects to PostgreSQL, and what it says if that fails."""

import math
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

import psycopg
import structlog
from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, InvalidRequestError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from service.domain.command_errors import DatabaseUnusable, InvalidSettings
from service.domain.errors import StorageLost, StorageUnavailable

LOG = structlog.get_logger(__name__)
CONNECTIONS = 24
"""The most connections of one kind. They are opened when they are needed: one for each thread that works at once.
PostgreSQL allows 100 of all its clients together, if it is not told otherwise."""
IDLE_S = 1.0
"""A connection that was not used for so long is tested with a statement."""
IsolationLevel = Literal["READ COMMITTED", "REPEATABLE READ", "AUTOCOMMIT"]
CONNECT_TIMEOUT_S = 5
POOL_TIMEOUT_S = 10.0
LOST_SERVER = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 20_000}
"""A server that vanishes without closing its connections (a machine without power) is noticed after 25 s by keepalives,
or 20 s (in ms here) after something was sent. Otherwise the system would wait for a quarter of an hour."""
CANDIDATES = 400
"""How many faces an index of pgvector compares in a search, at least. docs/replicas.md says what it finds, and what it
costs."""
SERVER_SETTINGS = {
    "timezone": "UTC",
    "statement_timeout": "300s",  # to delete a collection of a million faces takes a minute or more
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",  # of a service that hangs, its locks end
    "hnsw.ef_search": str(CANDIDATES),
}
READING_SETTINGS = {
    "default_transaction_read_only": "on",
    "statement_timeout": "20s",  # less than a request may take, so that its client gets an answer
}
DAMAGED = frozenset({"XX001", "XX002"})
"""SQLSTATE of data_corrupted and index_corrupted."""
EXAMPLE = "postgresql://USER:PASSWORD@HOST:5432/DATABASE"


def server_url(text: str) -> URL:
    """Return the place of the database. Raises InvalidSettings, which repeats nothing: there can be a password."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise InvalidSettings(f"FACE_GALLERY__URL is no URL. It is written as {EXAMPLE}.") from None
    if url.drivername not in {"postgresql", "postgres"}:
        raise InvalidSettings(
            f"FACE_GALLERY__URL must begin with postgresql://, as in {EXAMPLE}. Without it, the gallery is in "
            "FACE_DATA_DIR."
        )
    if not url.database:
        raise InvalidSettings(f"FACE_GALLERY__URL names no database. It is written as {EXAMPLE}.")
    return url.set(drivername="postgresql+psycopg")


def describe(url: URL) -> str:
    """Return where the database is, without the password."""
    return f"{url.host or 'the local server'}:{url.port or 5432}/{url.database}"


def connect(url: URL, isolation_level: IsolationLevel, *, read_only: bool = False) -> Engine:
    """Return the connections to the database whose transactions are of one kind. None is opened yet.

    A connection is tested before it is used. So after the server was restarted, no request gets a broken one.
    """
    settings = SERVER_SETTINGS | (READING_SETTINGS if read_only else {})
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    engine = create_engine(
        url,
        isolation_level=isolation_level,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "application_name": "facenet",
            "options": options,
            **LOST_SERVER,
        },
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        hide_parameters=True,  # errors are logged, and must not hold names or vectors
    )
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", partial(_test, engine))
    return engine


def _note_use(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info["used_at_s"] = time.monotonic()


def _test(engine: Engine, connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:  # noqa: ANN401
    """Raise DisconnectionError if a connection is broken. Then it is opened again.

    The server says nothing between two transactions. So if there is something to read, it has ended the connection.
    """
    waiting = select.poll()
    waiting.register(connection.pgconn.socket, select.POLLIN)
    if waiting.poll(0):
        raise DisconnectionError
    if time.monotonic() - record.info.get("used_at_s", math.inf) > IDLE_S:
        try:
            engine.dialect.do_ping(connection)
        except psycopg.Error as error:
            raise DisconnectionError from error


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turn the errors of the database and its driver into StorageUnavailable."""
    try:
        yield
    except StorageLost as error:
        LOG.error("storage_damaged", reason=error.reason)  # noqa: TRY400  # the trace says nothing
        raise
    except (DBAPIError, psycopg.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if getattr(cause, "sqlstate", None) in DAMAGED:
            LOG.error("storage_damaged", reason=str(cause))  # noqa: TRY400  # the trace says nothing
            raise StorageLost("the database is damaged") from cause
        raise StorageUnavailable from cause
    # InvalidRequestError: the connection was lost before, or it was lost again while the pool opened it again.
    except (PoolTimeout, InvalidRequestError, OSError) as error:
        raise StorageUnavailable from error


@contextmanager
def start_errors(url: URL) -> Iterator[None]:
    """Turn the errors of the database into an error of the start, in one line without the password."""
    try:
        yield
    except StorageUnavailable as error:
        reason = str(error.__cause__ or error).strip().partition("\n")[0]
        raise DatabaseUnusable(
            f"The database at {describe(url)} cannot be used: {reason}. Check FACE_GALLERY__URL, and that PostgreSQL "
            "runs."
        ) from None

"""SQLite as a keeper of biometric records: durable at every commit, and what is deleted is overwritten."""

import os
import sqlite3
from pathlib import Path

BUSY_TIMEOUT_MS = 5_000

PRAGMAS = {
    "journal_mode": "WAL",
    "synchronous": "FULL",  # WAL's usual NORMAL may lose acknowledged commits when the power fails
    "foreign_keys": "ON",
    "secure_delete": "ON",
    "temp_store": "MEMORY",  # large statements would leave copies of pages in /var/tmp
    "busy_timeout": str(BUSY_TIMEOUT_MS),
}

BEGIN_READING = "BEGIN"
BEGIN_WRITING = "BEGIN IMMEDIATE"  # waits for its turn here, where a read that turns into a write would be refused


def create(path: Path) -> None:
    """The file, for its owner alone, if it is not there. Raises OSError.

    SQLite gives its journals the mode of the database.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def prepare(connection: sqlite3.Connection) -> None:
    """Sets a new connection up; transactions are then begun by us, as Python would begin them too late."""
    connection.isolation_level = None
    for name, value in PRAGMAS.items():
        connection.execute(f"PRAGMA {name}={value}")


def empty_journal(connection: sqlite3.Connection) -> bool:
    """Moves the journal into the database and cuts it to nothing; whether it could: a reader may still need it.

    Until then the journal holds what was written before, deleted rows among it.
    """
    busy, _frames, _moved = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy

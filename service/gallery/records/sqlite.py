"""SQLite for biometric records: every commit is durable, and deleted content is overwritten."""

import os
import sqlite3
from pathlib import Path

BUSY_TIMEOUT_MS = 5_000

PRAGMAS = {
    "journal_mode": "WAL",
    "synchronous": "FULL",  # with NORMAL, the usual value for WAL, a power failure can lose acknowledged commits
    "foreign_keys": "ON",
    "secure_delete": "ON",
    "temp_store": "MEMORY",  # on disk, large statements would leave copies of pages in /var/tmp
    "busy_timeout": str(BUSY_TIMEOUT_MS),
}

BEGIN_READING = "BEGIN"
# IMMEDIATE waits here for other writers. Without it, a transaction that reads first and writes later could be refused.
BEGIN_WRITING = "BEGIN IMMEDIATE"


def create(path: Path) -> None:
    """Create the file, readable by its owner only, if it does not exist. Raises OSError.

    SQLite gives its journal files the mode of the database.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def prepare(connection: sqlite3.Connection) -> None:
    """Set up a new connection. The service begins its transactions itself, because Python would begin them too late."""
    connection.isolation_level = None
    for name, value in PRAGMAS.items():
        connection.execute(f"PRAGMA {name}={value}")


def empty_journal(connection: sqlite3.Connection) -> bool:
    """Move the journal into the database and empty it. Return False if a reader still needs the journal.

    Until then the journal still holds older content, deleted rows included.
    """
    busy, _frames, _checkpointed = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy

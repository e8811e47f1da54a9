"""Writes the lines of an audit log. Not safe for several threads: `AuditLog` has one for it."""

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from service.access.audit.files import (
    TORN_SUFFIX,
    Keeping,
    OpenFile,
    files_to_delete,
    last_head,
    log_files,
    set_torn_line_aside,
)
from service.access.audit.line import Head, make_line
from service.access.audit.secret import AuditSecret

SYNC_S = 0.5
"""Lines are durable after this time, and the time that the disk takes."""
DAMAGED_SUFFIX = ".damaged"


def time_text() -> str:
    """Return the time of a line, in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class AuditWriter:
    """Continues the chain after its last line, in a new file.

    noted: the head that the database has noted. The log must reach it.
    Every method raises OSError if the files cannot be written.
    """

    def __init__(self, folder: Path, secret: AuditSecret, keeping: Keeping, noted: Head | None) -> None:
        self._folder, self._secret, self._keeping = folder, secret, keeping
        files = log_files(folder)
        torn_bytes = set_torn_line_aside(files[-1]) if files else 0
        self.head = last_head(files)
        self.durable = self.head
        self.is_cut = noted is not None and _is_behind(self.head, noted)
        _make_room(folder / f"{self.head.sequence + 1:012d}.jsonl")
        marks = {"torn_bytes": torn_bytes or None, "missing": str(noted) if self.is_cut else None}
        self._file = self._open_file(**marks)
        self._prune()

    def write(self, entries: Sequence[dict[str, Any]]) -> list[Head]:
        """Add a line for each entry: all lines or none. Return the head after each. They are not durable yet."""
        if self._file.size_bytes >= self._keeping.file_bytes or _today() != self._day:
            self._rotate()
        heads, lines = [], []
        head = self.head
        for fields in entries:
            line, head = make_line(fields, self._secret, head)
            heads.append(head)
            lines.append(line)
        if lines:
            self._file.append(b"".join(lines))
            self.head = head
        return heads

    def sync_if_due(self) -> None:
        """Make the lines durable, if that was last done some time ago."""
        if self.head != self.durable and time.monotonic() - self._synced_s >= SYNC_S:
            self.sync()

    def sync(self) -> None:
        """Make the lines durable."""
        self._synced_s = time.monotonic()
        head = self.head
        self._file.sync()
        self.durable = head

    def close(self) -> None:
        """Make the lines durable, and close the file."""
        try:
            self.sync()
        finally:
            self._file.close()

    def _rotate(self) -> None:
        self.sync()
        former = self._file
        self._file = self._open_file()
        former.close()
        self._prune()

    def _open_file(self, **marks: str | int | None) -> OpenFile:
        """Start a file. Its first line repeats the hash before it, so the file can be checked without older ones."""
        file = OpenFile(self._folder, self.head.sequence + 1)
        marks = {name: value for name, value in marks.items() if value is not None}
        fields = {"time": time_text(), "event": "file", "previous": self.head.hash.hex(), **marks}
        line, head = make_line(fields, self._secret, self.head)
        try:
            file.append(line)
            file.sync()
        except OSError:
            file.discard()
            raise
        self.head = self.durable = head
        self._day, self._synced_s = _today(), time.monotonic()
        return file

    def _prune(self) -> None:
        """Delete the files that are no longer kept. A line says first which lines they had."""
        files = log_files(self._folder)
        doomed = files_to_delete(files, self._keeping, time.time())
        if not doomed:
            return
        through = int(files[len(doomed)].stem) - 1
        line, head = make_line({"time": time_text(), "event": "pruned", "through": through}, self._secret, self.head)
        self._file.append(line)
        self.head = head
        self.sync()
        for file in doomed:
            file.unlink()
            file.with_suffix(TORN_SUFFIX).unlink(missing_ok=True)


def _is_behind(head: Head, noted: Head) -> bool:
    return head.sequence < noted.sequence or (head.sequence == noted.sequence and head != noted)


def _make_room(file: Path) -> None:
    """Let a new file have this name. A file that has it holds no line: a crash, or somebody, left it so."""
    if file.exists():
        if file.stat().st_size:
            file.rename(file.with_suffix(DAMAGED_SUFFIX))
        else:
            with suppress(FileNotFoundError):
                file.unlink()


def _today() -> str:
    return datetime.now(UTC).date().isoformat()

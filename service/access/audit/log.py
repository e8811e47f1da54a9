"""The audit log of a running service. Requests leave entries; a thread writes them, so no request waits for the disk.

A decision does not wait for its line. A change does: it is acknowledged when its line is written.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from service.access.audit.files import Keeping, log_files
from service.access.audit.limits import RefusalLimit
from service.access.audit.line import Head
from service.access.audit.search import LineFilter, find_lines
from service.access.audit.secret import AuditSecret, create_secret, read_secret
from service.access.audit.writer import AuditWriter, time_text
from service.domain.command_errors import AuditUnusable
from service.domain.errors import StorageUnavailable
from service.observability.metrics import AUDIT_LOST_LINES, AUDIT_WAITING_LINES

LOG = structlog.get_logger(__name__)
INTERVAL_S = 0.5
MAX_WAITING = 10_000
"""The most entries that wait in memory while the disk is full. Further decisions and refusals are counted only."""

Fields = dict[str, Any]


@dataclass(slots=True)
class _Entry:
    """An entry that is not written yet. written: gets the head after its line. None if nobody waits for it."""

    fields: Fields
    written: Future[Head | None] | None = None


class AuditLog:
    """Takes entries from all threads. Call `open` before the first line can be written."""

    def __init__(self, folder: Path, secret_file: Path, keeping: Keeping) -> None:
        self._folder, self._secret_file, self._keeping = folder, secret_file, keeping
        self._entries: deque[_Entry] = deque()
        self._lock = threading.Lock()
        self._refusals = RefusalLimit()
        self._lost = 0
        self._wake, self._ended = threading.Event(), threading.Event()
        self._writer: AuditWriter | None = None
        self._secret: AuditSecret | None = None
        self._is_failing = False
        AUDIT_WAITING_LINES.set_function(lambda: len(self._entries))

    @property
    def secret(self) -> AuditSecret:
        """The secret of the open log."""
        if self._secret is None:
            raise StorageUnavailable
        return self._secret

    @property
    def head(self) -> Head:
        """The last line that is durable."""
        return self._writer.durable if self._writer else Head()

    def require_writable(self) -> None:
        """Raise StorageUnavailable if the last lines could not be written. A change would get no line."""
        if self._is_failing:
            raise StorageUnavailable

    def record(self, fields: Fields) -> None:
        """Leave an entry, and return at once."""
        with self._lock:
            if len(self._entries) < MAX_WAITING:
                self._entries.append(_Entry({"time": time_text(), **fields}))
                return
            self._lost += 1
        AUDIT_LOST_LINES.inc()

    def record_refusal(self, fields: Fields) -> None:
        """Leave an entry for a refused request, or only count it if there are too many."""
        with self._lock:
            is_admitted = self._refusals.admits()
        if is_admitted:
            self.record(fields)

    async def record_change(self, fields: Fields) -> Head | None:
        """Leave an entry, and wait until its line is written. Return the line. None if it cannot be written now."""
        entry = _Entry({"time": time_text(), **fields}, Future())
        with self._lock:  # the limit is not for changes: those that come later are refused before they begin
            self._entries.append(entry)
            if self._ended.is_set():
                return None
        self._wake.set()
        return await asyncio.wrap_future(entry.written) if entry.written else None

    def lines_about(self, collection: str, subject: str) -> Iterator[Fields]:
        """Yield the fields of the written lines about a subject, the oldest first. It reads files, so use a thread."""
        return find_lines(self._folder, LineFilter.of(self.secret, collection, subject))

    @contextmanager
    def open(self, noted: Head | None) -> Iterator[None]:
        """Start to write. At the end, write what is left. Raises AuditUnusable.

        noted: the last line that the database knows. None if it knows none.
        """
        writer = self._open_writer(noted)
        if writer.is_cut:
            LOG.error("audit_log_cut", noted=noted and noted.sequence)
        thread = threading.Thread(target=self._run, args=(writer,), name="audit", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._ended.set()
            self._wake.set()
            thread.join()

    def _open_writer(self, noted: Head | None) -> AuditWriter:
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            if not self._secret_file.exists() and not log_files(self._folder):
                create_secret(self._secret_file)
            self._secret = read_secret(self._secret_file)
            self._writer = AuditWriter(self._folder, self._secret, self._keeping, noted)
        except OSError as error:
            raise AuditUnusable(
                f"The audit log cannot be written in {self._folder} ({error.strerror}). Make room on the disk, or "
                "repair the folder."
            ) from None
        return self._writer

    def _run(self, writer: AuditWriter) -> None:
        while not self._ended.is_set():
            self._wake.wait(INTERVAL_S)
            self._wake.clear()
            self._flush(writer)
        self._flush(writer)
        with suppress(OSError):  # it was logged, and nobody waits for it
            writer.close()

    def _flush(self, writer: AuditWriter) -> None:
        """Write all entries. If this fails, they are kept, and tried again."""
        entries = self._take()
        try:
            heads = writer.write([entry.fields for entry in entries])
        except OSError as error:
            self._fail(error)
            self._put_back(entries)
            return
        if entries:
            self._recover()
        for entry, head in zip(entries, heads, strict=True):
            _answer(entry, head)
        try:
            writer.sync_if_due()
        except OSError as error:
            self._fail(error)

    def _take(self) -> list[_Entry]:
        with self._lock:
            entries = list(self._entries)
            self._entries.clear()
            counts = {"lost": self._lost, "refusals_left_out": self._refusals.take_left_out()}
            self._lost = 0
        counted = [_Entry({"time": time_text(), "event": event, "lines": n}) for event, n in counts.items() if n]
        return entries + counted

    def _put_back(self, entries: list[_Entry]) -> None:
        for entry in entries:
            _answer(entry, None)
            entry.written = None
        with self._lock:
            self._entries.extendleft(reversed(entries))

    def _recover(self) -> None:
        if self._is_failing:
            LOG.info("audit_log_written")
        self._is_failing = False

    def _fail(self, error: OSError) -> None:
        if not self._is_failing:
            LOG.error("audit_log_not_written", reason=error.strerror)
        self._is_failing = True


def _answer(entry: _Entry, head: Head | None) -> None:
    if entry.written is not None:
        with suppress(InvalidStateError):  # the request was cancelled
            entry.written.set_result(head)

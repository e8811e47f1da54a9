"""The files of an audit log.

audit/secret              the secret, unless FACE_AUDIT__SECRET_FILE names another file
audit/000000000001.jsonl  lines. The name is the number of the first line
audit/000000000001.torn   what a crash left of the last line of this file
"""

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from service.access.audit.line import Head, Line

FOLDER = "audit"
SUFFIX, TORN_SUFFIX = ".jsonl", ".torn"
BLOCK_BYTES = 2**16
FILE_BYTES = 16 * 2**20


def log_files(folder: Path) -> list[Path]:
    """Return the files of a log, the oldest first. Raises OSError."""
    return sorted(path for path in folder.iterdir() if path.suffix == SUFFIX) if folder.exists() else []


def read_lines(file: Path) -> Iterator[bytes]:
    """Yield the raw lines of a file, without their line breaks. A last line without a line break is left out."""
    with file.open("rb") as lines:
        for raw in lines:
            if raw.endswith(b"\n"):
                yield raw[:-1]


def last_head(files: list[Path]) -> Head:
    """Return the last line that can be read, as it claims to be. `facenet audit verify` checks whether it is true."""
    for file in reversed(files):
        head = None
        for raw in read_lines(file):
            with suppress(ValueError):
                head = Line.parse(raw).head
        if head is not None:
            return head
    return Head()


def set_torn_line_aside(file: Path) -> int:
    """Move what a crash left of a last line into a file of its own. Return how many bytes. Raises OSError."""
    with file.open("r+b") as lines:
        whole_bytes = _end_of_last_line(lines.fileno())
        torn = os.pread(lines.fileno(), os.fstat(lines.fileno()).st_size - whole_bytes, whole_bytes)
        if torn:
            write_file(file.with_suffix(TORN_SUFFIX), torn)
            lines.truncate(whole_bytes)
            os.fsync(lines.fileno())
    return len(torn)


def _end_of_last_line(descriptor: int) -> int:
    end = os.fstat(descriptor).st_size
    while end:
        start = max(0, end - BLOCK_BYTES)
        place = os.pread(descriptor, end - start, start).rfind(b"\n")
        if place >= 0:
            return start + place + 1
        end = start
    return 0


def write_file(file: Path, content: bytes) -> None:
    """Write a file that only its owner can read. Raises OSError."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target:
        target.write(content)
        target.flush()
        os.fsync(target.fileno())


class OpenFile:
    """The file that lines are added to. first: the number of its first line. Raises OSError."""

    def __init__(self, folder: Path, first: int) -> None:
        self._path = folder / f"{first:012d}{SUFFIX}"
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self.size_bytes = 0

    def append(self, lines: bytes) -> None:
        """Add whole lines, or nothing. Raises OSError, for example if the disk is full or the file was moved away."""
        opened, found = os.fstat(self._descriptor), self._path.stat()
        if (opened.st_dev, opened.st_ino) != (found.st_dev, found.st_ino):
            raise FileNotFoundError(errno.ENOENT, "it was moved or replaced")
        if opened.st_size != self.size_bytes:  # a part of earlier lines, which could not be written whole
            os.ftruncate(self._descriptor, self.size_bytes)
        if os.write(self._descriptor, lines) != len(lines):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.size_bytes += len(lines)

    def sync(self) -> None:
        """Make the lines durable. Raises OSError."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def discard(self) -> None:
        """Close and delete the file."""
        self.close()
        self._path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long lines are kept: at most `days`, and at most `total_bytes` of all files together.

    file_bytes: a file that has more gets no further line.
    """

    days: int
    total_bytes: int
    file_bytes: int = FILE_BYTES


def files_to_delete(files: list[Path], keeping: Keeping, now_s: float) -> list[Path]:
    """Return the oldest files that are no longer kept. The newest file stays. Raises OSError."""
    sizes = [file.stat().st_size for file in files]
    oldest_s = now_s - keeping.days * 86_400
    count = 0
    while count < len(files) - 1 and (
        sum(sizes[count:]) > keeping.total_bytes or files[count].stat().st_mtime < oldest_s
    ):
        count += 1
    return files[:count]

"""Save a collection of a running service in a file, and store such a file in another service.

The whole file is checked before anything of it is sent. An import that was interrupted is started again with the same
file: the service knows which part it has stored last. If the service refuses a part, it is told to delete what it has.
"""

import gzip
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from facenet_client.calls import Call, json_as, path_of
from facenet_client.operations.gallery import NDJSON
from facenet_client.schemas import ImportAnswer
from service.commands.connection import Connection
from service.commands.moving.downloads import new_download
from service.domain.command_errors import CollectionFileUnusable, FileNotWritten, RequestRefused
from service.gallery.backup.collection_file import MAX_LINE_BYTES, Contents, check_file, read_parts

COMPRESSION = 1
"""Of gzip. Embeddings are random numbers: a higher level takes several times as long, and saves 2 % of the bytes."""

REFUSED_FOR_EVER = frozenset({"faces_exist", "invalid_import"})
"""Problems of the file itself. To send it again would not help."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What a progress bar is told.

    expect: is called with the number of lines that will come. advance: is called with numbers of lines.
    """

    expect: Callable[[int], object]
    advance: Callable[[int], object]


class _CompressedLines:
    """Compresses an answer into a file, and counts its lines."""

    def __init__(self, target: BinaryIO, progress: Progress) -> None:
        self._target, self._progress = target, progress
        self._start = bytearray()
        self._is_known = False

    def writelines(self, parts: Iterable[bytes], /) -> None:
        """Write the answer."""
        with gzip.GzipFile("", "wb", COMPRESSION, self._target, mtime=0) as compressed:
            for part in parts:
                compressed.write(part)
                self._note_start(part)
                self._progress.advance(part.count(b"\n"))

    def _note_start(self, part: bytes) -> None:
        """Read in the first line how many lines will come."""
        if self._is_known:
            return
        self._start += part[:MAX_LINE_BYTES]
        first, newline, _ = self._start.partition(b"\n")
        if newline or len(self._start) > MAX_LINE_BYTES:
            self._is_known = True
            self._progress.expect(_announced_lines(bytes(first)))


def save_collection(service: Connection, collection: str, file: Path, progress: Progress) -> Contents:
    """Write a collection to a new file, readable by its owner only. Return what it holds.

    The file gets its name when it is complete and checked. Raises FileNotWritten, RequestRefused or Unreachable.
    """
    if file.exists():
        raise FileNotWritten(f"{file} exists already. Choose another name.")
    try:
        with new_download(file) as (target, part):
            service.collection(collection).export(_CompressedLines(target, progress))
            target.flush()
            return check_file(part, lambda _: None)
    except CollectionFileUnusable:
        raise FileNotWritten("The export came incomplete, so it was not kept. Start it again.") from None
    except OSError as error:
        raise FileNotWritten(f"The export cannot be written to {file}: {error.strerror}.") from None


def send_collection(service: Connection, collection: str, file: Path, progress: Progress) -> None:
    """Send a file that was checked.

    If the service has a part of the file already, only what follows is sent.
    Raises CollectionFileUnusable, RequestRefused or Unreachable.
    """
    parts = read_parts(file)
    first = next(parts)
    progress.advance(first.lines)
    answer = _send(service, collection, first.data)
    is_stored = answer.checksum != first.checksum
    for part in parts:
        progress.advance(part.lines)
        if is_stored:
            is_stored = answer.checksum != part.checksum
        else:
            answer = _send_next(service, collection, part.data)
    if not answer.finished:
        raise CollectionFileUnusable(file, "the service has parts of another file that begins in the same way")


def _send_next(service: Connection, collection: str, data: bytes) -> ImportAnswer:
    """Send a part. If it is refused for ever, delete the collection: it is not complete, and was empty before."""
    try:
        return _send(service, collection, data)
    except RequestRefused as error:
        if error.problem_code in REFUSED_FOR_EVER:
            service.collection(collection).delete()
        raise


def _send(service: Connection, collection: str, data: bytes) -> ImportAnswer:
    path, parts = path_of("collections", collection, "import"), {"content": data, "headers": NDJSON}
    return service.send(Call("POST", path, json_as(ImportAnswer), parts))


def _announced_lines(first: bytes) -> int:
    try:
        fields = json.loads(first)
        return int(fields["subjects"]) + int(fields["faces"])
    except (ValueError, KeyError, TypeError):
        return 0

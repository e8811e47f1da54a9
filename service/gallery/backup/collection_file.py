"""The file of one collection: lines of JSON (NDJSON), compressed with gzip. So `zcat FILE | jq` reads it.

The first line has the fields of the collection. A line for each subject and each face follows, a subject before its
faces. After each part of some hundred lines comes a line with a checksum. The last line has the counts and a checksum.

A checksum is the sha256 of the checksum before it (64 hexadecimal digits, or nothing for the first), followed by the
lines after that one. So it depends on all lines before it.
"""

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.domain.command_errors import CollectionFileUnusable
from service.gallery.records.statements.moving.values import checksum_of

FORMAT = "facenet collection"
VERSION = 1
GZIP_START = b"\x1f\x8b"
GZIP_WINDOW = 31
"""For zlib: the data has the header of gzip, and the largest window."""

START_BYTES = 4_096
PART_BYTES = 2**20
PART_LINES = 2_000
"""A part ends after the line that makes it as large as this."""
MAX_LINE_BYTES = 2**17
MAX_PART_BYTES = 2**25
"""A damaged file can have no line break, or no checksum. So both limits are checked while it is read."""

COLLECTION, SUBJECT, FACE, CHECKSUM, END = "collection", "subject", "face", "checksum", "end"
"""The types of lines."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Part:
    """Some lines of a file, and the line with their checksum.

    data: all bytes, with the last line.
    subjects, faces: how many there are among the lines.
    """

    data: bytes
    checksum: str
    subjects: int
    faces: int

    @property
    def lines(self) -> int:
        """How many lines are subjects and faces."""
        return self.subjects + self.faces


def to_line(fields: dict[str, Any]) -> bytes:
    """Return a line of JSON."""
    return _ENCODER.encode(fields).encode() + b"\n"


def is_collection_file(file: Path) -> bool:
    """Return whether the file begins as the file of a collection. It may be damaged all the same. Raises OSError."""
    with file.open("rb") as opened:
        start = opened.read(START_BYTES)
    if start.startswith(GZIP_START):
        with suppress(zlib.error):
            start = zlib.decompressobj(GZIP_WINDOW).decompress(start, START_BYTES)
    return json.dumps(FORMAT).encode() in start.partition(b"\n")[0]


@dataclass(frozen=True, slots=True)
class Contents:
    """What a checked file holds. collection: the id in its first line."""

    collection: str
    subjects: int
    faces: int


def announced(file: Path) -> int:
    """Return how many subjects and faces the first line says. Raises CollectionFileUnusable."""
    fields = _first_line(file)
    return sum(count for name in ("subjects", "faces") if isinstance(count := fields.get(name), int))


def check_file(file: Path, was_read: Callable[[int], object]) -> Contents:
    """Read the whole file, and return what it holds. was_read: is called with numbers of lines.

    Raises CollectionFileUnusable if it was cut, changed or put together from others.
    """
    collection, subjects, faces, last = _first_line(file).get("id"), 0, 0, b""
    for part in read_parts(file):
        subjects += part.subjects
        faces += part.faces
        was_read(part.lines)
        last = part.data
    end = json.loads(last.splitlines()[-1])
    if not isinstance(collection, str) or (end.get("subjects"), end.get("faces")) != (subjects, faces):
        raise CollectionFileUnusable(file, "it has other numbers of subjects and faces than its last line says")
    return Contents(collection, subjects, faces)


def read_parts(file: Path) -> Generator[Part, None, None]:
    """Read the parts of a file, each when its checksum was compared. Raises CollectionFileUnusable."""
    try:
        with file.open("rb") as raw:
            is_compressed = raw.read(len(GZIP_START)) == GZIP_START
            raw.seek(0)
            read_line = gzip.GzipFile(fileobj=raw).readline if is_compressed else raw.readline
            yield from _checked_parts(file, read_line)
    except (OSError, EOFError, zlib.error) as error:
        raise CollectionFileUnusable(file, str(error)) from None


def _first_line(file: Path) -> dict[str, Any]:
    with closing(read_parts(file)) as parts:
        fields: dict[str, Any] = json.loads(next(parts).data.partition(b"\n")[0])
        return fields


def _checked_parts(file: Path, read_line: Callable[[int], bytes]) -> Iterator[Part]:
    previous, data, counts, ended = "", bytearray(), Counter[str](), False
    while line := read_line(MAX_LINE_BYTES + 1):
        kind, fields = _read(file, line, is_first=not previous and not data)
        if ended or len(data) > MAX_PART_BYTES:
            raise CollectionFileUnusable(file, "lines follow after its end, or a checksum is missing")
        if kind in {CHECKSUM, END}:
            if fields.get("sha256") != checksum_of(previous, data):
                raise CollectionFileUnusable(file, "a checksum is wrong, so the lines before it were changed")
            previous, ended = fields["sha256"], kind == END
            yield Part(bytes(data + line), previous, counts[SUBJECT], counts[FACE])
            data, counts = bytearray(), Counter[str]()
        else:
            data += line
            counts[kind] += 1
    if not ended:
        raise CollectionFileUnusable(file, "its end is missing")


def _read(file: Path, line: bytes, *, is_first: bool) -> tuple[str, dict[str, Any]]:
    """Return the type of a line, and its fields. Raises CollectionFileUnusable."""
    try:
        fields = json.loads(line) if len(line) <= MAX_LINE_BYTES and line.endswith(b"\n") else None
    except (ValueError, RecursionError):
        fields = None
    kind = fields.get("type") if isinstance(fields, dict) else None
    if fields is None or kind not in {COLLECTION, SUBJECT, FACE, CHECKSUM, END} or is_first != (kind == COLLECTION):
        raise CollectionFileUnusable(file, "a line is not what facenet export writes")
    if is_first and (fields.get("format"), fields.get("version")) != (FORMAT, VERSION):
        raise CollectionFileUnusable(file, f"it is not of version {VERSION} of this format")
    return kind, fields

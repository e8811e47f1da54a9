"""Files of collections, whole and damaged, and all that a client can see of a collection."""

import gzip
import json
from pathlib import Path
from typing import Any

from service.gallery.records.statements.moving.values import checksum_of

Json = dict[str, Any]
TIME = "2026-01-02T03:04:05.000006+00:00"


def parts_of(lines: bytes) -> list[bytes]:
    """Return the parts of a file: each ends with a line of a checksum."""
    parts, part = [], b""
    for line in lines.splitlines(keepends=True):
        part += line
        if json.loads(line)["type"] in {"checksum", "end"}:
            parts.append(part)
            part = b""
    assert not part
    return parts


def with_checksums(parts: list[list[Json]]) -> list[bytes]:
    """Return parts with the right checksums. The last line of the last part gets its checksum too."""
    done, previous = [], ""
    for number, lines in enumerate(parts, 1):
        is_last = number == len(parts)
        inner = lines[:-1] if is_last else lines
        data = b"".join(json.dumps(line).encode() + b"\n" for line in inner)
        previous = checksum_of(previous, data)
        end = {**lines[-1], "sha256": previous} if is_last else {"type": "checksum", "sha256": previous}
        done.append(data + json.dumps(end).encode() + b"\n")
    return done


def lines_of(parts: list[bytes]) -> list[list[Json]]:
    """Return the lines of each part, without those of checksums. The last line of the file stays."""
    read = [[json.loads(line) for line in part.splitlines()] for part in parts]
    return [[line for line in part if line["type"] != "checksum"] for part in read]


def subject_line(subject: str, **fields: Any) -> Json:
    """Return the line of a subject."""
    return {"type": "subject", "id": subject, "name": None, "metadata": {}, "created_at": TIME, **fields}


def write_file(file: Path, lines: bytes) -> Path:
    """Write a compressed file."""
    file.write_bytes(gzip.compress(lines, 1))
    return file


def content_of(lines: bytes) -> list[Json]:
    """Return what an export says of a collection, without the time of the export and its checksums."""
    read = [json.loads(line) for line in lines.splitlines()]
    for line in read:
        for name in ("sha256", "exported_at"):
            line.pop(name, None)
    return [line for line in read if line["type"] != "checksum"]

"""Lines about a collection or a subject, and the line of a receipt. It only reads."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.access.audit.files import log_files, read_lines
from service.access.audit.line import RECEIPT_BYTES, Line
from service.access.audit.secret import AuditSecret

_RECEIPT = re.compile(rf"([0-9]{{1,15}})-([0-9a-f]{{{2 * RECEIPT_BYTES}}})")


@dataclass(frozen=True, slots=True)
class LineFilter:
    """Which lines are wanted. None: all. The pseudonyms are those of the ids.

    key: the id of an access key, which sent the request or was changed by it.
    """

    collection: str | None = None
    collection_pseudonym: str | None = None
    subject_pseudonym: str | None = None
    key: str | None = None

    @classmethod
    def of(
        cls, secret: AuditSecret, collection: str | None, subject: str | None, key: str | None = None
    ) -> "LineFilter":
        """Return the filter for a collection, or for a subject of it, and for a key."""
        if collection is None:
            return cls(key=key)
        subject_pseudonym = None if subject is None else secret.pseudonym(collection, subject)
        return cls(collection, secret.pseudonym(collection), subject_pseudonym, key)

    def admits(self, fields: dict[str, Any]) -> bool:
        """Return whether the line is wanted."""
        if self.key is not None and self.key not in {fields.get("key"), fields.get("changed_key")}:
            return False
        if self.subject_pseudonym is not None:
            return self.subject_pseudonym in fields.get("subjects", ())
        return self.collection is None or fields.get("collection") in {self.collection, self.collection_pseudonym}


def find_lines(folder: Path, wanted: LineFilter) -> Iterator[dict[str, Any]]:
    """Yield the fields of each wanted line, the oldest first. What is no line is left out. Raises OSError."""
    part = (wanted.subject_pseudonym or "").encode()
    for file in log_files(folder):
        if part not in file.read_bytes():  # a hundred times as fast as to read the JSON of each line
            continue
        for raw in read_lines(file):
            if part not in raw:
                continue
            try:
                fields = Line.parse(raw).fields
            except ValueError:
                continue
            if wanted.admits(fields):
                yield fields


def is_receipt(text: str) -> bool:
    """Return whether a text has the form of a receipt. Whether it is genuine, only the log knows."""
    return _RECEIPT.fullmatch(text.strip()) is not None


def find_receipt(folder: Path, secret: AuditSecret, receipt: str) -> dict[str, Any] | None:
    """Return the fields of the deletion that a receipt is for. None if it is not genuine. Raises OSError."""
    found = _RECEIPT.fullmatch(receipt.strip())
    if found is None:
        return None
    previous = b""
    files = [file for file in log_files(folder) if file.stem.isdecimal()]  # `facenet audit verify` names the others
    for file in reversed(files):
        if int(file.stem) > int(found[1]):
            continue
        for raw in read_lines(file):
            try:
                line = Line.parse(raw)
            except ValueError:  # a damaged line
                previous = b""
                continue
            if line.head.sequence == int(found[1]):
                is_genuine = line.head.receipt == found[0] and line.is_linked(secret, previous)
                return line.fields if is_genuine and line.fields.get("method") == "DELETE" else None
            previous = line.head.hash
        return None
    return None

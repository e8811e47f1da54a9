"""One line of the audit log: a JSON object that ends with the hash of the line before it and of itself."""

import json
import re
from dataclasses import dataclass
from typing import Any

from service.access.audit.secret import AuditSecret

RECEIPT_BYTES = 16
NO_LINE = bytes(32)
"""The hash before the first line."""
_LINE = re.compile(rb'(\{"seq":([0-9]{1,15}),[^\n]*),"hash":"([0-9a-f]{64})"\}')


@dataclass(frozen=True, slots=True)
class Head:
    """The last line of a log, or of a part of it. hash: 32 bytes."""

    sequence: int = 0
    hash: bytes = NO_LINE

    def __str__(self) -> str:
        return f"{self.sequence}-{self.hash.hex()}"

    @property
    def receipt(self) -> str:
        """What a client gets for a deletion: the number of the line, and the first half of its hash."""
        return f"{self.sequence}-{self.hash[:RECEIPT_BYTES].hex()}"


@dataclass(frozen=True, slots=True)
class Line:
    """A line that was read. It is not trusted before `is_linked` was asked.

    content: the JSON object without its hash.
    """

    head: Head
    content: bytes

    @classmethod
    def parse(cls, raw: bytes) -> "Line":
        """Read a line without its line break. Raises ValueError if it is none."""
        found = _LINE.fullmatch(raw)
        if found is None:
            raise ValueError("not a line of the audit log")
        return cls(Head(int(found[2]), bytes.fromhex(found[3].decode())), found[1] + b"}")

    @property
    def fields(self) -> dict[str, Any]:
        """The fields, without the hash. Raises ValueError if the line is no JSON."""
        fields: dict[str, Any] = json.loads(self.content)
        return fields

    def is_linked(self, secret: AuditSecret, previous: bytes) -> bool:
        """Return whether the hash is that of the line before it and of this line."""
        return secret.link(previous, self.content) == self.head.hash


def make_line(fields: dict[str, Any], secret: AuditSecret, previous: Head) -> tuple[bytes, Head]:
    """Return the line of an entry with its line break, and the new head."""
    sequence = previous.sequence + 1
    content = json.dumps({"seq": sequence, **fields}, separators=(",", ":"), allow_nan=False).encode()
    digest = secret.link(previous.hash, content)
    return content[:-1] + b',"hash":"' + digest.hex().encode() + b'"}\n', Head(sequence, digest)

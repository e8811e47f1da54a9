"""The boxes of which AVIF and HEIC files are made (ISO/IEC 14496-12, section 4.2)."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from service.pipeline.decoding.containers.outline import cut_off, too_complex

MAX_BOXES = 2_000
"""Boxes beside each other. An iPhone's photograph of 48 megapixels has about 200 references and 30 properties."""


class Box(NamedTuple):
    """A box of the file. start: where its length is. body, end: where its content starts and ends."""

    kind: bytes
    start: int
    body: int
    end: int


def read_boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    """Yield the boxes from `start` to `end`. Raises UnreadableImage, ImageTooComplex."""
    for _ in range(MAX_BOXES):
        if end - start < 8:
            return
        size, body = int.from_bytes(data[start : start + 4]), start + 8
        if size == 1:
            size, body = int.from_bytes(data[start + 8 : start + 16]), start + 16
        stop = start + size if size else end
        if stop < body or stop > end:
            raise cut_off()
        yield Box(data[start + 4 : start + 8], start, body, stop)
        start = stop
    raise too_complex(f"The file has more than {MAX_BOXES} boxes")


def only_boxes(data: bytes, start: int, end: int, unique: frozenset[bytes]) -> dict[bytes, Box]:
    """Return the boxes of these kinds. Raises UnreadableImage if one occurs twice: a decoder may use either."""
    found: dict[bytes, Box] = {}
    for box in read_boxes(data, start, end):
        if box.kind in unique and found.setdefault(box.kind, box) is not box:
            raise cut_off()
    return found


class Fields:
    """Reads the numbers of a box, one after the other. Raises UnreadableImage at its end."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self._data = data
        self._end = end
        self.position = start

    def number(self, size_bytes: int) -> int:
        """Return the next number."""
        start = self.position
        self.position += size_bytes
        if self.position > self._end:
            raise cut_off()
        return int.from_bytes(self._data[start : self.position])

    def numbers(self, size_bytes: int, count: int) -> tuple[int, ...]:
        """Return the next numbers, each of 2 or 4 bytes."""
        start = self.position
        self.position += size_bytes * count
        if self.position > self._end:
            raise cut_off()
        return struct.unpack_from(f">{count}{'H' if size_bytes == 2 else 'I'}", self._data, start)

    def version(self) -> int:
        """Return the version of a full box, and skip its flags."""
        return self.number(4) >> 24

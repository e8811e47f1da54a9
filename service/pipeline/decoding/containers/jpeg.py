"""The structure of a JPEG file: segments, then scans (ISO/IEC 10918-1, annex B)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from service.pipeline.decoding.containers.outline import Outline, check_size, cut_off, too_complex

JPEG_START = b"\xff\xd8\xff"
EXIF_START = b"Exif\0\0"

MAX_SEGMENTS = 1_000
"""Segments before the first scan. A phone that stores a depth map in 64 kB segments of XMP writes about a hundred."""

MAX_TABLE_BYTES = 65_536
"""All tables before the first scan. Four tables of each kind take less than 4 kB."""

MAX_GAP_BYTES = 1_024
"""Bytes between two segments. Decoders skip them, and some files have a few."""

MAX_SCANS = 100
"""A progressive JPEG has about ten scans."""

SCANS_OF_THE_LARGEST = 10
"""So many scans may have a picture with as many pixels as the limit. A smaller one may have more, in proportion.

Each scan can cover all pixels, even if it has no data.
"""

MARKER = re.compile(rb"\xff+[\x01-\xfe]")
SCAN, END = 0xDA, 0xD9
TABLES = {0xDB, 0xC4, 0xDD}
"""Quantisation, Huffman codes, and the restart interval."""

FRAMES = {0xC0, 0xC1, 0xC2}
"""The frames of a baseline, an extended and a progressive JPEG."""

PROGRESSIVE = 0xC2

OTHER_FRAMES = {0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)}
"""Lossless, hierarchical and arithmetic-coded frames. No camera writes them."""

APP_OF_COLOURS = {0xE0: b"JFIF", 0xEE: b"Adobe"}
"""Segments that say how the colours are stored, by marker, and their start."""

WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}

SCAN_HEADERS = {bytes([0, 6 + 2 * components, components]) for components in range(1, 5)}
"""The length of the header of a scan, and its number of components."""

MAX_CANDIDATES = 10_000
"""Markers of scans, also those that occur by chance. In 32 MiB of a video these are about 500."""

SCAN_CHUNK_BYTES = 2**20


@dataclass(slots=True)
class _Picture:
    """What was found before the first scan."""

    max_pixels: int
    width: int = 0
    height: int = 0
    parts: list[bytes] = field(default_factory=lambda: [JPEG_START[:2]])
    table_bytes: int = 0
    exif: bytes = b""
    components: int = 0
    is_progressive: bool = False

    def add(self, marker: int, segment: bytes) -> None:
        """Keep what the decoder needs of a segment."""
        body = segment[4:]
        if marker in OTHER_FRAMES:
            raise too_complex("The JPEG is lossless, hierarchical or arithmetic-coded, which no camera writes")
        if marker in TABLES:
            self.table_bytes += len(segment)
            if self.table_bytes > MAX_TABLE_BYTES:
                raise too_complex(f"The JPEG has more than {MAX_TABLE_BYTES} bytes of tables")
        elif marker in FRAMES:
            self._set_frame(marker, body)
        elif marker == 0xE1 and body.startswith(EXIF_START) and not self.exif:
            self.exif = body
            return
        elif not (marker in APP_OF_COLOURS and body.startswith(APP_OF_COLOURS[marker])):
            return
        self.parts.append(segment)

    def _set_frame(self, marker: int, body: bytes) -> None:
        if self.width:
            raise cut_off()
        self.is_progressive, self.components = marker == PROGRESSIVE, int.from_bytes(body[5:6])
        self.height, self.width = int.from_bytes(body[1:3]), int.from_bytes(body[3:5])
        check_size(self.width, self.height, self.max_pixels)


def outline_jpeg(data: bytes, max_pixels: int) -> Outline:
    """Keep the tables, the frame and the scans. Raises ImageTooLarge, ImageTooComplex, UnreadableImage."""
    picture = _Picture(max_pixels)
    for marker, start, end in _segments(data):
        if marker == SCAN:
            if not picture.width or not picture.height:
                raise cut_off()
            _check_scans(data, start, picture)
            # With several scans, libjpeg keeps all coefficients, at any scale. A second decoding would double the time.
            has_one_scan = (
                not picture.is_progressive and int.from_bytes(data[start + 4 : start + 5]) == picture.components
            )
            parts = (*picture.parts, data[start:])
            return Outline(picture.width, picture.height, parts, picture.exif, is_reducible=has_one_scan)
        picture.add(marker, data[start:end])
    raise cut_off()


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the marker, the start and the end of each segment, the first scan as the last one."""
    position = 2
    for _ in range(MAX_SEGMENTS):
        found = MARKER.match(data, position) or MARKER.search(data, position, position + MAX_GAP_BYTES)
        if found is None:
            return
        position = found.end()
        marker = data[position - 1]
        if marker == END:
            return
        if marker not in WITHOUT_LENGTH:
            start = position - 2
            position += max(2, int.from_bytes(data[position : position + 2]))
            yield marker, start, position
            if marker == SCAN:
                return
    raise too_complex(f"The JPEG has more than {MAX_SEGMENTS} segments before its pixels")


def _check_scans(data: bytes, start: int, picture: _Picture) -> None:
    allowed = min(MAX_SCANS, SCANS_OF_THE_LARGEST * picture.max_pixels // (picture.width * picture.height))
    for scans, _ in enumerate(_scans(data, start), 1):
        if scans > allowed:
            raise too_complex(f"The JPEG has more than {allowed} scans, the limit for its size")


def _scans(data: bytes, start: int) -> Iterator[int]:
    """Yield where each scan starts.

    A scan starts with its marker, its length and its number of components (ISO/IEC 10918-1, B.2.3). libjpeg accepts no
    other length. The marker alone is not enough: it also occurs by chance, for example in the video that a phone
    appends to a photograph.
    """
    numbers = np.frombuffer(data, np.uint8)
    candidates = 0
    for chunk_start in range(start, len(data), SCAN_CHUNK_BYTES):
        chunk = numbers[chunk_start : chunk_start + SCAN_CHUNK_BYTES + 1]
        found = np.flatnonzero((chunk[:-1] == 0xFF) & (chunk[1:] == SCAN))
        candidates += len(found)
        if candidates > MAX_CANDIDATES:
            raise too_complex(f"The JPEG has more than {MAX_CANDIDATES} markers of scans")
        for position in found.tolist():
            if data[position + chunk_start + 2 : position + chunk_start + 5] in SCAN_HEADERS:
                yield position + chunk_start

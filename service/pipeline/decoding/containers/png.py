"""The structure of a PNG file: chunks (ISO/IEC 15948, section 5)."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from service.pipeline.decoding.containers.outline import Outline, check_size, cut_off, too_complex

PNG_START = b"\x89PNG\r\n\x1a\n"
MAX_CHUNKS = 1_000
BYTES_PER_CHUNK = 4_096
"""A file may have MAX_CHUNKS, and one more for each of so many bytes. The usual chunk of pixels has 8 kB or more."""

HEADER_BYTES = 13
MAX_COLOURS_BYTES = 768
"""A palette of 256 colours."""


@dataclass(slots=True)
class _Picture:
    """What the decoder gets. Texts, colour profiles and further frames are left out.

    kept: whole chunks, by their kind, in the order of the file.
    """

    width: int = 0
    height: int = 0
    kept: dict[bytes, bytes] = field(default_factory=dict)
    pixels: list[bytes] = field(default_factory=list)
    exif: bytes = b""
    frames: int = 1
    first_frame_is_apart: bool = False

    def outline(self) -> Outline:
        """Return the picture as a file of few chunks, however many the pixels had."""
        if not self.width or not self.pixels:
            raise cut_off()
        pixels = b"".join(self.pixels)
        parts = (PNG_START, *self.kept.values(), *_chunk(b"IDAT", pixels), *_chunk(b"IEND", b""))
        has_more = self.frames > 1 or self.first_frame_is_apart
        return Outline(self.width, self.height, parts, self.exif, has_more)


def outline_png(data: bytes, max_pixels: int) -> Outline:
    """Keep the header, the colours and the pixels. Raises ImageTooLarge, ImageTooComplex, UnreadableImage."""
    picture = _Picture()
    last_kind = b""
    for kind, start, end in _chunks(data):
        if kind == b"IDAT" and (last_kind == b"IDAT" or not picture.pixels):
            picture.pixels.append(data[start + 8 : end - 4])
        elif not picture.pixels:
            _read_header(picture, kind, data[start:end], max_pixels)
        if kind == b"eXIf":
            picture.exif = data[start + 8 : end - 4]
        last_kind = kind
    return picture.outline()


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind of each chunk, its start, and the end of its checksum, until IEND or the end of the data."""
    position = len(PNG_START)
    allowed = MAX_CHUNKS + len(data) // BYTES_PER_CHUNK
    for _ in range(allowed):
        kind = data[position + 4 : position + 8]
        if len(kind) < 4 or kind == b"IEND":
            return
        end = position + 12 + int.from_bytes(data[position : position + 4])
        yield kind, position, end
        position = end
    raise too_complex(f"The PNG has more than {allowed} chunks, the limit for its size")


def _read_header(picture: _Picture, kind: bytes, chunk: bytes, max_pixels: int) -> None:
    """Keep what the decoder needs of a chunk before the pixels."""
    body = chunk[8:-4]
    match kind:
        case b"IHDR":
            if len(body) != HEADER_BYTES:
                raise cut_off()
            picture.width, picture.height = int.from_bytes(body[:4]), int.from_bytes(body[4:8])
            check_size(picture.width, picture.height, max_pixels)
            picture.kept[kind] = chunk
        case b"PLTE" | b"tRNS":
            if len(body) > MAX_COLOURS_BYTES:
                raise cut_off()
            picture.kept[kind] = chunk
        case b"acTL":
            # An animation. Its first frame is in the usual place if its control chunk comes before (APNG 1.0).
            picture.frames, picture.first_frame_is_apart = int.from_bytes(body[:4]), True
        case b"fcTL":
            picture.first_frame_is_apart = False


def _chunk(kind: bytes, body: bytes) -> tuple[bytes, ...]:
    return len(body).to_bytes(4), kind, body, zlib.crc32(body, zlib.crc32(kind)).to_bytes(4)

"""The structure of a WebP file: chunks (RFC 9649, section 2)."""

from collections.abc import Iterator
from dataclasses import dataclass

from service.pipeline.decoding.containers.outline import Outline, check_size, cut_off, too_complex

MAX_CHUNKS = 1_000
BYTES_PER_CHUNK = 1_024
"""A file may have MAX_CHUNKS, and one more for each of so many bytes. A photograph has at most six."""

FIRST_CHUNK = 12
FRAME_HEADER_BYTES = 16
ALPHA_FLAG = 0x10
LOSSY_START = b"\x9d\x01\x2a"
LOSSLESS_START = b"\x2f"

Size = tuple[int, int]
"""Width and height in pixels."""


@dataclass(slots=True)
class _Picture:
    """The first picture: its chunks, its place on the canvas, and facts."""

    max_pixels: int
    canvas: Size | None = None
    corner: tuple[int, int] = (0, 0)
    alpha: bytes = b""
    pixels: bytes = b""
    frames: int = 0
    exif: bytes = b""

    def add(self, kind: bytes, chunk: bytes) -> None:
        """Read a chunk of the file. chunk: with its kind and its length."""
        body = chunk[8:]
        match kind:
            case b"VP8X":
                self.canvas = _size(body, 4)
                check_size(*self.canvas, self.max_pixels)
            case b"ANMF":
                self.frames += 1
                if self.frames == 1:
                    self.corner = 2 * int.from_bytes(body[:3], "little"), 2 * int.from_bytes(body[3:6], "little")
                    for inner_kind, start, end in _chunks(body, FRAME_HEADER_BYTES):
                        self.add_pixels(inner_kind, body[start:end])
            case b"EXIF":
                self.exif = body
            case _ if not self.frames:
                self.add_pixels(kind, chunk)

    def add_pixels(self, kind: bytes, chunk: bytes) -> None:
        """Keep the first chunk of pixels, and that of their transparency before it."""
        if kind in {b"VP8 ", b"VP8L"} and not self.pixels:
            self.pixels = chunk
        elif kind == b"ALPH" and not self.pixels:
            self.alpha = chunk

    def outline(self) -> Outline:
        """Return the picture as a file without anything else."""
        size = _coded_size(self.pixels)
        check_size(*size, self.max_pixels)
        width, height = canvas = self.canvas or size
        if self.corner[0] + size[0] > width or self.corner[1] + size[1] > height:
            raise cut_off()
        if self.frames == 0 and size != canvas:
            raise cut_off()
        return Outline(width, height, (self._file(size),), self.exif, self.frames > 1, self.corner)

    def _file(self, size: Size) -> bytes:
        chunks = [b"WEBP", _padded(self.pixels)]
        if self.alpha and self.pixels.startswith(b"VP8 "):
            header = bytes([ALPHA_FLAG, 0, 0, 0]) + b"".join((side - 1).to_bytes(3, "little") for side in size)
            chunks[1:1] = [b"VP8X", len(header).to_bytes(4, "little"), header, _padded(self.alpha)]
        content = b"".join(chunks)
        return b"RIFF" + len(content).to_bytes(4, "little") + content


def outline_webp(data: bytes, max_pixels: int) -> Outline:
    """Keep the pixels of the first picture. Raises ImageTooLarge, ImageTooComplex, UnreadableImage."""
    picture = _Picture(max_pixels)
    for kind, start, end in _chunks(data, FIRST_CHUNK):
        if end > len(data):
            break
        picture.add(kind, data[start:end])
    return picture.outline()


def _chunks(data: bytes, position: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind, the start and the end of each chunk."""
    allowed = MAX_CHUNKS + len(data) // BYTES_PER_CHUNK
    for _ in range(allowed):
        kind = data[position : position + 4]
        if len(kind) < 4:
            return
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        yield kind, position, position + 8 + size
        position += 8 + size + size % 2
    raise too_complex(f"The WebP has more than {allowed} chunks, the limit for its size")


def _size(body: bytes, position: int) -> Size:
    return 1 + int.from_bytes(body[position : position + 3], "little"), 1 + int.from_bytes(
        body[position + 3 : position + 6], "little"
    )


def _coded_size(chunk: bytes) -> Size:
    """Return the size in the header of the pixels: RFC 6386, section 9.1, or RFC 9649, section 3.4."""
    body = chunk[8:18]
    if chunk.startswith(b"VP8 ") and body[3:6] == LOSSY_START:
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    if chunk.startswith(b"VP8L") and body.startswith(LOSSLESS_START):
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    raise cut_off()


def _padded(chunk: bytes) -> bytes:
    return chunk + bytes(len(chunk) % 2)


def has_transparency(file: bytes) -> bool:
    """Return whether the picture of an outline has transparent pixels."""
    return file[12:16] == b"VP8X" or (file[12:16] == b"VP8L" and bool(file[24] & 0x10))

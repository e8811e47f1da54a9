"""The structure of a GIF file: blocks, which are made of sub-blocks of at most 255 bytes (GIF89a, section 15)."""

from dataclasses import dataclass, field

from service.pipeline.decoding.containers.outline import Outline, check_size, cut_off, too_complex

MAX_BLOCKS = 1_000
"""Comments and other extensions before the first picture. A photograph has at most a few."""

MAX_SUB_BLOCKS = 2_000
BYTES_PER_SUB_BLOCK = 128
"""A file may have MAX_SUB_BLOCKS, and one more for each of so many bytes. The usual sub-block has 255 bytes."""

IMAGE, EXTENSION, GRAPHIC_CONTROL, TRAILER = b",", b"!", b"!\xf9", b";"
HEADER_BYTES = 13


@dataclass(slots=True)
class _Reader:
    """Reads blocks, one after the other. It counts all sub-blocks of the file."""

    data: bytes
    position: int = HEADER_BYTES
    sub_blocks: int = field(default=0, init=False)

    def skip_colours(self, flags: int) -> None:
        if flags & 0x80:
            self.position += 3 << (flags & 7) + 1

    def skip_sub_blocks(self) -> bool:
        """Go to the end of a block. Return whether it is in the data."""
        data, position, end = self.data, self.position, len(self.data)
        allowed = MAX_SUB_BLOCKS + end // BYTES_PER_SUB_BLOCK
        for _ in range(allowed - self.sub_blocks):
            if position >= end:
                return False
            size = data[position]
            position += size + 1
            self.sub_blocks += 1
            if not size:
                self.position = position
                return True
        raise too_complex(f"The GIF has more than {allowed} blocks, the limit for its size")


def outline_gif(data: bytes, max_pixels: int) -> Outline:
    """Keep the first picture and its transparency. Raises ImageTooLarge, ImageTooComplex, UnreadableImage."""
    if len(data) < HEADER_BYTES:
        raise cut_off()
    width, height = _number(data, 6), _number(data, 8)
    check_size(width, height, max_pixels)
    reader = _Reader(data)
    reader.skip_colours(data[10])
    parts = [data[: reader.position]]
    for _ in range(MAX_BLOCKS):
        start = reader.position
        kind = data[start : start + 2]
        if kind[:1] == EXTENSION:
            reader.position += 2
            if not reader.skip_sub_blocks():
                raise cut_off()
            if kind == GRAPHIC_CONTROL:
                parts.append(data[start : reader.position])
        elif kind[:1] == IMAGE:
            return _with_picture(reader, parts, (width, height), max_pixels)
        elif kind[:1] in {b"", TRAILER}:
            raise cut_off()
        else:
            reader.position += 1  # some files have stray bytes between blocks
    raise too_complex(f"The GIF has more than {MAX_BLOCKS} blocks before its picture")


def _with_picture(reader: _Reader, parts: list[bytes], canvas: tuple[int, int], max_pixels: int) -> Outline:
    """Add the picture at the reader's position. It may be larger than the canvas, which then grows."""
    data, start = reader.data, reader.position
    if len(data) < start + 10:
        raise cut_off()
    width = max(canvas[0], _number(data, start + 1) + _number(data, start + 5))
    height = max(canvas[1], _number(data, start + 3) + _number(data, start + 7))
    check_size(width, height, max_pixels)
    reader.position += 10
    reader.skip_colours(data[start + 9])
    reader.position += 1
    is_whole = reader.skip_sub_blocks()
    end = reader.position if is_whole else len(data)
    has_more = is_whole and _has_picture(reader)
    return Outline(width, height, (*parts, data[start:end], b";"), has_more_pictures=has_more)


def _has_picture(reader: _Reader) -> bool:
    """Return whether another picture follows."""
    for _ in range(MAX_BLOCKS):
        kind = reader.data[reader.position : reader.position + 1]
        if kind in {b"", TRAILER, IMAGE}:
            return kind == IMAGE
        reader.position += 2 if kind == EXTENSION else 1
        if kind == EXTENSION and not reader.skip_sub_blocks():
            return False
    return False


def _number(data: bytes, position: int) -> int:
    return int.from_bytes(data[position : position + 2], "little")

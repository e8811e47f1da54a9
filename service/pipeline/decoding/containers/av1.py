"""The size that AV1 data has, whatever the file around it says (AV1 Bitstream Specification, section 5)."""

from collections.abc import Iterator

from service.pipeline.decoding.containers.bits import Bits
from service.pipeline.decoding.containers.outline import cut_off, too_complex

MAX_UNITS = 1_000
"""Units in the data of one picture. A still picture has two or three; each of its tiles may add one."""

SEQUENCE_HEADER, FRAME_HEADER, FRAME = 1, 3, 6
HEADER_BYTES = 256
"""More than any sequence header has."""


def count_av1_pixels(data: bytes) -> int:
    """Return how many pixels a decoder will decode: those of all frames, shown or not. Raises PhotographError."""
    frame_pixels = frames = 0
    for kind, body in _units(data):
        if kind == SEQUENCE_HEADER:
            frame_pixels = max(frame_pixels, _frame_pixels(Bits(body[:HEADER_BYTES])))
        frames += kind in {FRAME_HEADER, FRAME}
    return frame_pixels * max(1, frames)


def _units(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the kind and the content of each unit (OBU, section 5.3)."""
    position = 0
    for _ in range(MAX_UNITS):
        if position >= len(data):
            return
        header = data[position]
        position += 2 if header & 4 else 1
        size = len(data) - position
        if header & 2:
            size, position = _read_size(data, position)
        yield header >> 3 & 15, data[position : position + size]
        position += size
    raise too_complex(f"The AVIF has a picture of more than {MAX_UNITS} units")


def _read_size(data: bytes, position: int) -> tuple[int, int]:
    """Read a number of 7 bits a byte (leb128, section 4.10.5). Return it, and the position after it."""
    size = 0
    for number, byte in enumerate(data[position : position + 8]):
        size |= (byte & 127) << 7 * number
        if byte < 128:
            return size, position + number + 1
    raise cut_off()


def _frame_pixels(bits: Bits) -> int:
    """Read a sequence header up to the size of the largest frame (section 5.5)."""
    bits.read(4)  # profile, still picture
    is_reduced = bits.read(1)
    if is_reduced:
        bits.read(5)
    else:
        _skip_operating_points(bits)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    return _side(bits, width_bits, is_reduced) * _side(bits, height_bits, is_reduced)


def _side(bits: Bits, count: int, is_reduced: int) -> int:
    """Read a side. Without a reduced header, a frame may have any side of as many bits."""
    side_minus_1 = bits.read(count)
    if not is_reduced and count > max(1, side_minus_1.bit_length()):
        return 1 << count
    return side_minus_1 + 1


def _skip_operating_points(bits: Bits) -> None:
    """Skip what stands before the size: timing and operating points (sections 5.5.1 to 5.5.5)."""
    delay_bits = 0
    if bits.read(1):  # timing
        bits.read(64)
        if bits.read(1):
            bits.read_leading_zeros_code()
        if bits.read(1):  # decoder model
            delay_bits = bits.read(5) + 1
            bits.read(42)
    has_display_delay = bits.read(1)
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:
            bits.read(1)
        if delay_bits and bits.read(1):
            bits.read(2 * delay_bits + 1)
        if has_display_delay and bits.read(1):
            bits.read(4)

"""The size that HEVC data has, whatever the file around it says (ITU-T H.265, section 7.3)."""

from collections.abc import Iterator

from service.pipeline.decoding.containers.bits import Bits
from service.pipeline.decoding.containers.outline import cut_off, too_complex

MAX_UNITS = 10_000
"""Units in the data of one picture. A picture of 50 megapixels in one slice for each row of blocks has about 400."""

SEQUENCE_PARAMETERS = 33
FIRST_UNIT_THAT_IS_NO_SLICE = 32
MAX_PARAMETER_BYTES = 1_024
ARRAYS_AT = 22
"""Where the parameter sets start in the configuration (ISO/IEC 14496-15, 8.3.2.1)."""


def largest_hevc_frame(configuration: bytes) -> int:
    """Return the pixels of the largest frame that a configuration (`hvcC`) allows. Raises PhotographError."""
    position = ARRAYS_AT + 1
    largest = 0
    for _ in range(configuration[ARRAYS_AT] if len(configuration) > ARRAYS_AT else 0):
        kind = configuration[position] & 63 if position < len(configuration) else 0
        count, position = int.from_bytes(configuration[position + 1 : position + 3]), position + 3
        for unit in _sized_units(configuration, position, size_bytes=2, count=count):
            position += 2 + len(unit)
            if kind == SEQUENCE_PARAMETERS:
                largest = max(largest, _frame_pixels(unit))
    return largest


def count_hevc_pixels(data: bytes, configuration: bytes) -> int:
    """Return how many pixels a decoder will decode: those of all frames in the data. Raises PhotographError.

    configuration: that of the data (`hvcC`). The data may have parameters of its own too.
    """
    size_bytes = (configuration[ARRAYS_AT - 1] & 3) + 1 if len(configuration) >= ARRAYS_AT else 4
    frame_pixels, frames = largest_hevc_frame(configuration), 0
    for unit in _sized_units(data, 0, size_bytes, MAX_UNITS + 1):
        kind = unit[0] >> 1 & 63 if unit else FIRST_UNIT_THAT_IS_NO_SLICE
        if kind == SEQUENCE_PARAMETERS:
            frame_pixels = max(frame_pixels, _frame_pixels(unit))
        frames += kind < FIRST_UNIT_THAT_IS_NO_SLICE and unit[2:3] >= b"\x80"  # the first slice of a frame
    return frame_pixels * max(1, frames)


def _sized_units(data: bytes, position: int, size_bytes: int, count: int) -> Iterator[bytes]:
    """Yield units that each follow their size."""
    for number in range(count):
        if position + size_bytes > len(data):
            return
        if number == MAX_UNITS:
            raise too_complex(f"The HEIC has a picture of more than {MAX_UNITS} units")
        size = int.from_bytes(data[position : position + size_bytes])
        position += size_bytes
        yield data[position : position + size]
        position += size


def _frame_pixels(unit: bytes) -> int:
    """Read sequence parameters up to the size (sections 7.3.2.2 and 7.3.3)."""
    bits = Bits(unit[2:MAX_PARAMETER_BYTES].replace(b"\0\0\x03", b"\0\0"))
    bits.read(4)
    layers = bits.read(3)
    bits.read(1)
    _skip_profile(bits, layers)
    bits.read_leading_zeros_code()  # the number of these parameters
    if bits.read_leading_zeros_code() == 3:  # 4:4:4
        bits.read(1)
    width, height = bits.read_leading_zeros_code(), bits.read_leading_zeros_code()
    if not width or not height:
        raise cut_off()
    return width * height


def _skip_profile(bits: Bits, layers: int) -> None:
    bits.read(96)
    present = [(bits.read(1), bits.read(1)) for _ in range(layers)]
    if layers:
        bits.read(2 * (8 - layers))
    for has_profile, has_level in present:
        bits.read(88 * has_profile + 8 * has_level)

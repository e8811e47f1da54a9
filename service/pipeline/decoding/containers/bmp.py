"""The structure of a BMP file: a header, a table of colours, and the pixels."""

import struct

from service.pipeline.decoding.containers.outline import Outline, check_size, cut_off, too_complex

OLD_HEADER_BYTES = 12
RUN_LENGTH_CODED = {1, 2}
MAX_COLOURS = 256


def outline_bmp(data: bytes, max_pixels: int) -> Outline:
    """Check the size, and that the file holds all its pixels.

    Raises ImageTooLarge, ImageTooComplex, UnreadableImage.
    """
    try:
        pixels_at, header_bytes = struct.unpack_from("<II", data, 10)
        if header_bytes == OLD_HEADER_BYTES:
            width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
            coding = colours = 0
        else:
            width, height, _, bits, coding, _, _, _, colours = struct.unpack_from("<IiHHIIiiI", data, 18)
    except struct.error:
        raise cut_off() from None
    check_size(width, abs(height), max_pixels)
    if coding in RUN_LENGTH_CODED:
        raise too_complex("The BMP is run-length coded, which takes too long to read")
    if colours > MAX_COLOURS and bits <= 8:
        raise cut_off()
    row_bytes = (width * bits + 31) // 32 * 4
    last_row_bytes = (width * bits + 7) // 8
    if pixels_at + row_bytes * (abs(height) - 1) + last_row_bytes > len(data):
        raise cut_off()
    return Outline(width, abs(height), (data,))

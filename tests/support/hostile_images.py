"""Image files that are small, and would take a decoder long or much memory. Each is made from its format."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pillow_heif
from PIL import Image

pillow_heif.register_heif_opener()  # to write HEIC files

SIDE_PX = 7_071
"""A square of this side has nearly 50 megapixels, which is below the default limit."""

EXIF_ENTRIES = 65_535


def picture(width: int = 64, height: int = 64) -> Image.Image:
    """Return a smooth picture without a face."""
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([255 * x // width, 255 * y // height, 255 * (x + y) // (width + height)], 2)
    return Image.fromarray(pixels.astype(np.uint8))


def saved(kind: str, **options: object) -> bytes:
    """Return a small, valid file."""
    file = io.BytesIO()
    picture().save(file, kind, **options)
    return file.getvalue()


# JPEG


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def jpeg_with(segments: bytes) -> bytes:
    """Return a JPEG with these segments after its first one."""
    data = saved("JPEG")
    return data[:20] + segments + data[20:]


def jpeg_frame(marker: int, side_px: int) -> bytes:
    return segment(marker, struct.pack(">BHHB", 8, side_px, side_px, 3) + bytes([1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]))


def jpeg_of_scans(marker: int, side_px: int, scans: int) -> bytes:
    """Return a JPEG whose scans all refine the same coefficients. marker: that of its frame."""
    data = saved("JPEG", progressive=True, subsampling=0)
    frame = data.index(b"\xff\xc2")
    tables = data[:frame] + jpeg_frame(marker, side_px) + data[frame + 19 : data.index(b"\xff\xda")]
    scan = segment(0xDA, bytes([3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 0, 0x10]))
    return tables + scan * scans + b"\xff\xd9"


# PNG


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_with(chunks: bytes) -> bytes:
    """Return a PNG with these chunks after its header."""
    data = saved("PNG")
    return data[:33] + chunks + data[33:]


def png_of_zeros(width: int, height: int) -> bytes:
    """Return a transparent PNG. The file is about a thousand times smaller than its pixels."""
    deflate = zlib.compressobj(9)
    row = bytes(1 + 4 * width)
    at_once = max(1, 2**20 // len(row))
    packed = b"".join(deflate.compress(row * min(at_once, height - done)) for done in range(0, height, at_once))
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    pixels = chunk(b"IDAT", packed + deflate.flush())
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def png_in_tiny_chunks() -> bytes:
    """Return a PNG whose compressed pixels are a chunk for each byte."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (120, 120, 3), np.uint8))
    file = io.BytesIO()
    noise.save(file, "PNG")
    data = file.getvalue()
    size = int.from_bytes(data[33:37])
    return data[:33] + b"".join(chunk(b"IDAT", bytes([byte])) for byte in data[41 : 41 + size]) + data[45 + size :]


# GIF, WebP and BMP


def gif_with(blocks: bytes) -> bytes:
    """Return a GIF with these blocks before its picture."""
    data = saved("GIF")
    end = 13 + (3 << (data[10] & 7) + 1)
    return data[:end] + blocks + data[end:]


def gif_of_tiny_blocks(blocks: int) -> bytes:
    """Return a GIF whose picture is in blocks of one byte."""
    head = b"GIF89a" + struct.pack("<HHBBB", 64, 64, 0x80, 0, 0) + bytes(6)
    return head + b"," + struct.pack("<HHHHB", 0, 0, 64, 64, 0) + b"\x02" + b"\x01\x00" * blocks + b"\0;"


def webp_chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def webp_of(*chunks: bytes) -> bytes:
    content = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def webp_canvas(width: int, height: int, flags: int = 2) -> bytes:
    sides = b"".join((side - 1).to_bytes(3, "little") for side in (width, height))
    return webp_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + sides)


def webp_animation(width: int, height: int, frames: int) -> bytes:
    """Return an animation of small frames on a canvas of this size."""
    small = saved("WEBP", lossless=True)[12:]
    frame = webp_chunk(b"ANMF", bytes(6) + (63).to_bytes(3, "little") * 2 + bytes(4) + small)
    empty = webp_chunk(b"ANMF", bytes(16))
    return webp_of(webp_canvas(width, height), webp_chunk(b"ANIM", bytes(6)), frame, empty * (frames - 1))


def bmp_of(width: int, height: int, coding: int, pixels: bytes) -> bytes:
    """Return a BMP of 8 bits a pixel. coding: 0 for plain pixels, 1 for run lengths."""
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, coding, len(pixels), 0, 0, 0, 0)
    start = struct.pack("<2sIHHI", b"BM", 1_078 + len(pixels), 0, 0, 1_078)
    return start + head + bytes(1_024) + pixels


# EXIF, for all formats


def exif_of_many_entries() -> bytes:
    """Return an EXIF block whose directory has as many entries as it can have, none of them the orientation."""
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", EXIF_ENTRIES) + bytes(1_000)


# AVIF and HEIC


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full_box(kind: bytes, version: int, *parts: bytes, flags: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


@dataclass(frozen=True)
class HeifItem:
    """An item. properties: positions in the list of properties, from 1. tiles: ids of other items, from 1."""

    kind: bytes
    data: bytes
    properties: tuple[int, ...] = ()
    tiles: tuple[int, ...] = ()


@dataclass
class HeifFile:
    """An AVIF or HEIC file. The first item is the picture."""

    brand: bytes
    items: list[HeifItem]
    properties: list[bytes]
    references: list[bytes] = field(default_factory=list)
    more_boxes: bytes = b""

    def data(self) -> bytes:
        """Return the file."""
        start = box(b"ftyp", self.brand, bytes(4), b"mif1", self.brand) + self.more_boxes
        size = len(start) + len(self._meta(0)) + 8
        return start + self._meta(size) + box(b"mdat", *(item.data for item in self.items))

    def _meta(self, data_start: int) -> bytes:
        numbered = list(enumerate(self.items, 1))
        infos = [full_box(b"infe", 2, struct.pack(">HH4sB", number, 0, item.kind, 0)) for number, item in numbered]
        tiles = [
            box(b"dimg", struct.pack(f">HH{len(item.tiles)}H", number, len(item.tiles), *item.tiles))
            for number, item in numbered
            if item.tiles
        ]
        links = [struct.pack(">HB", number, len(item.properties)) + bytes(item.properties) for number, item in numbered]
        parts = [
            full_box(b"hdlr", 0, bytes(4), b"pict", bytes(13)),
            full_box(b"pitm", 0, struct.pack(">H", 1)),
            full_box(b"iinf", 0, struct.pack(">H", len(infos)), *infos),
            full_box(b"iloc", 0, b"\x44\0", struct.pack(">H", len(numbered)), *self._places(data_start)),
            box(b"iprp", box(b"ipco", *self.properties), full_box(b"ipma", 0, struct.pack(">I", len(links)), *links)),
        ]
        if tiles or self.references:
            parts.append(full_box(b"iref", 0, *tiles, *self.references))
        return full_box(b"meta", 0, *parts)

    def _places(self, start: int) -> Iterator[bytes]:
        for number, item in enumerate(self.items, 1):
            yield struct.pack(">HHHII", number, 0, 1, start, len(item.data))
            start += len(item.data)


def size_property(width: int, height: int) -> bytes:
    return full_box(b"ispe", 0, struct.pack(">II", width, height))


def av1_data(width: int, height: int, frames: int = 1) -> bytes:
    """Return AV1 data of a sequence header with this size, and of empty frames."""
    bits = f"{0:03b}11{0:05b}{15:04b}{15:04b}{width - 1:016b}{height - 1:016b}".ljust(80, "0")
    header = int(bits, 2).to_bytes(10)
    return bytes([0x0A, len(header)]) + header + b"\x32\x01\0" * frames


def avif_of(data: bytes, width: int, height: int) -> HeifFile:
    """Return an AVIF file that announces this size."""
    configuration = box(b"av1C", b"\x81\0\x0c\0")
    return HeifFile(b"avif", [HeifItem(b"av01", data, (1, 2))], [size_property(width, height), configuration])


def exp_golomb(number: int) -> str:
    return f"{number + 1:b}".zfill(2 * (number + 1).bit_length() - 1)


def hevc_parameters(width: int, height: int) -> bytes:
    """Return the sequence parameters of HEVC with this size."""
    bits = f"{0:04b}{0:03b}1" + "0" * 96 + "".join(exp_golomb(number) for number in (0, 1, width, height))
    bits = bits.ljust(-(-len(bits) // 8) * 8, "1")
    return b"\x42\x01" + int(bits, 2).to_bytes(len(bits) // 8)


def hevc_configuration(width: int, height: int) -> bytes:
    unit = hevc_parameters(width, height)
    return box(b"hvcC", bytes(21), b"\x03\x01\x21\0\x01", struct.pack(">H", len(unit)), unit)


def heic_of(data: bytes, width: int, height: int, *, coded: tuple[int, int]) -> HeifFile:
    """Return a HEIC file that announces a size and is coded with another."""
    properties = [size_property(width, height), hevc_configuration(*coded)]
    return HeifFile(b"heic", [HeifItem(b"hvc1", data, (1, 2))], properties)


def heic_grid(width: int, height: int, *, rows: int, columns: int) -> bytes:
    """Return a HEIC whose tiles are all the same item."""
    grid = bytes([0, 0, rows - 1, columns - 1]) + struct.pack(">HH", width, height)
    count = rows * columns
    items = [HeifItem(b"grid", grid, (1,), (2,) * count), HeifItem(b"hvc1", hevc_slices(1), (1, 2))]
    properties = [size_property(width, height), hevc_configuration(width, height)]
    return HeifFile(b"heic", items, properties).data()


def hevc_slices(frames: int) -> bytes:
    return b"\0\0\0\x03\x26\x01\x80" * frames


def in_its_data(unit: bytes) -> bytes:
    return struct.pack(">I", len(unit)) + unit + hevc_slices(1)


REFUSED: dict[str, Callable[[], bytes]] = {
    # JPEG
    "jpeg_exif_segments": lambda: jpeg_with(segment(0xE1, b"Exif\0\0" + b"A" * 10) * 400_000),
    "jpeg_empty_segments": lambda: jpeg_with(segment(0xE0, b"") * 2_000_000),
    "jpeg_gap": lambda: jpeg_with(bytes(4_000_000)),
    "jpeg_gap_of_fill": lambda: jpeg_with(b"\xff\0" * 2_000_000),
    "jpeg_tables": lambda: jpeg_with(segment(0xDB, (b"\0" + b"\1" * 64) * 1_000) * 60),
    "jpeg_arithmetic": lambda: jpeg_of_scans(0xCA, SIDE_PX, 90),
    "jpeg_lossless": lambda: jpeg_of_scans(0xC3, SIDE_PX, 1),
    "jpeg_progressive": lambda: jpeg_of_scans(0xC2, SIDE_PX, 90),
    "jpeg_sequential_scans": lambda: jpeg_of_scans(0xC1, SIDE_PX, 50),
    "jpeg_scans_of_a_small_picture": lambda: jpeg_of_scans(0xC2, 64, 5_000),
    # PNG
    "png_tall": lambda: png_of_zeros(2, 25_000_000),
    "png_wide": lambda: png_of_zeros(1_000_000, 2),
    "png_column": lambda: png_of_zeros(1, 1_000_000),
    "png_empty_chunks": lambda: png_with(chunk(b"teXt", b"") * 300_000),
    "png_tiny_chunks": png_in_tiny_chunks,
    "png_frames": lambda: png_with(chunk(b"acTL", struct.pack(">II", 9, 0)) + chunk(b"fcTL", bytes(26)) * 200_000),
    # GIF
    "gif_comment": lambda: gif_with(b"!\xfe" + b"\x01A" * 2_000_000 + b"\0"),
    "gif_extensions": lambda: gif_with(b"!\xff\0" * 500_000),
    "gif_tiny_blocks": lambda: gif_of_tiny_blocks(2_000_000),
    # WebP
    "webp_canvas": lambda: webp_animation(16_384, 16_384, 1),
    "webp_frames": lambda: webp_animation(64, 64, 100_000),
    "webp_empty_chunks": lambda: webp_of(webp_canvas(64, 64, 0), webp_chunk(b"XMP ", b"") * 400_000),
    # BMP
    "bmp_run_lengths": lambda: bmp_of(50_000_000, 1, 1, b"\x01\x01\0\0\0\1"),
    "bmp_run_lengths_of_a_square": lambda: bmp_of(SIDE_PX, SIDE_PX, 1, b"\xff\x01" * 100 + b"\0\1"),
    "bmp_without_pixels": lambda: bmp_of(SIDE_PX, SIDE_PX, 0, b""),
    # AVIF
    "avif_other_size": lambda: avif_of(av1_data(11_900, 11_900), 100, 100).data(),
    "avif_many_frames": lambda: avif_of(av1_data(SIDE_PX, SIDE_PX, 900), SIDE_PX, SIDE_PX).data(),
    "avif_many_units": lambda: avif_of(av1_data(64, 64) + b"\x12\0" * 2_000_000, 64, 64).data(),
    "avif_many_items": lambda: HeifFile(b"avif", [HeifItem(b"av01", b"", (1,))] * 50_000, [size_property(9, 9)]).data(),
    "avif_many_properties": lambda: HeifFile(
        b"avif", [HeifItem(b"av01", av1_data(9, 9), (1,))], [size_property(9, 9), *[box(b"free")] * 100_000]
    ).data(),
    "avif_many_boxes": lambda: HeifFile(
        b"avif", [HeifItem(b"av01", av1_data(9, 9), (1,))], [size_property(9, 9)], more_boxes=box(b"free") * 500_000
    ).data(),
    # HEIC
    "heic_other_size": lambda: heic_of(hevc_slices(1), 100, 100, coded=(11_900, 11_900)).data(),
    "heic_many_frames": lambda: heic_of(hevc_slices(500), SIDE_PX, SIDE_PX, coded=(SIDE_PX, SIDE_PX)).data(),
    "heic_parameters_in_the_data": lambda: heic_of(
        in_its_data(hevc_parameters(11_900, 11_900)), 64, 64, coded=(64, 64)
    ).data(),
    "heic_grid_of_one_tile": lambda: heic_grid(SIDE_PX, SIDE_PX, rows=100, columns=100),
    "heic_derived": lambda: HeifFile(b"heic", [HeifItem(b"iovl", bytes(20), (1,))], [size_property(9, 9)]).data(),
    "heic_profile": lambda: HeifFile(
        b"heic",
        [HeifItem(b"hvc1", hevc_slices(1), (1, 2, 3))] * 300,
        [size_property(9, 9), hevc_configuration(9, 9), box(b"colr", b"prof", bytes(900_000))],
    ).data(),
}
"""Files that are refused before a decoder is opened."""

HARMLESS: dict[str, Callable[[], bytes]] = {
    "png_texts": lambda: png_with(chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1_000_000))) * 1_000),
    "png_profile": lambda: png_with(chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(100_000_000)))),
    "png_exif": lambda: png_with(chunk(b"eXIf", exif_of_many_entries())),
    "jpeg_exif": lambda: jpeg_with(segment(0xE1, exif_of_many_entries())),
    "jpeg_profile": lambda: saved("JPEG", icc_profile=bytes(2_000_000)),
    "jpeg_large_comment": lambda: jpeg_with(segment(0xFE, bytes(65_000)) * 400),
    "gif_frames": lambda: saved("GIF")[:-1] + saved("GIF")[saved("GIF").index(b",") :] * 1_000,
}
"""Files that look like those that are refused. What could do harm is not given to the decoder, so they are accepted."""

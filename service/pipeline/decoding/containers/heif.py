"""The structure of an AVIF or HEIC file: which items a decoder reads, and how many pixels they have.

The sizes that the file announces are not enough. The coded data may have another size, a picture may consist of any
number of tiles, and the data of a tile may have any number of frames.
"""

from collections.abc import Sequence

from service.pipeline.decoding.containers.av1 import count_av1_pixels
from service.pipeline.decoding.containers.boxes import Box, read_boxes
from service.pipeline.decoding.containers.hevc import count_hevc_pixels
from service.pipeline.decoding.containers.items import Items, read_items
from service.pipeline.decoding.containers.outline import Outline, check_size, cut_off, too_complex

MAX_SHOWN_ITEMS = 200
"""Items that are no tiles. A phone's photograph has about 15: thumbnails, depth, metadata."""

MAX_PROFILE_BYTES = 2**18
"""A colour profile. That of a phone has 0.5 kB."""

MAX_GRID_BYTES = 12
EXTRA_PIXELS = 2**20
"""Tiles may be larger than the picture at its right and lower side. So may blocks of pixels."""

ALPHA = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1")


def outline_heif(data: bytes, max_pixels: int) -> Outline:
    """Check what a decoder would read. Raises ImageTooLarge, ImageTooComplex, UnreadableImage.

    Further frames and metadata stay in the file, but a decoder no longer finds them.
    """
    boxes = list(read_boxes(data, 0, len(data)))
    described = [box for box in boxes if box.kind == b"meta"]
    if len(described) != 1:
        raise cut_off()
    items = read_items(data, described[0])
    width, height = _shown_size(items)
    check_size(width, height, max_pixels)
    _check_pictures(items, max_pixels)
    _check_shown(items)
    has_frames = any(box.kind == b"moov" for box in boxes)
    return Outline(width, height, (_without_extras(data, boxes, items),), has_more_pictures=has_frames)


def _shown_size(items: Items) -> tuple[int, int]:
    """Return the size of the picture: that of its clean aperture, if it has one (ISO/IEC 14496-12, 12.1.4)."""
    for body in items.property_bodies(items.primary, b"clap"):
        width, per_width, height, per_height = (int.from_bytes(body[start : start + 4]) for start in (0, 4, 8, 12))
        if per_width and per_height:
            return width // per_width, height // per_height
    return max(_announced_sizes(items, items.primary), default=(0, 0))


def _announced_sizes(items: Items, item: int) -> list[tuple[int, int]]:
    """Return the sizes that an item announces: one, or more in a file that contradicts itself."""
    bodies = items.property_bodies(item, b"ispe")
    return [(int.from_bytes(body[4:8]), int.from_bytes(body[8:12])) for body in bodies]


def _check_pictures(items: Items, max_pixels: int) -> None:
    """Check what a decoder would decode: the picture, and its transparency."""
    pictures = [items.primary, *items.targets(items.primary, b"dimg")]
    transparency = [
        reference.source
        for reference in items.references
        if reference.box.kind == b"auxl" and not set(pictures).isdisjoint(reference.targets)
        if any(body[4:].startswith(ALPHA) for body in items.property_bodies(reference.source, b"auxC"))
    ]
    with_tiles = [item for alpha in transparency for item in (alpha, *items.targets(alpha, b"dimg"))]
    decoded = {*pictures, *with_tiles}
    if sum(end - start for item in decoded for start, end in items.extents.get(item, ())) > len(items.file):
        raise too_complex("The items of the file share their data")
    allowed = max_pixels + max_pixels // 4 + EXTRA_PIXELS
    pixels = {item: _coded_pixels(items, item, allowed) for item in decoded}
    for group in (pictures, with_tiles):
        if sum(pixels[item] for item in group) > allowed:
            raise too_complex(f"The tiles and frames of the picture have more pixels than the limit of {max_pixels}")


def _coded_pixels(items: Items, item: int, allowed: int) -> int:
    """Return how many pixels a decoder decodes for an item, without its tiles."""
    sizes = _announced_sizes(items, item)
    for size in sizes:
        check_size(*size, allowed)
    announced = max((width * height for width, height in sizes), default=0)
    match items.kinds.get(item):
        case b"av01":
            return max(announced, count_av1_pixels(items.data(item)))
        case b"hvc1":
            configurations = items.property_bodies(item, b"hvcC")
            data = items.data(item)
            return max([announced, *(count_hevc_pixels(data, configuration) for configuration in configurations)])
        case b"grid" if item == items.primary or not items.targets(items.primary, b"dimg").count(item):
            _check_grid(items.data(item)[:MAX_GRID_BYTES], allowed)
            return 0
    raise too_complex("The picture of the AVIF or HEIC file is coded or composed in a way that no camera uses")


def _check_grid(grid: bytes, allowed: int) -> None:
    """Check the size of a picture of tiles (ISO/IEC 23008-12, 6.6.2.3.2)."""
    size_bytes = 4 if grid[1:2] >= b"\x01" and grid[1] & 1 else 2
    width, height = grid[4 : 4 + size_bytes], grid[4 + size_bytes : 4 + 2 * size_bytes]
    if len(height) < size_bytes:
        raise cut_off()
    check_size(int.from_bytes(width), int.from_bytes(height), allowed)


def _check_shown(items: Items) -> None:
    """Check what a decoder copies for each picture of the file, decoded or not."""
    tiles = {target for reference in items.references if reference.box.kind == b"dimg" for target in reference.targets}
    if len(items.shown - tiles) > MAX_SHOWN_ITEMS:
        raise too_complex(f"The file has more than {MAX_SHOWN_ITEMS} pictures")
    profiles = {box for boxes in items.properties.values() for box in boxes if box.kind == b"colr"}
    if any(box.end - box.start > MAX_PROFILE_BYTES for box in profiles):
        raise too_complex(f"The colour profile has more than {MAX_PROFILE_BYTES} bytes")


def _without_extras(data: bytes, boxes: Sequence[Box], items: Items) -> bytes:
    """Return the file without its film, and without the references of metadata to pictures."""
    film = [box for box in boxes if box.kind == b"moov"]
    metadata = [reference.box for reference in items.references if reference.box.kind == b"cdsc"]
    if not film and not metadata:
        return data
    changed = bytearray(data)
    for box in (*film, *metadata):
        changed[box.start + 4 : box.start + 8] = b"free"
    if film:
        start = boxes[0]
        changed[start.body : start.end] = data[start.body : start.end].replace(b"avis", b"avif")
    return bytes(changed)

"""The items of an AVIF or HEIC file (ISO/IEC 14496-12, section 8.11; ISO/IEC 23008-12, sections 6 and 9).

An item is a picture, a tile of a picture, or metadata. Properties of an item give its size and how it is coded.
References say which tiles a picture has, and which item is the transparency of another.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from service.pipeline.decoding.containers.boxes import Box, Fields, only_boxes, read_boxes
from service.pipeline.decoding.containers.outline import cut_off, too_complex

MAX_META_BYTES = 2**20
"""The box that describes all items. In a photograph of a phone it has about 10 kB."""

MAX_ITEMS = 1_000
"""A photograph of 50 megapixels in tiles of 512 x 512 has about 200. libheif has the same limit."""

MAX_LINKS = 20_000
"""Properties of items and references between items, all together."""

MAX_EXTENTS = 32
"""Pieces of the data of an item. Most have one."""

IN_FILE, IN_META = 0, 1
UNIQUE = frozenset({b"pitm", b"iinf", b"iloc", b"iprp", b"iref", b"idat"})


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference from one item to others. box: where it is in the file."""

    box: Box
    source: int
    targets: tuple[int, ...]


@dataclass(slots=True, eq=False)
class Items:
    """All items of a file, by their ids.

    kinds: what each is, such as `hvc1`, `av01`, `grid` or `Exif`.
    shown: the items that are pictures of their own.
    properties: the boxes that describe each.
    extents: where the data of each starts and ends.
    """

    file: bytes
    primary: int
    kinds: dict[int, bytes] = field(default_factory=dict)
    shown: set[int] = field(default_factory=set)
    properties: dict[int, list[Box]] = field(default_factory=dict)
    extents: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    references: list[Reference] = field(default_factory=list)
    links: int = 0

    def data(self, item: int) -> bytes:
        """Return the data of an item."""
        return b"".join(self.file[start:end] for start, end in self.extents.get(item, ()))

    def property_bodies(self, item: int, kind: bytes) -> list[bytes]:
        """Return the contents of the properties of this kind. There should be one, but there may be more."""
        boxes = self.properties.get(item, ())
        return [self.file[box.body : box.end] for box in boxes if box.kind == kind]

    def targets(self, item: int, kind: bytes) -> list[int]:
        """Return the items to which an item refers, each as often as it is named."""
        return [
            target
            for reference in self.references
            if reference.source == item and reference.box.kind == kind
            for target in reference.targets
        ]

    def count_links(self, count: int) -> None:
        """Raise ImageTooComplex if there are too many properties and references."""
        self.links += count
        if self.links > MAX_LINKS:
            raise too_complex(f"The file has more than {MAX_LINKS} properties and references of its items")


def read_items(file: bytes, meta: Box) -> Items:
    """Read the box `meta`. Raises UnreadableImage, ImageTooComplex."""
    if meta.end - meta.start > MAX_META_BYTES:
        raise too_complex(f"The description of the file has more than {MAX_META_BYTES} bytes")
    boxes = only_boxes(file, meta.body + 4, meta.end, UNIQUE)
    if not {b"pitm", b"iinf", b"iloc", b"iprp"} <= boxes.keys():
        raise cut_off()
    primary = _fields(file, boxes[b"pitm"])
    items = Items(file, primary.number(4 if primary.version() else 2))
    _read_kinds(items, boxes[b"iinf"])
    _read_extents(items, boxes[b"iloc"], boxes.get(b"idat"))
    _read_properties(items, boxes[b"iprp"])
    if b"iref" in boxes:
        _read_references(items, boxes[b"iref"])
    return items


def _fields(file: bytes, box: Box) -> Fields:
    return Fields(file, box.body, box.end)


def _count(fields: Fields, size_bytes: int) -> int:
    """Read the number of items."""
    count = fields.number(size_bytes)
    if count > MAX_ITEMS:
        raise too_complex(f"The file has more than {MAX_ITEMS} items")
    return count


def _read_kinds(items: Items, box: Box) -> None:
    fields = _fields(items.file, box)
    _count(fields, 4 if fields.version() else 2)
    for number, entry in enumerate(read_boxes(items.file, fields.position, box.end)):
        if number == MAX_ITEMS:
            raise too_complex(f"The file has more than {MAX_ITEMS} items")
        info = _fields(items.file, entry)
        version_and_flags = info.number(4)
        item = info.number(4 if version_and_flags >> 24 > 2 else 2)
        info.number(2)
        items.kinds[item] = info.number(4).to_bytes(4)
        if not version_and_flags & 1:
            items.shown.add(item)


def _read_extents(items: Items, box: Box, items_data: Box | None) -> None:
    fields = _fields(items.file, box)
    version = fields.version()
    sizes = fields.number(2)
    offset_bytes, length_bytes, base_bytes, index_bytes = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    for _ in range(_count(fields, 4 if version > 1 else 2)):
        item = fields.number(4 if version > 1 else 2)
        place = fields.number(2) & 15 if version else IN_FILE
        fields.number(2)
        start = fields.number(base_bytes)
        if place == IN_META and items_data:
            start += items_data.body
        elif place != IN_FILE:
            raise cut_off()
        count = fields.number(2)
        if count > MAX_EXTENTS:
            raise too_complex(f"The data of an item is in more than {MAX_EXTENTS} pieces")
        extents = items.extents.setdefault(item, [])
        for _ in range(count):
            fields.number(index_bytes if version else 0)
            offset, length = start + fields.number(offset_bytes), fields.number(length_bytes)
            extents.append((offset, offset + length if length else len(items.file)))


def _read_properties(items: Items, box: Box) -> None:
    boxes = list(read_boxes(items.file, box.body, box.end))
    containers = [inner for inner in boxes if inner.kind == b"ipco"]
    if len(containers) != 1:
        raise cut_off()
    properties = list(read_boxes(items.file, containers[0].body, containers[0].end))
    for inner in boxes:
        if inner.kind == b"ipma":
            for item, index in _links(items, inner):
                if 0 < index <= len(properties):
                    items.properties.setdefault(item, []).append(properties[index - 1])


def _links(items: Items, box: Box) -> Iterator[tuple[int, int]]:
    """Yield an item and the number of one of its properties, from 1."""
    fields = _fields(items.file, box)
    version_and_flags = fields.number(4)
    id_bytes, index_bytes = 4 if version_and_flags >> 24 else 2, 2 if version_and_flags & 1 else 1
    for _ in range(_count(fields, 4)):
        item, count = fields.number(id_bytes), fields.number(1)
        items.count_links(count)
        for _ in range(count):
            yield item, fields.number(index_bytes) & ((1 << 8 * index_bytes - 1) - 1)


def _read_references(items: Items, box: Box) -> None:
    fields = _fields(items.file, box)
    id_bytes = 4 if fields.version() else 2
    for inner in read_boxes(items.file, fields.position, box.end):
        reference = _fields(items.file, inner)
        source, count = reference.number(id_bytes), reference.number(2)
        items.count_links(count)
        items.references.append(Reference(inner, source, reference.numbers(id_bytes, count)))

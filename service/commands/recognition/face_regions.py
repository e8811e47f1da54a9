"""Face regions in XMP sidecar files, as digiKam, Lightroom and others read them.

The regions are those of the Metadata Working Group ("Guidelines for Handling Image Metadata", version 2.0): the
centre, the width and the height, as shares of the picture as it is stored. So a photograph that its EXIF block turns
needs the box turned back. The photographs are only read.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree as ET  # it only writes here

from service.access.new_file import write_new_file
from service.commands.recognition.identified import IdentifiedFace, IdentifiedPhotograph
from service.domain.face import Box
from service.pipeline.decoding.decode import decode, outline
from service.pipeline.decoding.orientation import TURNS, Turn, read_orientation

X = "adobe:ns:meta/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
REGIONS = "http://www.metadataworkinggroup.com/schemas/regions/"
AREA = "http://ns.adobe.com/xmp/sType/Area#"
DIMENSIONS = "http://ns.adobe.com/xap/1.0/sType/Dimensions#"
for _prefix, _namespace in (("x", X), ("rdf", RDF), ("mwg-rs", REGIONS), ("stArea", AREA), ("stDim", DIMENSIONS)):
    ET.register_namespace(_prefix, _namespace)

NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not have, even as references (section 2.2)."""

MAX_PIXELS = 500_000_000
"""Of a photograph whose size is read. The service has accepted it before."""


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """The size of a picture in its file, in pixels, and what makes it upright. turn: None if it is upright."""

    width: int
    height: int
    turn: Turn | None

    def area(self, box: Box) -> Box:
        """Return a box of the upright picture as shares of the stored one. What is outside is cut off."""
        is_transposed = self.turn is not None and self.turn.transposed
        width, height = (self.height, self.width) if is_transposed else (self.width, self.height)
        left, right = _shares(box.x, box.width, width, flipped=self.turn is not None and self.turn.columns == -1)
        top, bottom = _shares(box.y, box.height, height, flipped=self.turn is not None and self.turn.rows == -1)
        if is_transposed:
            left, right, top, bottom = top, bottom, left, right
        return Box(left, top, right - left, bottom - top)


def sidecar_of(photograph: Path) -> Path:
    """Return the sidecar file of a photograph: IMG.jpg.xmp. So IMG.jpg and IMG.heic have two."""
    return photograph.with_name(f"{photograph.name}.xmp")


def write_sidecar(photograph: IdentifiedPhotograph) -> Literal["written", "no match", "kept"]:
    """Write the matches of a photograph into a new sidecar file, readable by its owner only.

    `kept`: there is such a file already. It stays as it is.
    Raises OSError, and PhotographError if the photograph was changed meanwhile.
    """
    matches = [face for face in photograph.faces if face.subject is not None]
    if not matches:
        return "no match"
    text = face_regions(matches, stored_picture(photograph.file.read_bytes()))
    try:
        write_new_file(sidecar_of(photograph.file), text)
    except FileExistsError:
        return "kept"
    return "written"


def stored_picture(data: bytes) -> StoredPicture:
    """Return how a photograph is stored. A decoder turns HEIC and AVIF itself. Raises PhotographError."""
    if data[4:8] == b"ftyp":
        image = decode(data, MAX_PIXELS)
        return StoredPicture(image.width, image.height, None)
    found = outline(data, MAX_PIXELS)
    return StoredPicture(found.width, found.height, TURNS.get(read_orientation(found.exif)))


def face_regions(faces: Sequence[IdentifiedFace], picture: StoredPicture) -> str:
    """Return an XMP document with a region for each face."""
    root = ET.Element(_name(X, "xmpmeta"))
    description = ET.SubElement(
        ET.SubElement(root, _name(RDF, "RDF")), _name(RDF, "Description"), {_name(RDF, "about"): ""}
    )
    resource = {_name(RDF, "parseType"): "Resource"}
    regions = ET.SubElement(description, _name(REGIONS, "Regions"), resource)
    size = {"w": str(picture.width), "h": str(picture.height), "unit": "pixel"}
    ET.SubElement(regions, _name(REGIONS, "AppliedToDimensions"), _names(DIMENSIONS, size))
    bag = ET.SubElement(ET.SubElement(regions, _name(REGIONS, "RegionList")), _name(RDF, "Bag"))
    for face in faces:
        fields = _names(REGIONS, {"Name": NOT_IN_XML.sub("", face.shown_name), "Type": "Face"})
        region = ET.SubElement(ET.SubElement(bag, _name(RDF, "li")), _name(RDF, "Description"), fields)
        ET.SubElement(region, _name(REGIONS, "Area"), _names(AREA, _area_fields(picture.area(face.box))))
    ET.indent(root)
    return ET.tostring(root, "unicode") + "\n"


def _area_fields(area: Box) -> dict[str, str]:
    x, y = area.centre
    numbers = {"x": x, "y": y, "w": area.width, "h": area.height}
    return {name: f"{number:.6f}" for name, number in numbers.items()} | {"unit": "normalized"}


def _shares(start: float, length: float, side_px: int, *, flipped: bool) -> tuple[float, float]:
    """Return the start and the end of a box along a side, as shares of the side, in [0, 1]."""
    first, last = (min(max(end / side_px, 0.0), 1.0) for end in (start, start + length))
    return (1 - last, 1 - first) if flipped else (first, last)


def _name(namespace: str, name: str) -> str:
    return f"{{{namespace}}}{name}"


def _names(namespace: str, fields: dict[str, str]) -> dict[str, str]:
    return {_name(namespace, name): value for name, value in fields.items()}

"""Face regions in XMP: the coordinates are those of the stored picture, and no name breaks the document."""

import io
from pathlib import Path
from xml.etree import ElementTree  # noqa: ICN001  # ET says nothing

import numpy as np
import pytest
from PIL import Image

from service.commands.recognition.face_regions import (
    AREA,
    DIMENSIONS,
    RDF,
    REGIONS,
    StoredPicture,
    face_regions,
    sidecar_of,
    stored_picture,
    write_sidecar,
)
from service.commands.recognition.identified import IdentifiedFace, IdentifiedPhotograph
from service.domain.face import Box
from service.pipeline.decoding.decode import decode

ORIENTATION = 0x0112
UPRIGHT = StoredPicture(400, 300, None)
RED, BLUE = (220, 20, 20), (20, 20, 220)


def face_of(name: str | None = "Ada", box: Box = Box(100, 60, 40, 60)) -> IdentifiedFace:  # noqa: B008  # it is frozen
    subject = "ada" if name else None
    return IdentifiedFace("match" if name else "unknown", subject, name, 0.5, 90, 0.5, (), box)


def parse(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314  # our own document


def regions_in(text: str) -> list[dict[str, str]]:
    """Return the name, the type and the area of each region of an XMP document."""
    found = []
    for region in parse(text).iter(f"{{{RDF}}}li"):
        (description,) = region
        (area,) = description
        fields = {**description.attrib, **area.attrib}
        found.append({key.rpartition("}")[2]: value for key, value in fields.items()})
        assert area.tag == f"{{{REGIONS}}}Area"
    return found


def numbers_of(region: dict[str, str]) -> list[float]:
    return [float(region[key]) for key in "xywh"]


def photograph_with_a_red_square(orientation: int, kind: str) -> bytes:
    """Return a blue photograph of 400 x 300 stored pixels with a red square of 80 x 60, from (40, 120) on."""
    pixels = np.zeros((300, 400, 3), np.uint8) + np.array(BLUE, np.uint8)
    pixels[120:180, 40:120] = RED
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, quality=95, exif=exif)
    return file.getvalue()


def red_box_of_upright(data: bytes) -> Box:
    """Return where the service sees the red square."""
    pixels = decode(data, 10**6).pixels
    rows, columns = np.nonzero((pixels[:, :, 0] > 128) & (pixels[:, :, 2] < 128))
    left, top = float(columns.min()), float(rows.min())
    return Box(left, top, float(columns.max()) + 1 - left, float(rows.max()) + 1 - top)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_region_is_where_the_face_is_in_the_stored_picture(orientation: int, kind: str) -> None:
    data = photograph_with_a_red_square(orientation, kind)
    text = face_regions([face_of(box=red_box_of_upright(data))], stored_picture(data))
    (region,) = regions_in(text)
    assert numbers_of(region) == pytest.approx([80 / 400, 150 / 300, 80 / 400, 60 / 300], abs=0.005)
    size = parse(text).find(f".//{{{REGIONS}}}AppliedToDimensions")
    assert size is not None
    expected = {"w": "400", "h": "300", "unit": "pixel"}
    assert size.attrib == {f"{{{DIMENSIONS}}}{name}": value for name, value in expected.items()}


def test_the_fields_of_a_region_are_those_of_the_metadata_working_group() -> None:
    text = face_regions([face_of()], UPRIGHT)
    (region,) = regions_in(text)
    assert (region["Name"], region["Type"], region["unit"]) == ("Ada", "Face", "normalized")
    assert numbers_of(region) == pytest.approx([0.3, 0.3, 0.1, 0.2])
    for name in (f"{{{REGIONS}}}Name", f"{{{AREA}}}x"):
        assert name in "".join(str(element.attrib) for element in parse(text).iter())


def test_a_box_that_is_partly_outside_is_cut_off() -> None:
    (region,) = regions_in(face_regions([face_of(box=Box(-50, -30, 100, 60))], UPRIGHT))
    assert numbers_of(region) == pytest.approx([50 / 800, 0.05, 50 / 400, 0.1])


@pytest.mark.parametrize(
    "name", ['"><x/>', "Ada & Bob", "]]>", "<!-- -->", "ümlaut 名前", "&#0;", "'", "${x}", "a" * 256]
)
def test_a_name_with_the_characters_of_xml_is_read_back_as_it_was(name: str) -> None:
    (region,) = regions_in(face_regions([face_of(name)], UPRIGHT))
    assert region["Name"] == name


@pytest.mark.parametrize("letter", ["\x00", "\x1b", "\ufffe", "\uffff", "\ud800", "\x08"])
def test_a_character_that_xml_does_not_have_is_left_out(letter: str) -> None:
    text = face_regions([face_of(f"A{letter}da")], UPRIGHT)
    text.encode()
    (region,) = regions_in(text)
    assert region["Name"] == "Ada"


def test_only_matches_are_written_and_an_existing_file_is_kept(tmp_path: Path) -> None:
    photograph = tmp_path / "IMG.jpg"
    photograph.write_bytes(photograph_with_a_red_square(6, "JPEG"))
    before = photograph.read_bytes()
    assert write_sidecar(IdentifiedPhotograph(photograph, (face_of(None),), 1.0, 1)) == "no match"
    assert not sidecar_of(photograph).exists()
    identified = IdentifiedPhotograph(photograph, (face_of(None), face_of("Ada")), 1.0, 1)
    assert write_sidecar(identified) == "written"
    assert [region["Name"] for region in regions_in((tmp_path / "IMG.jpg.xmp").read_text("utf-8"))] == ["Ada"]
    (tmp_path / "IMG.jpg.xmp").write_text("mine")
    assert write_sidecar(identified) == "kept"
    assert (tmp_path / "IMG.jpg.xmp").read_text() == "mine"
    assert photograph.read_bytes() == before

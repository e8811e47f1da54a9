"""Contact sheets: a row for each person, with the faces that the boxes show."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from service.commands.photographs.face_finding import FoundFaces
from service.commands.sorting.contact_sheets import FACE_PX, FACES_IN_ROW, LABEL_PX, ROWS_ON_SHEET, write_contact_sheets
from service.commands.sorting.people import SortedPerson
from service.domain.face import Box

RED = (220, 20, 20)
ROW_PX = FACE_PX + LABEL_PX
ORIENTATION = 0x0112


def write_photograph(file: Path, *, orientation: int = 1, scale: int = 1) -> tuple[Box, list[float]]:
    """Write a blue photograph with a red square, and return the face in it, in the coordinates of the upright one."""
    pixels = np.zeros((300, 400, 3), np.uint8) + np.array((20, 20, 220), np.uint8)
    pixels[100:200, 50:150] = RED
    pixels = pixels.repeat(scale, axis=0).repeat(scale, axis=1)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(pixels).save(file, quality=95, exif=exif)
    x, y = {1: (50, 100), 6: (100, 50)}[orientation]  # 6: turned clockwise by 90 degrees
    return Box(x * scale, y * scale, 100 * scale, 100 * scale), [1.0, 0.0]


@pytest.mark.parametrize("scale", [1, 3])  # of three times the size, a quarter of the sides is decoded
def test_the_row_of_a_person_shows_the_middle_of_each_box(tmp_path: Path, scale: int) -> None:
    found = FoundFaces()
    for number, orientation in enumerate((1, 6)):
        file = tmp_path / f"{number}.jpg"
        found.add(file, "", [write_photograph(file, orientation=orientation, scale=scale)])
    assert write_contact_sheets(tmp_path, found, [SortedPerson("person-001", (0, 1))]) == 1
    sheet = np.asarray(Image.open(tmp_path / "contact-sheet-01.jpg"))
    assert sheet.shape == (ROW_PX, FACES_IN_ROW * FACE_PX, 3)
    for column in range(2):
        middle = sheet[LABEL_PX + FACE_PX // 2, column * FACE_PX + FACE_PX // 2]
        assert np.abs(middle.astype(int) - RED).max() < 30
        row = sheet[LABEL_PX + FACE_PX // 2, column * FACE_PX : (column + 1) * FACE_PX].astype(int)
        assert (row[:, 0] > row[:, 2]).sum() == pytest.approx(FACE_PX / 1.6, abs=3)  # 0.3 of the box is on each side
    assert sheet[-5:, 3 * FACE_PX :].min() > 240


def test_a_photograph_that_is_gone_is_grey_and_other_rows_are_drawn(tmp_path: Path) -> None:
    found = FoundFaces()
    found.add(tmp_path / "gone.jpg", "", [(Box(0, 0, 9, 9), [1.0])])
    people = [SortedPerson(f"person-{number}", (0,) * 20) for number in range(ROWS_ON_SHEET + 1)]
    assert write_contact_sheets(tmp_path, found, people) == 2
    sheet = np.asarray(Image.open(tmp_path / "contact-sheet-02.jpg"))
    assert np.ptp(sheet[LABEL_PX + 5 :, 5 : FACES_IN_ROW * FACE_PX - 5]) < 20

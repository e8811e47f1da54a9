"""Contact sheets: pictures with a row for each person, to see at once whether the people were sorted well."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from service.commands.photographs.face_finding import FoundFaces
from service.commands.sorting.people import SortedPerson
from service.domain.errors import Overloaded, PhotographError
from service.domain.face import Box
from service.pipeline.decoding.decode import decode

FACE_PX = 96
FACES_IN_ROW = 8
ROWS_ON_SHEET = 40
LABEL_PX = 22
MARGIN = 0.3
"""How much of the box is shown around it, on each side."""

MAX_PIXELS = 100_000_000
"""Of a photograph that is drawn. The service has accepted it before."""

WHITE, GREY, BLACK = (255, 255, 255), (200, 200, 200), (0, 0, 0)


def write_contact_sheets(folder: Path, found: FoundFaces, people: Sequence[SortedPerson]) -> int:
    """Write contact-sheet-01.jpg and so on into a folder. Return how many. Raises OSError."""
    sheets = [people[start : start + ROWS_ON_SHEET] for start in range(0, len(people), ROWS_ON_SHEET)]
    digits = max(2, len(str(len(sheets))))
    for number, sheet in enumerate(sheets, 1):
        _draw(found, sheet).save(folder / f"contact-sheet-{number:0{digits}}.jpg", quality=85)
    return len(sheets)


def _draw(found: FoundFaces, people: Sequence[SortedPerson]) -> Image.Image:
    sheet = Image.new("RGB", (FACES_IN_ROW * FACE_PX, len(people) * (FACE_PX + LABEL_PX)), WHITE)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for row, person in enumerate(people):
        top = row * (FACE_PX + LABEL_PX)
        draw.text((4, top + 2), f"{person.name}: {len(person.faces)} photographs", BLACK, font)
        for column, face in enumerate(_spread(person.faces)):
            sheet.paste(_cut_out(found, face), (column * FACE_PX, top + LABEL_PX))
    return sheet


def _spread(faces: Sequence[int]) -> Iterator[int]:
    """Return at most FACES_IN_ROW faces, from the first to the last, at equal steps."""
    shown = min(FACES_IN_ROW, len(faces))
    return (faces[position * len(faces) // shown] for position in range(shown))


def _cut_out(found: FoundFaces, face: int) -> Image.Image:
    """Return a square picture of a face. It is grey if the photograph cannot be read any more."""
    where = found.faces[face]
    try:
        data = found.photographs[where.photograph].read_bytes()
        image = decode(data, MAX_PIXELS, lambda _width, _height: _reduction(where.box))
    except (OSError, PhotographError, Overloaded):
        return Image.new("RGB", (FACE_PX, FACE_PX), GREY)
    box = where.box.scaled(1 / image.reduction)
    side = _shown_side(box)
    x, y = box.centre
    left, top = round(x - side / 2), round(y - side / 2)
    picture = Image.fromarray(image.pixels).crop((left, top, left + round(side), top + round(side)))  # black outside
    return picture.resize((FACE_PX, FACE_PX), Image.Resampling.HAMMING)  # in half the time of LANCZOS


def _reduction(box: Box) -> int:
    """Return how much smaller the photograph may be decoded, so that the face still has enough pixels."""
    return next((factor for factor in (8, 4, 2) if _shown_side(box) / factor >= FACE_PX), 1)


def _shown_side(box: Box) -> float:
    """Return the side of the square that is shown, in the pixels of the box."""
    return max(box.width, box.height) * (1 + 2 * MARGIN)

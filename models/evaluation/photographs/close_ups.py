"""Close-ups: a face that fills the photograph, and a small face in a corner. Both must be found.

The box of the first face is 90 to 110 % as long as the side of the photograph, so it can reach beyond the edges. The
second face is 60 to 90 pixels wide.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from matplotlib.figure import Figure

from models.evaluation.data.identities import SEED
from models.evaluation.photographs.composites import Composite, KnownFace, search
from models.evaluation.reports.contact_sheet import Section, Tile, draw_sheet
from models.evaluation.reports.report import Row
from models.evaluation.reports.thumbnails import THUMBNAIL_PX, make_thumbnail
from service.domain.face import Box
from service.domain.image import Pixels
from service.pipeline.opening import PipelineOptions, open_embedder, open_face_extractor

SIDES_PX = (480, 640, 800, 1200, 2400)
"""The sides of the photographs, used in turn."""
FILLED = (0.9, 1.1)
SMALL_PX = (60, 90)
COLUMNS = 6
EXAMPLES = 12


@dataclass(frozen=True, slots=True, eq=False)
class CloseUp:
    """What was found in one photograph. thumbnail: with the two boxes."""

    side_px: int
    large_found: bool
    small_found: bool
    thumbnail: Pixels

    @property
    def both_found(self) -> bool:
        return self.large_found and self.small_found

    def to_tile(self) -> Tile:
        """Return the tile for the contact sheet."""
        missed = [name for name, found in (("large", self.large_found), ("small", self.small_found)) if not found]
        return Tile(self.thumbnail, f"{self.side_px} px" + (f", missed: {', '.join(missed)}" if missed else ""))


@dataclass(frozen=True, slots=True, eq=False)
class CloseUps:
    """All photographs."""

    close_ups: tuple[CloseUp, ...]

    def rows(self) -> list[Row]:
        """Return the rows of the table. The first row is the header."""
        sides = sorted({close_up.side_px for close_up in self.close_ups})
        by_side = [(f"{side} px", [one for one in self.close_ups if one.side_px == side]) for side in sides]
        return [
            ("side", "photographs", "large face found", "small face found", "both found"),
            *((name, *_counts(part)) for name, part in [*by_side, ("all", list(self.close_ups))]),
        ]

    def numbers(self) -> dict[str, object]:
        """Return how many faces are found, and each photograph in which one is missed."""
        return {
            "photographs": len(self.close_ups),
            "large_found": sum(one.large_found for one in self.close_ups),
            "small_found": sum(one.small_found for one in self.close_ups),
            "both_found": sum(one.both_found for one in self.close_ups),
            "missed": [
                {"number": number, "side_px": one.side_px, "large": not one.large_found, "small": not one.small_found}
                for number, one in enumerate(self.close_ups)
                if not one.both_found
            ],
        }

    def draw(self) -> Figure:
        """Draw the photographs in which a face is missed, and examples of the others."""
        missed = tuple(one.to_tile() for one in self.close_ups if not one.both_found)
        found = tuple(one.to_tile() for one in self.close_ups if one.both_found)
        sections = (
            Section(f"A face is missed: {len(missed)} of {len(self.close_ups)}", missed),
            Section(f"Both are found: {len(found)} of {len(self.close_ups)}, examples", found[:EXAMPLES]),
        )
        return draw_sheet(sections, COLUMNS, (THUMBNAIL_PX, THUMBNAIL_PX))


def evaluate_close_ups(options: PipelineOptions, faces: Sequence[KnownFace], done: Callable[[], object]) -> CloseUps:
    """Search one photograph for each two faces: the first fills it, the second is small.

    faces: twice as many as there are photographs.
    done: called after each photograph.
    """
    extractor = open_face_extractor(options, open_embedder(options).card)

    def measure(number: int) -> CloseUp:
        composite = make_composite(faces[2 * number], faces[2 * number + 1], number)
        large_found, small_found = search(extractor, composite).found
        done()
        thumbnail = make_thumbnail(composite.pixels, composite.boxes)
        return CloseUp(composite.pixels.shape[0], large_found, small_found, thumbnail)

    with ThreadPoolExecutor(options.threads) as pool:
        return CloseUps(tuple(pool.map(measure, range(len(faces) // 2))))


def make_composite(large: KnownFace, small: KnownFace, number: int) -> Composite:
    """Fill a photograph with the first face, and copy the second into a corner.

    number: sets the size of the photograph and the random places.
    """
    rng = np.random.default_rng([SEED, number])
    side_px = SIDES_PX[number % len(SIDES_PX)]
    filled = fill_frame(large, side_px, rng.uniform(*FILLED))
    head = small.cut_head(rng.uniform(*SMALL_PX))
    rooms = side_px - head.pixels.shape[1], side_px - head.pixels.shape[0]
    left, top = (room * int(rng.integers(2)) for room in rooms)
    return Composite(filled.pixels, (filled.box, head.paste(filled.pixels, left, top)))


def fill_frame(face: KnownFace, side_px: int, filled: float) -> KnownFace:
    """Return a square picture with the face in its middle. Beyond the photograph, its mirror image continues.

    filled: the longer side of the box, as a fraction of the side of the picture.
    """
    box, (x, y) = face.box, face.box.centre
    scale = filled * side_px / max(box.width, box.height)
    middle = (side_px - 1) / 2
    matrix = np.array([[scale, 0, middle - scale * x], [0, scale, middle - scale * y]])
    pixels = cv2.warpAffine(
        face.pixels, matrix, (side_px, side_px), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    width, height = scale * box.width, scale * box.height
    return KnownFace(np.asarray(pixels, np.uint8), Box(middle - width / 2, middle - height / 2, width, height))


def _counts(close_ups: Sequence[CloseUp]) -> tuple[str, ...]:
    counts = (
        len(close_ups),
        sum(one.large_found for one in close_ups),
        sum(one.small_found for one in close_ups),
        sum(one.both_found for one in close_ups),
    )
    return tuple(f"{count}" for count in counts)

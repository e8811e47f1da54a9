"""How many pictures without a face get a face."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from models.evaluation.photographs.composites import detect_file
from models.evaluation.reports.contact_sheet import Section, Tile, draw_sheet
from models.evaluation.reports.report import Row
from models.evaluation.reports.thumbnails import THUMBNAIL_PX, make_thumbnail
from service.domain.face import Face
from service.domain.image import Pixels
from service.pipeline.opening import PipelineOptions, open_embedder, open_face_extractor

COLUMNS = 6
CAPTION_CHARACTERS = 24


@dataclass(frozen=True, slots=True, eq=False)
class TakenPicture:
    """A picture in which a face was found. thumbnail: with the boxes."""

    file: Path
    faces: tuple[Face, ...]
    thumbnail: Pixels

    def to_json(self) -> dict[str, object]:
        """Return the picture as the JSON file holds it."""
        return {
            "file": self.file.as_posix(),
            "faces": [
                {
                    "detection_score": face.detection_score,
                    "landmark_score": face.landmark_score,
                    "quarter_turns": face.quarter_turns,
                    "width_px": face.box.width,
                }
                for face in self.faces
            ],
        }

    def to_tile(self) -> Tile:
        """Return the tile for the contact sheet, with the scores of the best face."""
        best = self.faces[0]
        scores = f"detection {best.detection_score:.2f}, landmarks {best.landmark_score:.2f}"
        return Tile(self.thumbnail, f"{self.file.name[-CAPTION_CHARACTERS:]}\n{scores}")


@dataclass(frozen=True, slots=True, eq=False)
class NoFace:
    """pictures: how many were searched. taken: those in which a face was found."""

    pictures: int
    taken: tuple[TakenPicture, ...]

    def rows(self) -> list[Row]:
        """Return the rows of the table. The first row is the header."""
        share = 100 * len(self.taken) / self.pictures
        return [
            ("pictures without a face", f"{self.pictures}"),
            ("a face is found in", f"{len(self.taken)} ({share:.1f} %)"),
            *((one.file.as_posix(), f"{one.faces[0].score:.2f}") for one in self.taken),
        ]

    def numbers(self) -> dict[str, object]:
        """Return how many pictures were searched, and the scores of each face that was found."""
        return {"pictures": self.pictures, "taken": [one.to_json() for one in self.taken]}

    def draw(self) -> Figure:
        """Draw the pictures in which a face was found."""
        title = f"A face is found: {len(self.taken)} of {self.pictures} pictures"
        section = Section(title, tuple(one.to_tile() for one in self.taken))
        return draw_sheet([section], COLUMNS, (THUMBNAIL_PX, THUMBNAIL_PX))


def evaluate_no_face(options: PipelineOptions, files: Sequence[Path], done: Callable[[], object]) -> NoFace:
    """Search pictures that have no face.

    done: called after each picture.
    Raises DatasetError if a picture cannot be used.
    """
    extractor = open_face_extractor(options, open_embedder(options).card)

    def measure(file: Path) -> TakenPicture | None:
        detected = detect_file(extractor, file)
        done()
        if not detected.faces:
            return None
        image = detected.image
        boxes = [face.box.scaled(1 / image.reduction) for face in detected.faces]
        return TakenPicture(file, detected.faces, make_thumbnail(image.pixels, boxes))

    with ThreadPoolExecutor(options.threads) as pool:
        taken = [one for one in pool.map(measure, files) if one is not None]
    return NoFace(len(files), tuple(taken))

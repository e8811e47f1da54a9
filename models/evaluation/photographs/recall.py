"""Recall: which faces are found, by the width of the face and the number of pixels of the photograph.

Each photograph has FACES_IN_ONE faces of one width, side by side at random heights, on an enlarged background. The same
faces are searched at each width and in each size of photograph.
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_sample_images

from models.evaluation.data.identities import SEED
from models.evaluation.photographs.composites import Composite, KnownFace, Search, read_pixels, search
from models.evaluation.photographs.pictures import list_pictures
from models.evaluation.reports.report import Row, new_figure
from service.domain.image import Pixels
from service.pipeline.opening import PipelineOptions, open_embedder, open_face_extractor

WIDTHS_PX = (30, 40, 60, 80, 120)
FACES_IN_ONE = 5
"""How many faces one photograph has. In a photograph of one megapixel, five heads of 120-px faces have room."""
ASPECT_RATIO = 1.5


@dataclass(frozen=True, slots=True)
class Condition:
    """The size of a photograph and of its faces. width_px: of the box of a face, in pixels of the photograph."""

    megapixels: int
    width_px: int


@dataclass(frozen=True, slots=True, eq=False)
class Recall:
    """What was found under each condition.

    max_side_px, min_face_px: options of the pipeline.
    searches: one for each photograph, by condition.
    """

    max_side_px: int
    min_face_px: int
    searches: dict[Condition, list[Search]]

    def rows(self) -> list[Row]:
        """Return the rows of the table. The first row is the header."""
        return [
            ("size", *(f"{width} px" for width in self._widths), "extra faces", "CPU time"),
            *(
                (
                    f"{size} MP",
                    *(f"{100 * self._recall(Condition(size, width)):.1f} %" for width in self._widths),
                    f"{sum(found.extra for found in self._of_size(size))}",
                    f"{1000 * self._mean_cpu_s(size):.0f} ms",
                )
                for size in self._sizes
            ),
        ]

    def numbers(self) -> dict[str, object]:
        """Return the recall under each condition, and the mean CPU time by the size of the photograph."""
        return {
            "max_side_px": self.max_side_px,
            "min_face_px": self.min_face_px,
            "recall": [
                {
                    "megapixels": condition.megapixels,
                    "face_width_px": condition.width_px,
                    "faces": sum(len(found.found) for found in searches),
                    "recall": self._recall(condition),
                    "extra_faces": sum(found.extra for found in searches),
                }
                for condition, searches in self.searches.items()
            ],
            "mean_cpu_s": [{"megapixels": size, "cpu_s": self._mean_cpu_s(size)} for size in self._sizes],
        }

    def draw(self) -> Figure:
        """Draw recall against the width of the face, and the CPU time against the size of the photograph."""
        figure = new_figure(9, 4)
        left, right = figure.subplots(1, 2)
        for size in self._sizes:
            percents = [100 * self._recall(Condition(size, width)) for width in self._widths]
            left.plot(self._widths, percents, marker="o", label=f"{size} MP")
        left.set(xlabel="width of the face (px)", ylabel="faces that are found (%)", xticks=self._widths)
        left.legend(loc="lower right")
        right.plot(self._sizes, [self._mean_cpu_s(size) for size in self._sizes], marker="o")
        right.set(xlabel="size of the photograph (MP)", ylabel="CPU time of a photograph (s)")
        right.set_ylim(bottom=0)
        for axes in (left, right):
            axes.grid(visible=True, alpha=0.3)
        return figure

    @property
    def _sizes(self) -> list[int]:
        return sorted({condition.megapixels for condition in self.searches})

    @property
    def _widths(self) -> list[int]:
        return sorted({condition.width_px for condition in self.searches})

    def _of_size(self, megapixels: int) -> list[Search]:
        return [found for width in self._widths for found in self.searches[Condition(megapixels, width)]]

    def _recall(self, condition: Condition) -> float:
        return float(np.mean([found for one in self.searches[condition] for found in one.found]))

    def _mean_cpu_s(self, megapixels: int) -> float:
        return float(np.mean([found.cpu_s for found in self._of_size(megapixels)]))


def evaluate_recall(
    options: PipelineOptions,
    faces: Sequence[KnownFace],
    backgrounds: Sequence[Pixels],
    conditions: Sequence[Condition],
    done: Callable[[], object],
) -> Recall:
    """Search the photographs of each condition.

    backgrounds: photographs without a face, used in turn.
    done: called after each photograph.
    """
    cv2.setNumThreads(1)  # as in the service, so that the CPU time of a thread is that of its photograph
    extractor = open_face_extractor(options, open_embedder(options).card)
    groups = [faces[start : start + FACES_IN_ONE] for start in range(0, len(faces), FACES_IN_ONE)]

    def measure(condition: Condition, number: int) -> Search:
        background = backgrounds[number % len(backgrounds)]
        found = search(extractor, make_composite(background, groups[number], condition, number))
        done()
        return found

    with ThreadPoolExecutor(options.threads) as pool:
        searches = {
            condition: list(pool.map(partial(measure, condition), range(len(groups)))) for condition in conditions
        }
    return Recall(options.max_side_px, options.min_face_px, searches)


def list_conditions(sizes_mp: Sequence[int], widths_px: Sequence[int] = WIDTHS_PX) -> list[Condition]:
    """Return every size of photograph with every width of face."""
    return [Condition(size, width) for size, width in product(sorted(set(sizes_mp)), widths_px)]


def make_composite(background: Pixels, faces: Sequence[KnownFace], condition: Condition, number: int) -> Composite:
    """Enlarge a background, and copy each face into a column of its own. number: sets the random places."""
    rng = np.random.default_rng([SEED, number])
    height = math.isqrt(round(condition.megapixels * 1e6 / ASPECT_RATIO))
    width = round(height * ASPECT_RATIO)
    canvas = np.asarray(cv2.resize(background, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    column_px = width // len(faces)
    boxes = []
    for column, face in enumerate(faces):
        head = face.cut_head(condition.width_px)
        room_x, room_y = column_px - head.pixels.shape[1], height - head.pixels.shape[0]
        left = column * column_px + int(rng.integers(room_x + 1))
        boxes.append(head.paste(canvas, left, int(rng.integers(room_y + 1))))
    return Composite(canvas, tuple(boxes))


def read_backgrounds(folder: Path | None, max_pixels: int) -> list[Pixels]:
    """Return the photographs of a folder, or the two of scikit-learn: a temple and a flower.

    Raises DatasetError if the folder has no pictures, or if one cannot be used.
    """
    if folder is None:
        return [np.asarray(pixels, np.uint8) for pixels in load_sample_images().images]
    return [read_pixels(file, max_pixels) for file in list_pictures(folder)]

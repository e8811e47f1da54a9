"""Photographs that are put together from real faces. So the place and the size of each face are known.

A face is cut out of a photograph with half its box on each side, scaled, and copied into another picture. The box is
that of the detector in the first photograph. So recall is that of faces which are found where they are large.
"""

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as Pillow

from models.errors import DatasetError
from models.evaluation.data.identities import SEED, read_people
from models.evaluation.embedding.files import unusable_photograph
from service.domain.errors import PhotographError
from service.domain.face import Box
from service.domain.image import Pixels
from service.pipeline.decoding.decode import decode
from service.pipeline.extraction import DetectedFaces, FaceExtractor
from service.pipeline.opening import PipelineOptions, open_embedder, open_face_extractor
from service.pipeline.selection import all_faces

JPEG_QUALITY = 95
MARGIN = 0.5
"""How much is cut out around a face on each side, as a fraction of the side of its box."""
MIN_IOU = 0.4
"""A face is found if the intersection over union of its box and a box that was found is at least this."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownFace:
    """A picture of one face. pixels: (h, w, 3) uint8. box: of the face, in pixels of the picture."""

    pixels: Pixels
    box: Box

    def cut_head(self, width_px: float) -> "KnownFace":
        """Return the face and what is close to it, scaled until the box has this width."""
        box, (height, width) = self.box, self.pixels.shape[:2]
        left, top = (max(0, round(start - MARGIN * side)) for start, side in ((box.x, box.width), (box.y, box.height)))
        right = min(width, round(box.x + (1 + MARGIN) * box.width))
        bottom = min(height, round(box.y + (1 + MARGIN) * box.height))
        scale = width_px / box.width
        moved = Box((box.x - left) * scale, (box.y - top) * scale, box.width * scale, box.height * scale)
        return KnownFace(_scale(self.pixels[top:bottom, left:right], scale), moved)

    def paste(self, canvas: Pixels, left: int, top: int) -> Box:
        """Copy the picture into the canvas, where it must fit. Return the box in pixels of the canvas."""
        height, width = self.pixels.shape[:2]
        canvas[top : top + height, left : left + width] = self.pixels
        return Box(self.box.x + left, self.box.y + top, self.box.width, self.box.height)


@dataclass(frozen=True, slots=True, eq=False)
class Composite:
    """A photograph and the boxes of its faces. pixels: (h, w, 3) uint8."""

    pixels: Pixels
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """What the pipeline finds in a composite.

    found: for each box of the composite, whether it is found.
    extra: how many faces are found where there is none.
    cpu_s: the CPU time, from the bytes of the JPEG file to the faces.
    """

    found: tuple[bool, ...]
    extra: int
    cpu_s: float


def search(extractor: FaceExtractor, composite: Composite) -> Search:
    """Send a composite through the pipeline, as a JPEG file."""
    data = to_jpeg(composite.pixels)
    start_s = time.thread_time()
    boxes = [face.box for face in extractor.detect(data, all_faces).faces]
    cpu_s = time.thread_time() - start_s
    found = tuple(any(_iou(box, other) >= MIN_IOU for other in boxes) for box in composite.boxes)
    extra = sum(all(_iou(box, other) < MIN_IOU for other in composite.boxes) for box in boxes)
    return Search(found, extra, cpu_s)


def find_known_faces(options: PipelineOptions, images: Path, count: int, done: Callable[[], object]) -> list[KnownFace]:
    """Return faces of different people whose photographs show one face. The draw is the same in every call.

    images: the folder that holds NAME/NAME_0001.jpg, ... The first photograph of each person is looked at.
    done: called after each face.
    Raises DatasetError if there are too few, or if a photograph cannot be used.
    """
    files = [photographs[0] for photographs in read_people(images).values()]
    extractor = open_face_extractor(options, open_embedder(options).card)
    known: list[KnownFace] = []
    for row in np.random.default_rng(SEED).permutation(len(files)):
        detected = detect_file(extractor, files[row])
        if detected.faces_found == 1:
            known.append(KnownFace(read_pixels(files[row], options.max_pixels), detected.faces[0].box))
            done()
        if len(known) == count:
            return known
    raise DatasetError(f"{images} has photographs of {len(known)} people that show one face, and {count} are needed.")


def detect_file(extractor: FaceExtractor, file: Path) -> DetectedFaces:
    """Return all faces of a file. Raises DatasetError if it cannot be used."""
    try:
        return extractor.detect(file.read_bytes(), all_faces)
    except (OSError, PhotographError) as error:
        raise unusable_photograph(file, error) from None


def read_pixels(file: Path, max_pixels: int) -> Pixels:
    """Return a photograph, (h, w, 3) uint8. Raises DatasetError if it cannot be used."""
    try:
        return decode(file.read_bytes(), max_pixels).pixels
    except (OSError, PhotographError) as error:
        raise unusable_photograph(file, error) from None


def to_jpeg(pixels: Pixels) -> bytes:
    """Return a JPEG file. pixels: (h, w, 3) uint8, RGB."""
    file = io.BytesIO()
    Pillow.fromarray(pixels).save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()


def _scale(pixels: Pixels, scale: float) -> Pixels:
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, size, interpolation=interpolation), np.uint8)


def _iou(one: Box, other: Box) -> float:
    """Return the intersection over union of two boxes."""
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    shared = max(0.0, width) * max(0.0, height)
    return shared / (one.area + other.area - shared)

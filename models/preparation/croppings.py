"""Photograph -> canvas, with the service's own eyes: decode, detect, main face, landmarks, align.

Three ways, one object each. What a canvas shows is said in the card's words, and kept without loss.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
from PIL import Image as Pillow

from models.errors import DatasetError
from models.preparation.shards import CANVAS, SUFFIXES, Stored, read_pixels
from service.alignment import ARCFACE_TEMPLATE, Aligner, template_to_crop
from service.card import BoxCrop, EmbedderCard, FivePoint
from service.domain import Box, Crops, Face, Image, Pixels, Points
from service.errors import NoFace
from service.images import decode
from service.pipeline import PipelineOptions, Sight, main_face, open_sight

CropName = Literal["five_point", "box", "aligned"]

LEVEL: Points = np.array([[-1, 0], [1, 0], [0, 1], [-1, 2], [1, 2]], np.float32)
"""Five points of a face that is upright, wherever it is."""


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A face cut out of a photograph.

    canvas: (h, w, 3) uint8 RGB. stored: the same, encoded without loss. crop: (1, h', w', 3) uint8, the same face as
    the embedder wants it that judges the set.
    """

    canvas: Pixels
    stored: Stored
    crop: Crops


class Cropping(Protocol):
    """How a photograph becomes a canvas. Safe to call from several threads at once."""

    @property
    def alignment(self) -> FivePoint | BoxCrop:
        """What a canvas shows."""
        ...

    def cut(self, data: bytes) -> Cut:
        """The main face of an encoded photograph.

        Raises NoFace, another PhotographError for what cannot be decoded, or DatasetError for what is no canvas
        where canvases are expected.
        """
        ...


@dataclass(frozen=True, slots=True)
class FivePointCropping:
    """Turned, scaled and shifted until five points lie on the template."""

    alignment: FivePoint
    sight: Sight
    judge: Aligner

    def cut(self, data: bytes) -> Cut:
        """The face with a border of 1/14 of the template around it, so that a crop can move inside."""
        image, face = _main_face(self.sight, data)
        (canvas,) = Aligner(self.alignment).align(image, [face])
        return Cut(canvas, encode(canvas), self.judge.align(image, [face]))


@dataclass(frozen=True, slots=True)
class BoxCropping:
    """The detector's tight box stretched to the canvas: scale and translation only (FaceNet, section 3.3 and 4).

    The service turns such a box upright by the eyes, which the paper does not, so here every face counts as upright.
    A network trained on these canvases sees heads as they were held, and is served them upright.
    """

    alignment: BoxCrop
    sight: Sight
    judge: Aligner

    def cut(self, data: bytes) -> Cut:
        """The box without a margin."""
        image, face = _main_face(self.sight, data)
        (canvas,) = Aligner(self.alignment).align(image, [replace(face, landmarks=LEVEL)])
        return Cut(canvas, encode(canvas), self.judge.align(image, [face]))


@dataclass(frozen=True, slots=True)
class AlignedCropping:
    """Photographs that are canvases already: decoded, and looked at no further."""

    alignment: FivePoint
    max_pixels: int
    judge: Aligner

    def cut(self, data: bytes) -> Cut:
        """The picture as it is."""
        image = decode(data, self.max_pixels)
        wanted = (self.alignment.height, self.alignment.width)
        if (image.height, image.width) != wanted:
            raise DatasetError(
                f"is {image.width} x {image.height} pixels, and canvases are {wanted[1]} x {wanted[0]}. "
                "Prepare photographs with the crop five_point."
            )
        box = Box(0.0, 0.0, float(image.width), float(image.height))
        face = Face(box, template_in(self.alignment), 1.0)
        return Cut(image.pixels, keep(data, image.pixels), self.judge.align(image, [face]))


def _main_face(sight: Sight, data: bytes) -> tuple[Image, Face]:
    """As the service looks at a photograph of one person. Raises PhotographError."""
    image = decode(data, sight.max_pixels)
    (found,) = sight.detector.detect([image])
    faces = sight.refine(image, main_face(found[: sight.max_faces], image))
    if not faces:
        raise NoFace
    return image, faces[0]


def template_in(alignment: FivePoint) -> Points:
    """Where the template's five points lie in a canvas, (5, 2) float32 in its pixels."""
    onto_canvas = template_to_crop(alignment)
    return np.asarray(ARCFACE_TEMPLATE @ onto_canvas[:, :2].T + onto_canvas[:, 2], np.float32)


def encode(canvas: Pixels) -> Stored:
    """Lossless WebP. Measured on canvases of 128 x 128 px cut from photographs, read with OpenCV on one core:

    PNG 30.7 kB, written in 0.7 ms, read in 0.35 ms; PNG at level 6 26.2 kB, 3.4 and 0.39 ms; lossless WebP of method 1
    17.6 kB, 2.2 and 0.24 ms; of method 4, which OpenCV writes, 17.1 kB, 14 and 0.29 ms. JPEG of quality 95 takes 6.8 kB
    and 0.09 ms, and loses.
    """
    file = io.BytesIO()
    Pillow.fromarray(canvas).save(file, "WEBP", lossless=True, method=1, quality=20)
    return Stored("webp", file.getvalue())


def keep(data: bytes, canvas: Pixels) -> Stored:
    """The file itself where a reader of shards sees the very canvas in it: a lossy file is several times smaller."""
    for suffix, magic in SUFFIXES.items():
        if data.startswith(magic) and np.array_equal(read_pixels(data), canvas):
            return Stored(suffix, data)
    return encode(canvas)


def open_five_point(options: PipelineOptions, card: EmbedderCard, canvas_px: int) -> FivePointCropping:
    """Raises StartupError for models that cannot be opened."""
    return FivePointCropping(_canvas(canvas_px), open_sight(options, card), Aligner(card.alignment))


def open_box(options: PipelineOptions, card: EmbedderCard, canvas_px: int) -> BoxCropping:
    """Raises StartupError for models that cannot be opened."""
    tight = BoxCrop(margin=0.0, height=canvas_px, width=canvas_px)
    return BoxCropping(tight, open_sight(options, card), Aligner(card.alignment))


def open_aligned(options: PipelineOptions, card: EmbedderCard, canvas_px: int) -> AlignedCropping:
    """Raises DatasetError for an embedder whose crop is a box: canvases do not tell where that was."""
    if isinstance(card.alignment, BoxCrop):
        raise DatasetError(
            f"{card.name} wants a box, which aligned canvases do not show. Give another embedder: sface."
        )
    return AlignedCropping(_canvas(canvas_px), options.max_pixels, Aligner(card.alignment))


def _canvas(side_px: int) -> FivePoint:
    return CANVAS.model_copy(update={"height": side_px, "width": side_px})


CROPPINGS: dict[CropName, Callable[[PipelineOptions, EmbedderCard, int], Cropping]] = {
    "five_point": open_five_point,
    "box": open_box,
    "aligned": open_aligned,
}
"""By name: what opens each, given the models, the card of the embedder that judges the set, and the canvas's side."""

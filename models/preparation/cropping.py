"""From a photograph to a canvas, with the detection, landmarks and alignment of the service.

There are three ways of cropping. Each is a class. The alignment of a canvas has the type that a card also has. Canvases
are encoded without loss.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
from PIL import Image as Pillow

from models.errors import DatasetError
from models.preparation.shards import CANVAS_ALIGNMENT, IMAGE_FORMATS, EncodedImage, read_pixels
from service.domain.errors import NoFace
from service.domain.face import Box, Crops, Face, Points
from service.domain.image import Image, Pixels
from service.model_files.card import BoxAlignment, EmbedderCard, FivePointAlignment
from service.pipeline.alignment import ARCFACE_TEMPLATE, Aligner, template_to_crop
from service.pipeline.decoding.decode import decode, full_size
from service.pipeline.detection.quarter_turns import turn_back
from service.pipeline.extraction import FaceExtractor
from service.pipeline.opening import PipelineOptions, open_face_extractor
from service.pipeline.selection import main_face

CropName = Literal["five_point", "box", "aligned"]

UPRIGHT_LANDMARKS: Points = np.array([[-1, 0], [1, 0], [0, 1], [-1, 2], [1, 2]], np.float32)
"""Landmarks of an upright face. Only the direction of the line between the eyes is used, so their position is free."""


@dataclass(frozen=True, slots=True, eq=False)
class CutFace:
    """A face that was cut out of a photograph.

    canvas: (h, w, 3) uint8 RGB.
    image: the canvas, encoded without loss.
    crop: (1, h', w', 3) uint8: the same face as a crop for the embedder that checks the labels.
    """

    canvas: Pixels
    image: EncodedImage
    crop: Crops


class Cropping(Protocol):
    """A way to make a canvas of a photograph. Safe to call from several threads at once."""

    @property
    def alignment(self) -> FivePointAlignment | BoxAlignment:
        """The alignment of a canvas."""
        ...

    def cut(self, data: bytes) -> CutFace:
        """Cut the main face out of an encoded photograph.

        Raises NoFace, or another PhotographError if the photograph cannot be decoded.
        Raises DatasetError if a canvas is expected and the picture has another size.
        """
        ...


@dataclass(frozen=True, slots=True)
class FivePointCropping:
    """Rotates, scales and shifts the face, so that its five landmarks fit the template.

    embedder_aligner: makes the crop for the embedder.
    """

    alignment: FivePointAlignment
    extractor: FaceExtractor
    embedder_aligner: Aligner

    def cut(self, data: bytes) -> CutFace:
        """Cut out the face with a border of 1/14 of the template on each side.

        The border allows training to shift and rotate a crop.
        """
        image, face = _detect_main_face(self.extractor, data)
        (canvas,) = Aligner(self.alignment).align(image, [face])
        return CutFace(canvas, encode(canvas), self.embedder_aligner.align(image, [face]))


@dataclass(frozen=True, slots=True)
class BoxCropping:
    """Stretches the detector's tight box to the canvas: scale and translation only (FaceNet, sections 3.3 and 4).

    The service rotates the face until the eyes are level. The paper does not, so these canvases are rotated by quarter
    turns only. A network that is trained on them sees tilted heads in training, and upright heads in the service.

    embedder_aligner: makes the crop for the embedder.
    """

    alignment: BoxAlignment
    extractor: FaceExtractor
    embedder_aligner: Aligner

    def cut(self, data: bytes) -> CutFace:
        """Cut out the box without a margin."""
        image, face = _detect_main_face(self.extractor, data)
        upright = replace(face, landmarks=turn_back(UPRIGHT_LANDMARKS, face.quarter_turns, 0, 0))
        (canvas,) = Aligner(self.alignment).align(image, [upright])
        return CutFace(canvas, encode(canvas), self.embedder_aligner.align(image, [face]))


@dataclass(frozen=True, slots=True)
class AlignedCropping:
    """Takes pictures that are already canvases. They are decoded, and no face is detected.

    embedder_aligner: makes the crop for the embedder.
    """

    alignment: FivePointAlignment
    max_pixels: int
    embedder_aligner: Aligner

    def cut(self, data: bytes) -> CutFace:
        """Return the whole picture."""
        image = decode(data, self.max_pixels)
        height, width = self.alignment.height, self.alignment.width
        if (image.height, image.width) != (height, width):
            raise DatasetError(
                f"is {image.width} x {image.height} pixels, and canvases are {width} x {height}. "
                "If the pictures are photographs, use --crop five_point."
            )
        box = Box(0.0, 0.0, float(image.width), float(image.height))
        face = Face(box, template_on_canvas(self.alignment), 1.0)
        return CutFace(image.pixels, keep_or_encode(data, image.pixels), self.embedder_aligner.align(image, [face]))


def _detect_main_face(extractor: FaceExtractor, data: bytes) -> tuple[Image, Face]:
    """Return the image and its main face, with refined landmarks. Raises PhotographError."""
    detected = extractor.detect(data, main_face)
    if not detected.faces:
        raise NoFace(extractor.min_face_px)
    return detected.image, detected.faces[0]


def template_on_canvas(alignment: FivePointAlignment) -> Points:
    """Return the position of the template's five points on a canvas, (5, 2) float32 in pixels of the canvas."""
    to_canvas = template_to_crop(alignment)
    return np.asarray(ARCFACE_TEMPLATE @ to_canvas[:, :2].T + to_canvas[:, 2], np.float32)


def encode(canvas: Pixels) -> EncodedImage:
    """Encode a canvas as lossless WebP.

    Measured on canvases of 128 x 128 px from photographs, read with OpenCV on one core:

        PNG                                          30.7 kB    written in 0.7 ms    read in 0.35 ms
        PNG, level 6                                 26.2 kB    written in 3.4 ms    read in 0.39 ms
        lossless WebP, method 1                      17.6 kB    written in 2.2 ms    read in 0.24 ms
        lossless WebP, method 4 (OpenCV writes it)   17.1 kB    written in 14 ms     read in 0.29 ms
        JPEG, quality 95 (with loss)                  6.8 kB                         read in 0.09 ms
    """
    file = io.BytesIO()
    Pillow.fromarray(canvas).save(file, "WEBP", lossless=True, method=1, quality=20)
    return EncodedImage("webp", file.getvalue())


def keep_or_encode(data: bytes, canvas: Pixels) -> EncodedImage:
    """Return the bytes of the file if `read_pixels` decodes exactly this canvas from them. Otherwise encode the canvas.

    This saves space: a lossy file is several times smaller than a lossless encoding of its pixels.
    """
    for suffix, first_bytes in IMAGE_FORMATS.items():
        if data.startswith(first_bytes) and np.array_equal(read_pixels(data), canvas):
            return EncodedImage(suffix, data)
    return encode(canvas)


def _open_extractor(options: PipelineOptions, card: EmbedderCard) -> FaceExtractor:
    """Open the models. Photographs are decoded at full size, because a canvas can need more pixels than a crop."""
    return replace(open_face_extractor(options, card), choose_reduction=full_size)


def open_five_point(options: PipelineOptions, card: EmbedderCard, canvas_px: int) -> FivePointCropping:
    """Open the models of `FivePointCropping`. Raises StartupError."""
    return FivePointCropping(_canvas(canvas_px), _open_extractor(options, card), Aligner(card.alignment))


def open_box(options: PipelineOptions, card: EmbedderCard, canvas_px: int) -> BoxCropping:
    """Open the models of `BoxCropping`. Raises StartupError."""
    tight_box = BoxAlignment(margin=0.0, height=canvas_px, width=canvas_px)
    return BoxCropping(tight_box, _open_extractor(options, card), Aligner(card.alignment))


def open_aligned(options: PipelineOptions, card: EmbedderCard, canvas_px: int) -> AlignedCropping:
    """Make an `AlignedCropping`.

    Raises DatasetError if the crop of the embedder is a box, because a canvas does not hold the position of the box.
    """
    if isinstance(card.alignment, BoxAlignment):
        raise DatasetError(
            f"{card.name} takes a box, and aligned canvases do not hold the position of the box. "
            "Give another embedder: --embedder sface."
        )
    return AlignedCropping(_canvas(canvas_px), options.max_pixels, Aligner(card.alignment))


def _canvas(side_px: int) -> FivePointAlignment:
    return CANVAS_ALIGNMENT.model_copy(update={"height": side_px, "width": side_px})


CROPPINGS: dict[CropName, Callable[[PipelineOptions, EmbedderCard, int], Cropping]] = {
    "five_point": open_five_point,
    "box": open_box,
    "aligned": open_aligned,
}
"""The functions that open the ways of cropping, by name.

Each takes the options, the card of the embedder that checks the labels, and the side of the canvas in pixels.
"""

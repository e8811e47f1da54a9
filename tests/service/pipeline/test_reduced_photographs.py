"""Photographs that are searched at reduced scale: when they are decoded again, and that the answer stays the same."""

import io
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from service.domain.face import Face
from service.domain.image import Image, Pixels
from service.pipeline.alignment import Aligner
from service.pipeline.decoding.decode import decode, full_size
from service.pipeline.detection.pyramid import PyramidDetector
from service.pipeline.embedders.onnx import OnnxEmbedder
from service.pipeline.extraction import FaceExtractor
from service.pipeline.selection import all_faces

SIDES_PX = (4_032, 3_024)
SMALL_FACE_PX, LARGE_FACE_PX = 60, 500


@pytest.fixture(scope="module")
def make_photograph(obama: bytes, extractor: FaceExtractor) -> Callable[[int], bytes]:
    """Return a function that makes a photograph of 12 megapixels. Its argument is the width of its face."""
    portrait = decode(obama, 10**7)
    (face,) = extractor.find_faces(portrait)

    def make(face_px: int) -> bytes:
        scale = face_px / face.box.width
        size = (round(portrait.width * scale), round(portrait.height * scale))
        canvas = np.full((SIDES_PX[1], SIDES_PX[0], 3), 90, np.uint8)
        canvas[200 : 200 + size[1], 300 : 300 + size[0]] = _resized(portrait.pixels, size)
        file = io.BytesIO()
        Pillow.fromarray(canvas).save(file, "JPEG", quality=95)
        return file.getvalue()

    return make


def _resized(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    shrinks = size[0] < pixels.shape[1]
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC), np.uint8)


@pytest.fixture(scope="module")
def at_full_size(extractor: FaceExtractor) -> FaceExtractor:
    return replace(extractor, choose_reduction=full_size)


def test_a_large_face_is_cut_from_the_reduced_photograph(
    extractor: FaceExtractor, make_photograph: Callable[[int], bytes]
) -> None:
    detected = extractor.detect(make_photograph(LARGE_FACE_PX), all_faces)
    assert (detected.faces_found, detected.image.reduction) == (1, 2)


def test_for_a_small_face_the_photograph_is_decoded_at_full_size(
    extractor: FaceExtractor, make_photograph: Callable[[int], bytes]
) -> None:
    detected = extractor.detect(make_photograph(SMALL_FACE_PX), all_faces)
    assert (detected.faces_found, detected.image.reduction) == (1, 1)


def test_a_photograph_is_not_decoded_again_for_a_face_that_is_not_selected(
    extractor: FaceExtractor, make_photograph: Callable[[int], bytes]
) -> None:
    detected = extractor.detect(make_photograph(SMALL_FACE_PX), lambda _faces, _image: [])
    assert (detected.faces_found, detected.image.reduction) == (1, 2)


@pytest.mark.parametrize("face_px", [SMALL_FACE_PX, 200, LARGE_FACE_PX])
def test_a_reduced_photograph_gives_the_same_face_in_the_same_place(
    extractor: FaceExtractor,
    at_full_size: FaceExtractor,
    embedder: OnnxEmbedder,
    make_photograph: Callable[[int], bytes],
    face_px: int,
) -> None:
    data = make_photograph(face_px)
    reduced, full = extractor.extract(data, all_faces), at_full_size.extract(data, all_faces)
    (face,), (expected,) = reduced.faces, full.faces
    tolerance_px = 0.03 * face_px
    np.testing.assert_allclose(face.landmarks, expected.landmarks, atol=tolerance_px)
    assert (face.box.x, face.box.width) == pytest.approx((expected.box.x, expected.box.width), abs=tolerance_px)
    assert reduced.measures[0].face_width_px == pytest.approx(full.measures[0].face_width_px, rel=0.03)
    assert reduced.measures[0].sharpness >= 0.95 * full.measures[0].sharpness
    embeddings = embedder.embed(np.concatenate([reduced.crops, full.crops]))
    assert np.sum((embeddings[0] - embeddings[1]) ** 2) < 0.05


@pytest.mark.parametrize(
    ("min_face_px", "max_side_px", "size", "reduction"),
    [
        (40, 65_535, (4_032, 3_024), 2),
        (40, 65_535, (8_160, 6_144), 2),
        (40, 65_535, (1_130, 800), 1),
        (40, 65_535, (250, 250), 1),
        (30, 65_535, (4_032, 3_024), 1),
        (80, 65_535, (4_032, 3_024), 4),
        (100, 65_535, (4_032, 3_024), 4),
        (40, 640, (4_032, 3_024), 4),
        (40, 640, (8_160, 6_144), 8),
    ],
)
def test_the_reduction_leaves_the_pixels_that_the_first_level_of_detection_needs(
    extractor: FaceExtractor, min_face_px: int, max_side_px: int, size: tuple[int, int], reduction: int
) -> None:
    finder: PyramidDetector = extractor.find_faces.__self__.detector  # type: ignore[attr-defined]
    chosen = replace(finder, min_face_px=min_face_px, max_side_px=max_side_px).choose_reduction(*size)
    assert chosen == reduction


@pytest.mark.parametrize("turn", [np.asarray, np.fliplr, np.flipud, lambda pixels: np.rot90(pixels, 1)])
def test_faces_are_found_in_a_view_as_in_a_copy(
    extractor: FaceExtractor, obama: bytes, turn: Callable[[Pixels], Pixels]
) -> None:
    view = turn(decode(obama, 10**7).pixels)
    faces, expected = (extractor.find_faces(Image(pixels)) for pixels in (view, np.ascontiguousarray(view)))
    assert len(faces) == len(expected) == 1
    np.testing.assert_allclose(faces[0].landmarks, expected[0].landmarks, atol=1)


@pytest.mark.parametrize("reduction", [2, 4])
def test_a_crop_of_reduced_pixels_shows_the_same_as_one_of_all_pixels(
    extractor: FaceExtractor, make_photograph: Callable[[int], bytes], reduction: int
) -> None:
    data = make_photograph(LARGE_FACE_PX)
    full, reduced = decode(data, 10**8), decode(data, 10**8, lambda _width, _height: reduction)
    faces: list[Face] = list(extractor.find_faces(full))
    crops = [Aligner(extractor.aligner.alignment).align(image, faces).astype(np.int64) for image in (full, reduced)]
    assert np.abs(crops[0] - crops[1]).mean() < 2

"""What is kept of a photograph is enough for another embedder, however the photograph was turned or cut off."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from service.domain.embedding import Embeddings
from service.domain.errors import UnreadableImage
from service.domain.face import Box, Face, KeptCrop
from service.domain.image import Image
from service.model_files.catalogue import ModelSource
from service.pipeline.alignment import KEPT_SIDE_PX, keep_crop
from service.pipeline.decoding.decode import decode
from service.pipeline.embedders.onnx import OnnxEmbedder
from service.pipeline.extraction import FaceExtractor
from service.pipeline.opening import PipelineOptions, open_embedder, open_face_extractor
from service.pipeline.selection import main_face
from tests.support.fakes import frontal_face

OpenModel = Callable[[str], tuple[OnnxEmbedder, FaceExtractor]]
Turn = Callable[[Image], Image]
MAX_DISTANCE = 0.02
"""The squared distance of two embeddings of one photograph. Two photographs of one person differ by 0.3 to 1.2."""


@pytest.fixture(scope="module")
def open_model(models_dir: Path, options: PipelineOptions) -> OpenModel:
    """Return what opens an embedder, and what cuts out crops for it."""

    @cache
    def opened(name: str) -> tuple[OnnxEmbedder, FaceExtractor]:
        own = replace(options, embedder=ModelSource(models_dir / f"{name}.onnx"))
        embedder = open_embedder(own)
        return embedder, open_face_extractor(own, embedder.card)

    return opened


def encode(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    return cv2.imencode(".png", cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGR))[1].tobytes()


def embeddings_of(opened: tuple[OnnxEmbedder, FaceExtractor], photograph: bytes) -> tuple[Embeddings, Embeddings]:
    """Return the embedding of the photograph, and that of what is kept of it."""
    embedder, extractor = opened
    found = extractor.extract(photograph, main_face, keep_crop)
    (kept,) = found.kept_crops
    assert kept is not None
    read = KeptCrop.from_bytes(kept.to_bytes())
    return embedder.embed(found.crops), embedder.embed(extractor.crops_of_kept(read))


@pytest.mark.parametrize("model", ["sface", "compact", pytest.param("facenet", marks=pytest.mark.slow)])
@pytest.mark.parametrize("quarter_turns", [0, 1, 2, 3])
def test_a_model_embeds_what_is_kept_as_it_embeds_the_photograph(
    open_model: OpenModel, obama: bytes, model: str, quarter_turns: int
) -> None:
    turned = encode(np.rot90(decode(obama, 10**8).pixels, quarter_turns))
    of_photograph, of_kept = embeddings_of(open_model(model), turned)
    assert np.sum((of_photograph - of_kept) ** 2) < MAX_DISTANCE


@pytest.mark.parametrize("cut", [(slice(0, 330), slice(0, 600)), (slice(150, 700), slice(380, 600))])
def test_a_face_at_the_edge_of_a_photograph_is_kept(
    open_model: OpenModel, obama: bytes, cut: tuple[slice, slice]
) -> None:
    part = encode(decode(obama, 10**8).pixels[cut])
    of_photograph, of_kept = embeddings_of(open_model("sface"), part)
    assert np.sum((of_photograph - of_kept) ** 2) < MAX_DISTANCE


def test_a_picture_is_small_and_has_no_more_of_the_photograph_than_the_surroundings_of_the_face(
    open_model: OpenModel, obama: bytes
) -> None:
    _, extractor = open_model("sface")
    found = extractor.extract(obama, main_face, keep_crop)
    (kept,), (face,) = found.kept_crops, found.faces
    assert kept is not None
    picture = decode(kept.picture, 10**8)
    assert max(picture.width, picture.height) <= KEPT_SIDE_PX
    assert picture.width * kept.reduction < 3 * face.box.width
    assert picture.height * kept.reduction < 3 * face.box.height


@pytest.mark.parametrize("quarter_turns", [0, 1, 2, 3])
@pytest.mark.parametrize("side_px", [100, 2_000])
def test_the_kept_places_are_those_of_the_face_in_the_picture(quarter_turns: int, side_px: int) -> None:
    """The colours of the image give the position of each pixel, and so where a landmark was before."""
    y, x = np.mgrid[0:side_px, 0:side_px] * (200.0 / side_px)
    image = Image(np.stack([x, y, np.full_like(x, 128)], 2).round().astype(np.uint8))
    upright = frontal_face(0.3 * side_px, 0.3 * side_px, 0.3 * side_px, 0.3 * side_px)
    face = replace(upright, quarter_turns=quarter_turns)
    kept = keep_crop(image, face)
    pixels = decode(kept.picture, 10**8).pixels
    assert pixels.shape[0] <= KEPT_SIDE_PX
    for before, after in zip(face.landmarks, kept.landmarks, strict=True):
        column, row = ((after + 0.5) / kept.reduction - 0.5).round().astype(int)
        np.testing.assert_allclose(pixels[row, column, :2] * (side_px / 200), before, atol=0.02 * side_px)
    assert kept.box.area == pytest.approx(face.box.area)


def test_nothing_is_kept_if_it_is_not_wanted(open_model: OpenModel, obama: bytes) -> None:
    assert open_model("sface")[1].extract(obama, main_face).kept_crops == (None,)


def test_a_face_beyond_the_photograph_keeps_at_least_one_pixel() -> None:
    image = Image(np.zeros((50, 40, 3), np.uint8))
    for face in (frontal_face(500, 500, 20, 20), Face(Box(0, 0, 0, 0), np.zeros((5, 2), np.float32), 1.0)):
        assert decode(keep_crop(image, face).picture, 10**8).pixels.size >= 3


def test_a_damaged_picture_is_refused(open_model: OpenModel) -> None:
    kept = KeptCrop(b"no picture", 1, Box(0, 0, 10, 10), np.zeros((5, 2), np.float32))
    with pytest.raises(UnreadableImage):
        open_model("sface")[1].crops_of_kept(kept)


def test_damaged_places_are_refused() -> None:
    kept = KeptCrop(b"picture", 2, Box(1, 2, 3, 4), np.arange(10, dtype=np.float32).reshape(5, 2))
    stored = kept.to_bytes()
    read = KeptCrop.from_bytes(stored)
    assert (read.picture, read.reduction, read.box) == (kept.picture, 2, kept.box)
    np.testing.assert_array_equal(read.landmarks, kept.landmarks)
    for damaged in (stored[:40], b"\0" * 60, b"\xff" * 60):
        with pytest.raises(ValueError, match=r"damaged|smaller"):
            KeptCrop.from_bytes(damaged)

import asyncio
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from service.alignment import Aligner
from service.distances import unit
from service.domain import Face, Image, Notice
from service.embedders.onnx import OnnxEmbedder
from service.errors import ImageTooLarge, ModelFileError, UnreadableImage
from service.observability.stages import request_stages
from service.pipeline import (
    Choose,
    Mirror,
    ModelSource,
    Pipeline,
    PipelineOptions,
    Sight,
    detected_landmarks,
    every_face,
    main_face,
    open_pipeline,
    open_sight,
)
from tests.fakes import FixedDetector, face
from tests.pictures import meadow, side_by_side

pytestmark = pytest.mark.anyio

SAME_WITHIN = 1e-5
SQUARE = Image(np.zeros((200, 200, 3), np.uint8))


def losslessly(photograph: bytes, kind: str, mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Pillow.open(io.BytesIO(photograph)).convert(mode).save(file, kind, lossless=True)
    return file.getvalue()


def blind_sight(sight: Sight, *faces: Face, max_faces: int = 100) -> Sight:
    """One that takes the same faces to be in every photograph."""
    return replace(sight, detector=FixedDetector(list(faces)), refine=detected_landmarks, max_faces=max_faces)


def test_the_main_face_is_the_largest_of_those_in_the_middle() -> None:
    small, large = face(80, 80, 30, 30), face(70, 70, 60, 60)
    assert main_face([small, large], SQUARE) == [large]


def test_a_larger_face_at_the_edge_is_a_bystander() -> None:
    middle, bystander = face(80, 80, 40, 40), face(0, 0, 60, 60)
    assert main_face([bystander, middle], SQUARE) == [middle]


def test_without_a_face_there_is_no_main_face() -> None:
    assert main_face([], SQUARE) == []


@given(
    boxes=st.lists(
        st.tuples(st.floats(0, 200), st.floats(0, 200), st.floats(1, 200), st.floats(1, 200)), min_size=1, max_size=8
    )
)
def test_the_main_face_has_the_greatest_area_less_twice_its_squared_distance_from_the_middle(
    boxes: list[tuple[float, float, float, float]],
) -> None:
    faces = [face(*box) for box in boxes]
    scores = [w * h - 2 * ((x + w / 2 - 100) ** 2 + (y + h / 2 - 100) ** 2) for x, y, w, h in boxes]
    (found,) = main_face(faces, SQUARE)
    assert scores[[one is found for one in faces].index(True)] == pytest.approx(max(scores))


async def test_every_face_of_a_photograph_is_embedded(pipeline: Pipeline, obama: bytes, biden: bytes) -> None:
    found = await pipeline.probe(side_by_side(obama, biden), every_face)
    assert found.faces_found == len(found.faces) == 2
    assert found.embeddings.shape == (2, 128)
    np.testing.assert_allclose(np.linalg.norm(found.embeddings, axis=1), 1.0, atol=1e-6)


async def test_the_main_face_of_a_photograph_is_embedded(pipeline: Pipeline, obama: bytes, biden: bytes) -> None:
    found = await pipeline.probe(side_by_side(obama, biden), main_face)
    assert (len(found.faces), found.faces_found) == (1, 2)
    assert found.embeddings.shape == (1, 128)


@pytest.mark.parametrize("choose", [every_face, main_face])
async def test_a_photograph_without_a_face_has_no_embedding(pipeline: Pipeline, choose: Choose) -> None:
    found = await pipeline.probe(meadow(), choose)
    assert (found.faces, found.faces_found) == ((), 0)
    assert found.embeddings.shape == (0, 128)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP"])
async def test_the_same_pixels_in_another_format_have_the_same_embedding(
    pipeline: Pipeline, obama: bytes, kind: str
) -> None:
    jpeg = await pipeline.probe(obama, main_face)
    other = await pipeline.probe(losslessly(obama, kind), main_face)
    np.testing.assert_allclose(other.embeddings, jpeg.embeddings, atol=SAME_WITHIN)


async def test_a_photograph_has_the_same_embedding_alone_and_in_a_full_batch(
    options: PipelineOptions, obama: bytes, biden: bytes, obama2: bytes
) -> None:
    async with open_pipeline(replace(options, workers=1, max_batch=8)) as pipeline:
        photographs = [obama, biden, obama2] * 4
        alone = [await pipeline.probe(one, main_face) for one in photographs[:3]]
        together = await asyncio.gather(*(pipeline.probe(one, main_face) for one in photographs))
    for expected, found in zip(alone * 4, together, strict=True):
        np.testing.assert_allclose(found.embeddings, expected.embeddings, atol=SAME_WITHIN)


@pytest.mark.parametrize(
    ("mirror", "averages"), [("off", (False, False)), ("enrolment", (False, True)), ("always", (True, True))]
)
async def test_mirror_averaging_is_for_none_for_references_or_for_all(
    options: PipelineOptions, embedder: OnnxEmbedder, obama: bytes, mirror: Mirror, averages: tuple[bool, bool]
) -> None:
    async with open_pipeline(replace(options, mirror=mirror)) as pipeline:
        crops = pipeline.sight.look(obama, main_face).crops
        found = [(await way(obama, main_face)).embeddings for way in (pipeline.probe, pipeline.reference)]
    plain = embedder.embed(crops)
    averaged = unit(plain + embedder.embed(np.ascontiguousarray(crops[:, :, ::-1])))
    assert np.abs(averaged - plain).max() > 1e-3
    for embeddings, is_averaged in zip(found, averages, strict=True):
        np.testing.assert_allclose(embeddings, averaged if is_averaged else plain, atol=SAME_WITHIN)


def test_without_a_landmark_model_the_detector_s_points_are_kept(
    options: PipelineOptions, embedder: OnnxEmbedder, sight: Sight, obama: bytes
) -> None:
    rough = open_sight(replace(options, landmarks=None), embedder.card).look(obama, main_face)
    fine = sight.look(obama, main_face)
    assert rough.faces[0].box == fine.faces[0].box
    assert np.abs(rough.faces[0].landmarks - fine.faces[0].landmarks).max() > 0.1


def test_of_more_faces_than_are_taken_the_most_certain_are_and_it_is_told(sight: Sight) -> None:
    faces = [face(10.0 * i, 10, 30, 30, score=1.0 - i / 10) for i in range(5)]
    view = blind_sight(sight, *faces, max_faces=3).look(meadow(), every_face)
    assert view.faces == tuple(faces[:3])
    assert view.crops.shape == (3, 112, 112, 3)
    assert view.faces_found == 5
    assert view.notices == (Notice.FACES_LEFT_OUT,)


def test_as_many_faces_as_are_taken_leave_none_out(sight: Sight) -> None:
    view = blind_sight(sight, face(10, 10, 30, 30), max_faces=1).look(meadow(), every_face)
    assert view.notices == ()


def test_crops_are_cut_from_the_chosen_faces_in_their_order(sight: Sight, obama: bytes) -> None:
    left, right = face(300, 200, 200, 250), face(500, 600, 100, 130)
    blind = blind_sight(sight, left, right)
    image = Image(np.asarray(Pillow.open(io.BytesIO(obama)).convert("RGB")))
    assert isinstance(blind.aligner, Aligner)
    np.testing.assert_array_equal(blind.look(obama, every_face).crops, blind.aligner.align(image, [left, right]))


async def test_what_decoding_changed_is_told(pipeline: Pipeline, obama: bytes) -> None:
    found = await pipeline.probe(losslessly(obama, "PNG", "LA"), main_face)
    assert found.notices == (Notice.CONVERTED_COLOURS,)
    assert len(found.faces) == 1


async def test_what_is_no_photograph_is_refused(pipeline: Pipeline) -> None:
    with pytest.raises(UnreadableImage):
        await pipeline.probe(b"no photograph", main_face)


async def test_the_limit_of_pixels_is_the_pipeline_s(options: PipelineOptions, obama: bytes) -> None:
    async with open_pipeline(replace(options, max_pixels=1_000)) as pipeline:
        with pytest.raises(ImageTooLarge, match="limit of 1000 pixels"):
            await pipeline.probe(obama, main_face)


async def test_each_stage_is_timed(pipeline: Pipeline, obama: bytes) -> None:
    with request_stages() as seconds:
        await pipeline.probe(obama, main_face)
    assert list(seconds) == ["decode", "detect", "landmarks", "align", "queue", "embed"]


async def test_a_model_that_is_missing_stops_the_start(options: PipelineOptions, tmp_path: Path) -> None:
    nothing = ModelSource(tmp_path / "nothing.onnx")
    for without in (
        replace(options, detector=nothing),
        replace(options, landmarks=nothing),
        replace(options, embedder=nothing),
    ):
        with pytest.raises(ModelFileError, match=r"nothing\.onnx is missing"):
            async with open_pipeline(without):
                pass

import asyncio
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from anyio import to_thread
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from service.domain.command_errors import ModelFileError
from service.domain.distances import unit
from service.domain.errors import Abandoned, ImageTooLarge, UnreadableImage
from service.domain.face import Face
from service.domain.image import Image, Notice
from service.domain.waiting import WaitingClient, work_for
from service.model_files.catalogue import ModelSource
from service.observability.stages import request_stages
from service.pipeline.alignment import Aligner
from service.pipeline.embedders.onnx import OnnxEmbedder
from service.pipeline.extraction import FaceExtractor
from service.pipeline.opening import PipelineOptions, open_face_extractor, open_pipeline
from service.pipeline.pipeline import MirrorAveraging, Pipeline
from service.pipeline.round_robin import RoundRobinLimiter, RoundRobinThreads
from service.pipeline.selection import SelectFaces, all_faces, main_face
from tests.support.fakes import BlockingFinder, frontal_face
from tests.support.hostile_images import png_of_zeros
from tests.support.sample_images import place_side_by_side, png_without_face

pytestmark = pytest.mark.anyio

TOLERANCE = 1e-5
SQUARE_IMAGE = Image(np.zeros((200, 200, 3), np.uint8))


def encode_losslessly(photograph: bytes, kind: str, mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Pillow.open(io.BytesIO(photograph)).convert(mode).save(file, kind, lossless=True)
    return file.getvalue()


def with_fixed_faces(extractor: FaceExtractor, *faces: Face, max_faces: int = 100) -> FaceExtractor:
    """Return an extractor that finds the same faces in every photograph."""
    return replace(extractor, find_faces=lambda _image: faces, max_faces=max_faces)


def test_the_largest_face_in_the_middle_is_the_main_face() -> None:
    small, large = frontal_face(80, 80, 30, 30), frontal_face(70, 70, 60, 60)
    assert main_face([small, large], SQUARE_IMAGE) == [large]


def test_a_larger_face_at_the_edge_is_not_the_main_face() -> None:
    middle_face, edge_face = frontal_face(80, 80, 40, 40), frontal_face(0, 0, 60, 60)
    assert main_face([edge_face, middle_face], SQUARE_IMAGE) == [middle_face]


def test_without_a_face_there_is_no_main_face() -> None:
    assert main_face([], SQUARE_IMAGE) == []


@given(
    boxes=st.lists(
        st.tuples(st.floats(0, 200), st.floats(0, 200), st.floats(1, 200), st.floats(1, 200)), min_size=1, max_size=8
    )
)
def test_the_main_face_has_the_greatest_area_less_twice_its_squared_distance_from_the_middle(
    boxes: list[tuple[float, float, float, float]],
) -> None:
    faces = [frontal_face(*box) for box in boxes]
    scores = [w * h - 2 * ((x + w / 2 - 100) ** 2 + (y + h / 2 - 100) ** 2) for x, y, w, h in boxes]
    (selected,) = main_face(faces, SQUARE_IMAGE)
    assert scores[[face is selected for face in faces].index(True)] == pytest.approx(max(scores))


async def test_every_face_of_a_photograph_is_embedded(pipeline: Pipeline, obama: bytes, biden: bytes) -> None:
    embedded = await pipeline.embed_probe(place_side_by_side(obama, biden), all_faces)
    assert embedded.faces_found == len(embedded.faces) == 2
    assert embedded.embeddings.shape == (2, 128)
    np.testing.assert_allclose(np.linalg.norm(embedded.embeddings, axis=1), 1.0, atol=1e-6)


async def test_the_main_face_of_a_photograph_is_embedded(pipeline: Pipeline, obama: bytes, biden: bytes) -> None:
    embedded = await pipeline.embed_probe(place_side_by_side(obama, biden), main_face)
    assert (len(embedded.faces), embedded.faces_found) == (1, 2)
    assert embedded.embeddings.shape == (1, 128)


@pytest.mark.parametrize("select", [all_faces, main_face])
async def test_a_photograph_without_a_face_has_no_embedding(pipeline: Pipeline, select: SelectFaces) -> None:
    embedded = await pipeline.embed_probe(png_without_face(), select)
    assert (embedded.faces, embedded.faces_found) == ((), 0)
    assert embedded.embeddings.shape == (0, 128)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP"])
async def test_the_same_pixels_in_another_format_have_the_same_embedding(
    pipeline: Pipeline, obama: bytes, kind: str
) -> None:
    jpeg = await pipeline.embed_probe(obama, main_face)
    other_format = await pipeline.embed_probe(encode_losslessly(obama, kind), main_face)
    np.testing.assert_allclose(other_format.embeddings, jpeg.embeddings, atol=TOLERANCE)


async def test_a_photograph_has_the_same_embedding_alone_and_in_a_full_batch(
    options: PipelineOptions, obama: bytes, biden: bytes, obama2: bytes
) -> None:
    async with open_pipeline(replace(options, workers=1, max_batch=8)) as pipeline:
        photographs = [obama, biden, obama2] * 4
        alone = [await pipeline.embed_probe(photograph, main_face) for photograph in photographs[:3]]
        together = await asyncio.gather(*(pipeline.embed_probe(photograph, main_face) for photograph in photographs))
    for expected, embedded in zip(alone * 4, together, strict=True):
        np.testing.assert_allclose(embedded.embeddings, expected.embeddings, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("mirror", "averages"), [("off", (False, False)), ("enrolment", (False, True)), ("always", (True, True))]
)
async def test_mirror_averaging_is_for_none_for_references_or_for_all(
    options: PipelineOptions, embedder: OnnxEmbedder, obama: bytes, mirror: MirrorAveraging, averages: tuple[bool, bool]
) -> None:
    async with open_pipeline(replace(options, mirror=mirror)) as pipeline:
        crops = pipeline.extractor.extract(obama, main_face).crops
        results = [
            (await embed(obama, main_face)).embeddings for embed in (pipeline.embed_probe, pipeline.embed_reference)
        ]
    plain = embedder.embed(crops)
    averaged = unit(plain + embedder.embed(np.ascontiguousarray(crops[:, :, ::-1])))
    assert np.abs(averaged - plain).max() > 1e-3
    for embeddings, is_averaged in zip(results, averages, strict=True):
        np.testing.assert_allclose(embeddings, averaged if is_averaged else plain, atol=TOLERANCE)


def test_without_a_landmark_model_the_landmarks_of_the_detector_are_kept(
    options: PipelineOptions, embedder: OnnxEmbedder, extractor: FaceExtractor, obama: bytes
) -> None:
    detected = open_face_extractor(replace(options, landmarks=None), embedder.card).extract(obama, main_face)
    refined = extractor.extract(obama, main_face)
    assert detected.faces[0].box == refined.faces[0].box
    assert np.abs(detected.faces[0].landmarks - refined.faces[0].landmarks).max() > 0.1


def test_above_max_faces_the_faces_with_the_highest_scores_are_kept_with_a_notice(extractor: FaceExtractor) -> None:
    faces = [frontal_face(10.0 * i, 10, 30, 30, detection_score=1.0 - i / 10) for i in range(5)]
    extracted = with_fixed_faces(extractor, *faces, max_faces=3).extract(png_without_face(), all_faces)
    assert extracted.faces == tuple(faces[:3])
    assert extracted.crops.shape == (3, 112, 112, 3)
    assert extracted.faces_found == 5
    assert extracted.notices == (Notice.FACES_LEFT_OUT,)


def test_a_turned_face_gives_a_notice(extractor: FaceExtractor) -> None:
    upright, turned = frontal_face(10, 10, 30, 30), replace(frontal_face(60, 10, 30, 30), quarter_turns=2)
    both = with_fixed_faces(extractor, upright, turned)
    assert both.extract(png_without_face(), all_faces).notices == (Notice.TURNED,)
    assert both.extract(png_without_face(), lambda faces, _image: faces[:1]).notices == ()


def test_exactly_max_faces_give_no_notice(extractor: FaceExtractor) -> None:
    extracted = with_fixed_faces(extractor, frontal_face(10, 10, 30, 30), max_faces=1).extract(
        png_without_face(), all_faces
    )
    assert extracted.notices == ()


def test_crops_are_cut_from_the_chosen_faces_in_their_order(extractor: FaceExtractor, obama: bytes) -> None:
    left, right = frontal_face(300, 200, 200, 250), frontal_face(500, 600, 100, 130)
    extractor_of_two = with_fixed_faces(extractor, left, right)
    image = Image(np.asarray(Pillow.open(io.BytesIO(obama)).convert("RGB")))
    assert isinstance(extractor_of_two.aligner, Aligner)
    np.testing.assert_array_equal(
        extractor_of_two.extract(obama, all_faces).crops, extractor_of_two.aligner.align(image, [left, right])
    )


async def test_the_notices_of_the_decoder_are_returned(pipeline: Pipeline, obama: bytes) -> None:
    embedded = await pipeline.embed_probe(encode_losslessly(obama, "PNG", "LA"), main_face)
    assert embedded.notices == (Notice.CONVERTED_COLOURS,)
    assert len(embedded.faces) == 1


async def test_data_that_is_not_a_photograph_is_refused(pipeline: Pipeline) -> None:
    with pytest.raises(UnreadableImage):
        await pipeline.embed_probe(b"no photograph", main_face)


async def test_the_pipeline_limits_the_number_of_pixels(options: PipelineOptions, obama: bytes) -> None:
    async with open_pipeline(replace(options, max_pixels=1_000)) as pipeline:
        with pytest.raises(ImageTooLarge, match="limit of 1000 pixels"):
            await pipeline.embed_probe(obama, main_face)


async def test_each_stage_is_timed(pipeline: Pipeline, obama: bytes) -> None:
    with request_stages() as seconds:
        await pipeline.embed_probe(obama, main_face)
    assert list(seconds) == ["decode", "detect", "landmarks", "align", "quality", "queue", "embed"]


async def test_a_missing_model_file_is_an_error(options: PipelineOptions, tmp_path: Path) -> None:
    missing_model = ModelSource(tmp_path / "nothing.onnx")
    for options_with_missing_model in (
        replace(options, detector=missing_model),
        replace(options, landmarks=missing_model),
        replace(options, embedder=missing_model),
    ):
        with pytest.raises(ModelFileError, match=r"nothing\.onnx is missing"):
            async with open_pipeline(options_with_missing_model):
                pass


@pytest.fixture
def finder() -> Iterator[BlockingFinder]:
    finder = BlockingFinder()
    yield finder
    finder.may_return.set()


def with_finder(pipeline: Pipeline, finder: BlockingFinder, threads: int) -> Pipeline:
    """Return a pipeline with so many threads. It embeds no face, because the finder finds none."""
    return replace(
        pipeline,
        extractor=replace(pipeline.extractor, find_faces=finder.find),
        extraction_threads=RoundRobinThreads(threads),
        large_photographs=RoundRobinLimiter(1),
    )


async def test_large_photographs_leave_a_thread_for_others(pipeline: Pipeline, finder: BlockingFinder) -> None:
    two_threads = with_finder(pipeline, finder, threads=2)
    large = png_of_zeros(5_000, 3_300)
    work = [asyncio.create_task(two_threads.embed_probe(large, all_faces)) for _ in range(2)]
    await to_thread.run_sync(finder.begun.acquire)
    work.append(asyncio.create_task(two_threads.embed_probe(png_without_face(10, 9), all_faces)))
    await to_thread.run_sync(finder.begun.acquire)
    assert finder.widths == [5_000, 10]
    finder.may_return.set()
    await asyncio.gather(*work)


async def test_no_photograph_is_begun_if_nobody_waits_for_the_answer(
    pipeline: Pipeline, finder: BlockingFinder, obama: bytes
) -> None:
    client = WaitingClient()
    client.refuse()
    with work_for(client), pytest.raises(Abandoned):
        await with_finder(pipeline, finder, threads=1).embed_probe(obama, all_faces)
    assert finder.widths == []


async def test_the_search_of_a_photograph_ends_if_nobody_waits_any_more(pipeline: Pipeline, obama: bytes) -> None:
    client = WaitingClient()
    extractor = pipeline.extractor

    def find_after_refusal(image: Image) -> Sequence[Face]:
        client.refuse()
        return extractor.find_faces(image)

    with work_for(client), pytest.raises(Abandoned):
        replace(extractor, find_faces=find_after_refusal).extract(obama, all_faces)

"""Open the models of a pipeline."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from service.model_files.card import DetectorCard, EmbedderCard, LandmarksCard
from service.model_files.catalogue import ModelSource
from service.model_files.execution.options import Execution, ProviderName
from service.model_files.model_file import open_model
from service.pipeline.alignment import Aligner, keep_crop
from service.pipeline.batching import Batcher
from service.pipeline.decoding.containers.outline import MAX_SIDE_PX
from service.pipeline.detection.finding import DetectorAlone, FaceFinder
from service.pipeline.detection.landmarks import LandmarkNetwork
from service.pipeline.detection.pyramid import PyramidDetector
from service.pipeline.detection.yunet import YuNet
from service.pipeline.embedders.onnx import OnnxEmbedder
from service.pipeline.embedders.precision import OPENERS, PrecisionName, PrecisionOptions
from service.pipeline.extraction import FaceExtractor, keep_nothing
from service.pipeline.pipeline import EmbedCrops, MirrorAveraging, Pipeline, average_with_mirror
from service.pipeline.round_robin import RoundRobinLimiter, RoundRobinThreads

SMALL_FACE_MIN_SCORE = 0.55
"""The least detection score of a small face, if the landmark network also decides whether it is a face."""


OUTLINES_AT_ONCE = 2
"""The structure of a file is read mostly in Python, so more threads would not be faster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineOptions:
    """The options of a pipeline.

    landmarks: None keeps the landmarks of the detector.
    int8: the embedder in int8. None if there is none.
    precision: in which the embedder computes.
    threads: how many photographs are decoded and searched for faces in parallel.
    workers: how many calls of the embedder run in parallel.
    max_batch: the most crops in one call of the embedder.
    threads_per_call: how many threads one call of the embedder uses.
    engines: the folder of TensorRT's engines. None: they are built again at each start.
    max_side_px: a larger photograph is shrunk to this before it is searched for faces.
    min_face_px: the width of the smallest face to look for, in pixels of the photograph.
    min_score: the least detection score of a face.
    keep_crops: whether a part of each photograph that is enrolled is kept.
    """

    detector: ModelSource
    landmarks: ModelSource | None
    embedder: ModelSource
    int8: ModelSource | None = None
    precision: PrecisionName = "float32"
    provider: ProviderName = "cpu"
    threads: int = 1
    workers: int = 1
    max_batch: int = 8
    threads_per_call: int = 1
    engines: Path | None = None
    mirror: MirrorAveraging = "off"
    max_pixels: int = 52_000_000
    max_side_px: int = MAX_SIDE_PX
    min_face_px: int = 40
    min_score: float = 0.8
    max_faces: int = 100
    keep_crops: bool = False


@asynccontextmanager
async def open_pipeline(options: PipelineOptions) -> AsyncIterator[Pipeline]:
    """Open the models and start the batcher. The end of the context closes both. Raises StartupError."""
    embedder = open_embedder(options)
    extractor = open_face_extractor(options, embedder.card)
    async with _open_batcher(embedder, options) as (probes, references):
        yield Pipeline(
            card=embedder.card,
            extractor=extractor,
            embed_probe_crops=probes,
            embed_reference_crops=references,
            outline_threads=RoundRobinThreads(OUTLINES_AT_ONCE),
            extraction_threads=RoundRobinThreads(options.threads),
            large_photographs=RoundRobinLimiter(max(1, options.threads - 1)),
            keep_crop=keep_crop if options.keep_crops else keep_nothing,
        )


@asynccontextmanager
async def open_next(pipeline: Pipeline, options: PipelineOptions) -> AsyncIterator[Pipeline]:
    """Open a second embedder and start a batcher for it. The rest is that of the open pipeline. Raises StartupError."""
    embedder = open_embedder(options)
    extractor = replace(pipeline.extractor, aligner=Aligner(embedder.card.alignment))
    async with _open_batcher(embedder, options) as (probes, references):
        yield replace(
            pipeline,
            card=embedder.card,
            extractor=extractor,
            embed_probe_crops=probes,
            embed_reference_crops=references,
        )


@asynccontextmanager
async def _open_batcher(
    embedder: OnnxEmbedder, options: PipelineOptions
) -> AsyncIterator[tuple[EmbedCrops, EmbedCrops]]:
    """Start a batcher. Yield what embeds the crops of probes, and those of references."""
    async with Batcher(embedder.embed, workers=options.workers, max_batch=options.max_batch) as batcher:
        averaged = average_with_mirror(batcher.embed)
        probes = averaged if options.mirror == "always" else batcher.embed
        yield probes, batcher.embed if options.mirror == "off" else averaged


def open_embedder(options: PipelineOptions) -> OnnxEmbedder:
    """Open the embedder only. Raises StartupError."""
    return OPENERS[options.precision](PrecisionOptions(options.embedder, options.int8, execution_of_embedder(options)))


def execution_of_embedder(options: PipelineOptions) -> Execution:
    """Return how the embedder is run."""
    return Execution(
        provider=options.provider,
        threads_per_call=options.threads_per_call,
        calls=options.workers,
        max_batch=options.max_batch,
        engines=options.engines,
    )


def open_face_extractor(options: PipelineOptions, card: EmbedderCard) -> FaceExtractor:
    """Open the detector and the landmark network, with one thread a call. Raises StartupError.

    card: the card of the embedder that gets the crops.
    """
    finder = _open_face_finder(options)
    return FaceExtractor(
        find_faces=finder.find,
        refine_faces=finder.refine,
        choose_reduction=finder.detector.choose_reduction,
        aligner=Aligner(card.alignment),
        max_pixels=options.max_pixels,
        min_face_px=options.min_face_px,
        max_faces=options.max_faces,
    )


def _open_face_finder(options: PipelineOptions) -> FaceFinder | DetectorAlone:
    source = options.landmarks
    if source is None:
        return DetectorAlone(_open_detector(options, options.min_score))
    landmarks = LandmarkNetwork(
        open_model(source.path, LandmarksCard, _execution_of_photographs(options), source.sha256)
    )
    return FaceFinder(_open_detector(options, min(options.min_score, SMALL_FACE_MIN_SCORE)), landmarks)


def _open_detector(options: PipelineOptions, small_min_score: float) -> PyramidDetector:
    source = options.detector
    file = open_model(source.path, DetectorCard, _execution_of_photographs(options), source.sha256)
    yunet = YuNet(file, min_score=options.min_score, small_min_score=small_min_score)
    return PyramidDetector(yunet, options.min_face_px, options.max_side_px)


def _execution_of_photographs(options: PipelineOptions) -> Execution:
    """Return how the detector and the landmark network are run: photographs have any size, and any number of faces."""
    return Execution(provider=options.provider, calls=options.threads).for_any_size()

"""Open the models of a pipeline."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio

from service.model_files.card import DetectorCard, EmbedderCard, LandmarksCard
from service.model_files.catalogue import ModelSource
from service.model_files.model_file import ProviderName, open_model
from service.pipeline.alignment import Aligner
from service.pipeline.batching import Batcher
from service.pipeline.detectors.yunet import YuNet
from service.pipeline.embedders.onnx import OnnxEmbedder
from service.pipeline.extraction import FaceExtractor, RefineLandmarks, keep_landmarks
from service.pipeline.landmarks import LandmarkRefiner
from service.pipeline.pipeline import MirrorAveraging, Pipeline, average_with_mirror


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineOptions:
    """The options of a pipeline.

    landmarks: None keeps the landmarks of the detector.
    threads: how many photographs are decoded and searched for faces in parallel.
    workers: how many calls of the embedder run in parallel.
    max_batch: the most crops in one call of the embedder.
    threads_per_call: how many threads one call of the embedder uses.
    """

    detector: ModelSource
    landmarks: ModelSource | None
    embedder: ModelSource
    provider: ProviderName = "cpu"
    threads: int = 1
    workers: int = 1
    max_batch: int = 8
    threads_per_call: int = 1
    mirror: MirrorAveraging = "off"
    max_pixels: int = 50_000_000
    max_side_px: int = 640
    min_score: float = 0.8
    max_faces: int = 100


@asynccontextmanager
async def open_pipeline(options: PipelineOptions) -> AsyncIterator[Pipeline]:
    """Open the models and start the batcher. The end of the context closes both. Raises StartupError."""
    embedder = open_embedder(options)
    extractor = open_face_extractor(options, embedder.card)
    async with Batcher(embedder.embed, workers=options.workers, max_batch=options.max_batch) as batcher:
        averaged = average_with_mirror(batcher.embed)
        yield Pipeline(
            card=embedder.card,
            extractor=extractor,
            embed_probe_crops=averaged if options.mirror == "always" else batcher.embed,
            embed_reference_crops=batcher.embed if options.mirror == "off" else averaged,
            extraction_threads=anyio.CapacityLimiter(options.threads),
        )


def open_embedder(options: PipelineOptions) -> OnnxEmbedder:
    """Open the embedder only. Raises StartupError."""
    source = options.embedder
    return OnnxEmbedder(
        open_model(source.path, EmbedderCard, options.provider, options.threads_per_call, source.sha256)
    )


def open_face_extractor(options: PipelineOptions, card: EmbedderCard) -> FaceExtractor:
    """Open the detector and the landmark network, with one thread a call. Raises StartupError.

    card: the card of the embedder that gets the crops.
    """
    source = options.detector
    detector = open_model(source.path, DetectorCard, options.provider, 1, source.sha256)
    return FaceExtractor(
        detector=YuNet(detector, max_side_px=options.max_side_px, min_score=options.min_score),
        refine_landmarks=_open_landmark_refiner(options),
        aligner=Aligner(card.alignment),
        max_pixels=options.max_pixels,
        max_faces=options.max_faces,
    )


def _open_landmark_refiner(options: PipelineOptions) -> RefineLandmarks:
    source = options.landmarks
    if source is None:
        return keep_landmarks
    return LandmarkRefiner(open_model(source.path, LandmarksCard, options.provider, 1, source.sha256)).refine

"""A photograph's way: bytes -> image -> faces -> better landmarks -> crops -> embeddings.

Serving, evaluation and training go this one way, so what was measured is what is served.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import anyio
import numpy as np
from anyio import to_thread

from service.alignment import Aligner
from service.batching import Batcher
from service.card import DetectorCard, EmbedderCard, LandmarksCard
from service.detectors import base as detectors
from service.detectors.yunet import YuNet
from service.distances import unit
from service.domain import Crops, Embeddings, Face, Image, Notice
from service.embedders.onnx import OnnxEmbedder
from service.images import decode
from service.landmarks import Landmarks
from service.model_file import ProviderName, open_model
from service.observability.stages import stage

Choose = Callable[[Sequence[Face], Image], Sequence[Face]]
"""Which of the faces of an image go on: they alone are refined, aligned and embedded."""

Refine = Callable[[Image, Sequence[Face]], Sequence[Face]]
"""Gives the faces better landmarks."""

Embed = Callable[[Crops], Awaitable[Embeddings]]
"""(n, h, w, 3) uint8 crops, n at least 1 -> (n, d) embeddings."""

Mirror = Literal["off", "enrolment", "always"]
"""When a face's embedding is averaged with its mirror image's."""


def every_face(faces: Sequence[Face], _image: Image) -> Sequence[Face]:
    """All of them."""
    return faces


def main_face(faces: Sequence[Face], image: Image) -> Sequence[Face]:
    """The one with the greatest `area - 2 * (distance of its centre from the image's centre)^2`, or none.

    Sandberg's rule: on LFW the largest alone takes a bystander in 41 of 7,701 images.
    """

    def prominence(face: Face) -> float:
        x, y = face.box.centre
        return face.box.area - 2.0 * ((x - image.width / 2) ** 2 + (y - image.height / 2) ** 2)

    return [max(faces, key=prominence)] if faces else []


def detected_landmarks(_image: Image, faces: Sequence[Face]) -> Sequence[Face]:
    """The detector's own points, as they are."""
    return faces


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What was seen in a photograph: the chosen faces and their crops, (n, h, w, 3) uint8, row by row."""

    faces: tuple[Face, ...]
    crops: Crops
    faces_found: int
    notices: tuple[Notice, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Photograph:
    """The chosen faces of a photograph and their embeddings, (n, d) float32, row by row.

    faces_found: how many faces it showed, chosen or not.
    """

    faces: tuple[Face, ...]
    embeddings: Embeddings
    faces_found: int
    notices: tuple[Notice, ...]


@dataclass(frozen=True, slots=True)
class Sight:
    """The part of the way that needs no company: plain functions on one photograph, to run in a thread.

    max_faces: the most certain ones are taken.
    """

    detector: detectors.Detector
    refine: Refine
    aligner: Aligner
    max_pixels: int
    max_faces: int

    def look(self, data: bytes, choose: Choose) -> View:
        """Bytes to crops. Raises PhotographError; a photograph without a face is a view without one."""
        with stage("decode"):
            image = decode(data, self.max_pixels)
        with stage("detect"):
            (found,) = self.detector.detect([image])
        left_out = (Notice.FACES_LEFT_OUT,) if len(found) > self.max_faces else ()
        chosen = choose(found[: self.max_faces], image)
        with stage("landmarks"):
            faces = tuple(self.refine(image, chosen))
        with stage("align"):
            crops = self.aligner.align(image, faces)
        return View(faces, crops, len(found), image.notices + left_out)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Photographs to embeddings. What `sight` does runs in threads, at most as many as `threads` allows."""

    card: EmbedderCard
    sight: Sight
    embed_probe: Embed
    embed_reference: Embed
    threads: anyio.CapacityLimiter

    async def probe(self, data: bytes, choose: Choose) -> Photograph:
        """A photograph to be compared. Raises PhotographError."""
        return await self._photograph(data, choose, self.embed_probe)

    async def reference(self, data: bytes, choose: Choose) -> Photograph:
        """A photograph to be enrolled. Raises PhotographError."""
        return await self._photograph(data, choose, self.embed_reference)

    async def _photograph(self, data: bytes, choose: Choose, embed: Embed) -> Photograph:
        view = await to_thread.run_sync(self.sight.look, data, choose, limiter=self.threads)
        if not view.faces:
            nobody = np.empty((0, self.card.dimension), np.float32)
            return Photograph((), nobody, view.faces_found, view.notices)
        return Photograph(view.faces, await embed(view.crops), view.faces_found, view.notices)


def mirrored(embed: Embed) -> Embed:
    """The unit mean of each face's and its mirror image's embedding: twice the work, up to 0.1 points on LFW."""

    async def embed_both(crops: Crops) -> Embeddings:
        both = await embed(np.concatenate([crops, crops[:, :, ::-1]]))
        return unit(both[: len(crops)] + both[len(crops) :])

    return embed_both


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model file, and the sha256 that it must have where that is known."""

    path: Path
    sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineOptions:
    """Everything that makes one pipeline differ from another.

    landmarks: None keeps the detector's own points. threads: photographs that are looked at side by side.
    workers, max_batch: embedder calls side by side, and the crops of one call. threads_per_call: of one model call.
    """

    detector: ModelSource
    landmarks: ModelSource | None
    embedder: ModelSource
    provider: ProviderName = "cpu"
    threads: int = 1
    workers: int = 1
    max_batch: int = 8
    threads_per_call: int = 1
    mirror: Mirror = "off"
    max_pixels: int = 50_000_000
    max_side_px: int = 640
    min_score: float = 0.8
    max_faces: int = 100


@asynccontextmanager
async def open_pipeline(options: PipelineOptions) -> AsyncIterator[Pipeline]:
    """Opens the models, starts the batcher, and closes both in the end. Raises StartupError."""
    embedder = open_embedder(options)
    sight = open_sight(options, embedder.card)
    async with Batcher(embedder.embed, workers=options.workers, max_batch=options.max_batch) as batcher:
        averaged = mirrored(batcher.submit)
        yield Pipeline(
            card=embedder.card,
            sight=sight,
            embed_probe=averaged if options.mirror == "always" else batcher.submit,
            embed_reference=batcher.submit if options.mirror == "off" else averaged,
            threads=anyio.CapacityLimiter(options.threads),
        )


def open_embedder(options: PipelineOptions) -> OnnxEmbedder:
    """The embedder alone. Raises StartupError."""
    source = options.embedder
    return OnnxEmbedder(
        open_model(source.path, EmbedderCard, options.provider, options.threads_per_call, source.sha256)
    )


def open_sight(options: PipelineOptions, card: EmbedderCard) -> Sight:
    """Detector, landmarks and alignment for the embedder's crops; one-thread sessions. Raises StartupError."""
    detector = open_model(options.detector.path, DetectorCard, options.provider, 1, options.detector.sha256)
    return Sight(
        detector=YuNet(detector, max_side_px=options.max_side_px, min_score=options.min_score),
        refine=_open_refiner(options),
        aligner=Aligner(card.alignment),
        max_pixels=options.max_pixels,
        max_faces=options.max_faces,
    )


def _open_refiner(options: PipelineOptions) -> Refine:
    source = options.landmarks
    if source is None:
        return detected_landmarks
    return Landmarks(open_model(source.path, LandmarksCard, options.provider, 1, source.sha256)).refine

"""What a client may send where an image is expected, and what it stands for: vectors to compare.

One rule for all decisions. Each input is exactly one of four kinds; a photograph is looked at, the others are looked
up or checked, and from there on nobody asks which it was.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import anyio
from anyio import to_thread

from service.card import EmbedderCard
from service.domain import Embeddings, Face, Notice, check_embedding
from service.errors import FaceError, ModelMismatch
from service.galleries.base import ModelRef
from service.galleries.gallery import Gallery
from service.observability.stages import stage
from service.pipeline import Choose, Photograph, Pipeline

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Upload:
    """A photograph's bytes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Given:
    """An embedding that the client holds, and the id of the model that made it."""

    embedding: Sequence[float]
    model: str


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A face of the gallery."""

    face: str
    collection: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """A subject of the gallery: any of their faces will do."""

    subject: str
    collection: str


Input = Upload | Given | Enrolled | Claimed


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """What an input stands for: (n, d) embeddings and, row by row, where in the photograph each face is.

    model: what made the embeddings: the loaded one, or one that is compatible with it. faces holds None where no
    photograph was given; faces_found is then None too.
    """

    embeddings: Embeddings
    model: ModelRef
    faces: tuple[Face | None, ...]
    faces_found: int | None = None
    notices: tuple[Notice, ...] = ()

    @classmethod
    def seen(cls, photograph: Photograph, model: ModelRef) -> "Probe":
        """What a photograph shows."""
        notices = photograph.notices
        if len(photograph.faces) == 1 < photograph.faces_found:
            notices = (*notices, Notice.SEVERAL_FACES)
        return cls(photograph.embeddings, model, photograph.faces, photograph.faces_found, notices)

    @classmethod
    def known(cls, embeddings: Embeddings, model: ModelRef) -> "Probe":
        """Vectors that came without a photograph."""
        return cls(embeddings, model, (None,) * len(embeddings))


@dataclass(frozen=True, slots=True)
class Inputs:
    """Turns inputs into probes."""

    pipeline: Pipeline
    gallery: Gallery
    gallery_threads: anyio.CapacityLimiter

    @property
    def card(self) -> EmbedderCard:
        """Of the loaded model."""
        return self.pipeline.card

    @property
    def model(self) -> ModelRef:
        """The loaded model, as the gallery knows it."""
        return ModelRef(self.card.id, self.card.dimension)

    async def probe(self, item: Input, choose: Choose) -> Probe:
        """Of the loaded model or one that is compatible with it.

        Raises PhotographError, EmbeddingError or GalleryError.
        """
        match item:
            case Upload(data):
                return Probe.seen(await self.pipeline.probe(data, choose), self.model)
            case _:
                return await self.known(item)

    async def known(self, item: Given | Enrolled | Claimed) -> Probe:
        """What needs no photograph, likewise. Raises EmbeddingError or GalleryError."""
        match item:
            case Given(embedding, model):
                return self._given(embedding, ModelRef(model, self.model.dimension))
            case Enrolled(face, collection):
                return await self._enrolled(self.gallery.face_vectors, collection, face)
            case Claimed(subject, collection):
                return await self._enrolled(self.gallery.subject_vectors, collection, subject)

    async def probes(self, items: Sequence[Input], choose: Choose) -> list[Probe]:
        """Of the loaded model alone. One bad input refuses them all, and the error names its position."""
        return await in_order(at(f"images[{i}]", self._own(item, choose)) for i, item in enumerate(items))

    def check_own(self, model: str) -> None:
        """Whether the model with this identity is the loaded one. Raises ModelMismatch."""
        if model != self.model.id:
            raise _made_by_another()

    def references(self, collection: str) -> ModelRef:
        """What made the collection's faces; where it has none, the loaded model, which may enrol the first.

        Reads the gallery. Raises GalleryError, or ModelMismatch for a model that is not compatible with the loaded one.
        """
        bound = self.gallery.model_of(collection)
        if bound is None or not self._comparable(bound):
            self.model.check(bound)
            return self.model
        return bound

    async def _own(self, item: Input, choose: Choose) -> Probe:
        probe = await self.probe(item, choose)
        self.check_own(probe.model.id)
        return probe

    def _comparable(self, model: ModelRef) -> bool:
        """Two models of different dimensions are not, whatever the card says."""
        known = model.id == self.card.id or self.card.compatible(model.id) is not None
        return known and model.dimension == self.card.dimension

    def _given(self, embedding: Sequence[float], model: ModelRef) -> Probe:
        if not self._comparable(model):
            raise _made_by_another()
        return Probe.known(check_embedding(embedding, model.dimension), model)

    async def _enrolled(self, look_up: Callable[[str, str, ModelRef], Embeddings], collection: str, name: str) -> Probe:
        def found() -> Probe:
            model = self.references(collection)
            return Probe.known(look_up(collection, name, model), model)

        with stage("gallery"):
            return await to_thread.run_sync(found, limiter=self.gallery_threads)


def _made_by_another() -> ModelMismatch:
    return ModelMismatch(
        "The embedding was made by another model than the one that is loaded (GET /model). "
        "Embed the photograph again with POST /embed."
    )


async def at(where: str, work: Awaitable[T]) -> T:
    """Names the input in the error, if there is one."""
    try:
        return await work
    except FaceError as error:
        error.where = error.where or where
        raise


async def in_order(work: Iterable[Awaitable[T]]) -> list[T]:
    """Side by side; the error of the first in order is raised once all have ended."""
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]

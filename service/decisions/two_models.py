"""Two loaded models: which of them a request gets, and the work that embeds collections by the other one.

A request for a collection gets the model that made its faces. Everything else gets the first model.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

import numpy as np
import structlog
from numpy.typing import NDArray

from service.decisions.inputs import EmbeddingInput, FaceInput, Input, SubjectInput
from service.decisions.probes import ProbeReader
from service.domain.errors import (
    CollectionNotFound,
    InvalidOption,
    ModelMismatch,
    PhotographError,
    StorageLost,
    StorageUnavailable,
)
from service.gallery.base import EmbeddingModel

LOG = structlog.get_logger(__name__)
T = TypeVar("T")
FACES_AT_ONCE = 16
"""How many embeddings are stored in one transaction."""
PAUSE_S = 5.0
"""After all faces were embedded, or after an error, the work waits so long. Then it looks for new faces."""


@dataclass(frozen=True, slots=True)
class LoadedModels:
    """What reads the inputs of a request with each loaded model. second: None if one model is loaded."""

    first: ProbeReader
    second: ProbeReader | None = None

    @property
    def all(self) -> Sequence[ProbeReader]:
        """All loaded models."""
        return [self.first] if self.second is None else [self.first, self.second]

    async def of_collection(self, collection: str) -> ProbeReader:
        """Return the model that made the faces of the collection, or one that is compatible with it, or the first."""
        if self.second is None:
            return self.first
        try:
            model = await self.first.gallery.stored_model(collection)
        except CollectionNotFound:  # what the request does next says so
            return self.first
        return self.first if model is None else self._for_faces_of(model)

    async def of_inputs(self, inputs: Sequence[Input]) -> ProbeReader:
        """Return the model of the first input that is not a photograph. For photographs alone, return the first."""
        for item in inputs:
            match item:
                case FaceInput(_, collection) | SubjectInput(_, collection):
                    return await self.of_collection(collection)
                case EmbeddingInput(embedding, model_id):
                    return self._for_faces_of(EmbeddingModel(model_id, len(embedding)))
        return self.first

    async def other_than_of(self, collection: str) -> EmbeddingModel:
        """Return the loaded model that did not make the faces of the collection. If neither did, return the second.

        Raises InvalidOption or CollectionNotFound.
        """
        if self.second is None:
            raise InvalidOption(
                "Only one model is loaded. Start the service with FACE_MODELS__NEXT_EMBEDDER to load a second one."
            )
        own = await self.first.gallery.stored_model(collection)
        return self.first.loaded_model if own == self.second.loaded_model else self.second.loaded_model

    def by_id(self, model_id: str) -> EmbeddingModel:
        """Return the loaded model with this id. Raises InvalidOption."""
        for one in self.all:
            if one.card.id == model_id:
                return one.loaded_model
        raise InvalidOption("No loaded model has this id. GET .../reembedding shows the id of the other model.")

    def _for_faces_of(self, model: EmbeddingModel) -> ProbeReader:
        """Return this model if it is loaded, otherwise one that is compatible with it, otherwise the first."""
        same = (one for one in self.all if one.card.id == model.id)
        comparable = (one for one in self.all if one.is_comparable(model))
        return next(chain(same, comparable), self.first)


async def decide(
    choose: Callable[[], Awaitable[ProbeReader]], work: Callable[[ProbeReader], Awaitable[T]]
) -> tuple[T, ProbeReader]:
    """Do the work of a request with the model that is chosen, and return the result and the model.

    If the collection got its other model meanwhile, the work is done again. Nothing was stored then.
    """
    probes = await choose()
    while True:
        try:
            return await work(probes), probes
        except ModelMismatch:
            now = await choose()
            if now is probes:
                raise
            probes = now


@asynccontextmanager
async def embedding_in_background(models: LoadedModels) -> AsyncIterator[None]:
    """Embed the kept crops of collections by the loaded model that is not theirs, until the context ends.

    What is not stored then is done after the next start. With one model, nothing is done.
    """
    if models.second is None:
        yield
        return
    work = asyncio.create_task(_embed_all(models))
    try:
        yield
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work


async def _embed_all(models: LoadedModels) -> None:
    while True:
        try:
            for probes in models.all:
                await embed_waiting(probes)
        except StorageUnavailable:  # it is logged where a request fails
            pass
        except Exception as error:  # noqa: BLE001  # any error: the work must go on when its cause has gone
            LOG.error("reembedding_failed", error=type(error).__name__)  # noqa: TRY400  # a trace could hold values
        await asyncio.sleep(PAUSE_S)


async def embed_waiting(probes: ProbeReader) -> None:
    """Embed the faces that wait for this model, some of each collection in turn. Raises StorageUnavailable."""
    waiting = await probes.gallery.reembeddings.waiting(probes.card.id)
    counts = [len(faces) for faces in waiting.values()]
    for start in range(0, max(counts, default=0), FACES_AT_ONCE):
        for collection, faces in waiting.items():
            if some := faces[start : start + FACES_AT_ONCE]:
                await _embed(probes, collection, some)
    if counts:
        LOG.info("reembedded", faces=sum(counts))


async def _embed(probes: ProbeReader, collection: str, faces: Sequence[str]) -> None:
    reembeddings = probes.gallery.reembeddings
    embeddings: dict[str, NDArray[np.float32] | None] = {}
    for face in faces:
        try:
            kept = await reembeddings.crop(collection, face)
            if kept is not None:  # it was not deleted meanwhile
                embeddings[face] = (await probes.pipeline.embed_kept(kept))[0]
        except (PhotographError, StorageLost):  # the faces after it must not wait for a crop that is damaged
            embeddings[face] = None
    with suppress(CollectionNotFound):
        await reembeddings.store(collection, probes.card.id, embeddings)

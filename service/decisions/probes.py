"""Turn the inputs of a request into probes: embeddings that can be compared.

Later steps do not depend on the kind of input.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from service.decisions.inputs import EmbeddingInput, FaceInput, Input, PhotographInput, StoredInput, SubjectInput
from service.domain.embedding import Embeddings, check_embedding
from service.domain.errors import FacenetError, ModelMismatch
from service.domain.face import Face, KeptCrop
from service.domain.image import Notice
from service.gallery.base import EmbeddingModel
from service.gallery.gallery import Gallery
from service.model_files.card import EmbedderCard
from service.observability.stages import stage
from service.pipeline.pipeline import EmbeddedFaces, Pipeline
from service.pipeline.selection import SelectFaces

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """The embeddings of an input and the face of each, row by row.

    embeddings: (n, d) float32.
    model: the model that made them: the loaded one, or one that is compatible with it.
    faces: None for each embedding that did not come from a photograph.
    faces_found: how many faces the photograph shows. None if there is no photograph.
    kept_crops: what is kept of the photograph around each face. Empty if there is no photograph.
    """

    embeddings: Embeddings
    model: EmbeddingModel
    faces: tuple[Face | None, ...]
    faces_found: int | None = None
    notices: tuple[Notice, ...] = ()
    kept_crops: tuple[KeptCrop | None, ...] = ()

    @classmethod
    def from_photograph(cls, found: EmbeddedFaces, model: EmbeddingModel) -> "Probe":
        """Make a probe of the faces of a photograph. model: the loaded one."""
        notices = found.notices
        if len(found.faces) == 1 < found.faces_found:
            notices = (*notices, Notice.SEVERAL_FACES)
        return cls(found.embeddings, model, found.faces, found.faces_found, notices, found.kept_crops)

    @classmethod
    def from_embeddings(cls, embeddings: Embeddings, model: EmbeddingModel) -> "Probe":
        """Make a probe of embeddings without a photograph."""
        return cls(embeddings, model, (None,) * len(embeddings))


@dataclass(frozen=True, slots=True)
class ProbeReader:
    """Turns inputs into probes."""

    pipeline: Pipeline
    gallery: Gallery

    @property
    def card(self) -> EmbedderCard:
        """The card of the loaded model."""
        return self.pipeline.card

    @property
    def loaded_model(self) -> EmbeddingModel:
        return EmbeddingModel(self.card.id, self.card.dimension)

    async def read(self, item: Input, select: SelectFaces) -> Probe:
        """Read one input. The loaded model, or one that is compatible with it, made the embeddings of the probe.

        select: chooses which faces of a photograph are used.
        Raises PhotographError, EmbeddingError or GalleryError.
        """
        match item:
            case PhotographInput(data):
                return Probe.from_photograph(await self.pipeline.embed_probe(data, select), self.loaded_model)
            case _:
                return await self.read_stored(item)

    async def read_stored(self, item: StoredInput) -> Probe:
        """Read an input that is not a photograph. Raises EmbeddingError or GalleryError."""
        match item:
            case EmbeddingInput(embedding, model_id):
                return self._check_given(embedding, EmbeddingModel(model_id, self.loaded_model.dimension))
            case FaceInput(face, collection):
                with stage("gallery"):
                    model = await self.references_model(collection)
                    return Probe.from_embeddings(await self.gallery.face_embedding(collection, face, model), model)
            case SubjectInput(subject, collection):
                with stage("gallery"):
                    model = await self.references_model(collection)
                    embeddings = await self.gallery.subject_embeddings(collection, subject, model)
                    return Probe.from_embeddings(embeddings, model)

    async def read_all(self, items: Sequence[Input], select: SelectFaces) -> list[Probe]:
        """Read several inputs. Only the loaded model is accepted.

        Raises the error of the first bad input, which names the position of the input.
        """
        return await gather_in_order(
            name_input(f"images[{i}]", self._read_of_loaded_model(item, select)) for i, item in enumerate(items)
        )

    def require_loaded_model(self, model_id: str) -> None:
        """Raise ModelMismatch unless this is the id of the loaded model."""
        if model_id != self.card.id:
            raise _made_by_another_model()

    async def references_model(self, collection: str) -> EmbeddingModel:
        """Return the model that made the faces of the collection.

        For a collection without a face this is the loaded model, which may enrol the first face.
        Raises GalleryError. Raises ModelMismatch if the model is not compatible with the loaded one.
        """
        model = await self.gallery.collection_model(collection)
        if model is None or not self.is_comparable(model):
            self.loaded_model.require_same(model)
            return self.loaded_model
        return model

    async def _read_of_loaded_model(self, item: Input, select: SelectFaces) -> Probe:
        probe = await self.read(item, select)
        self.require_loaded_model(probe.model.id)
        return probe

    def is_comparable(self, model: EmbeddingModel) -> bool:
        """Return whether its embeddings can be compared with those of the loaded model.

        Models of different dimensions are never comparable, whatever the card says.
        """
        is_known = model.id == self.card.id or self.card.compatible_model(model.id) is not None
        return is_known and model.dimension == self.card.dimension

    def _check_given(self, embedding: Sequence[float], model: EmbeddingModel) -> Probe:
        if not self.is_comparable(model):
            raise _made_by_another_model()
        return Probe.from_embeddings(check_embedding(embedding, model.dimension), model)


def _made_by_another_model() -> ModelMismatch:
    return ModelMismatch(
        "The embedding was not made by the loaded model (GET /model). Embed the photograph again with POST /embed."
    )


async def name_input(input_name: str, work: Awaitable[T]) -> T:
    """Await the work. If it raises an error that does not name its input, add the name."""
    try:
        return await work
    except FacenetError as error:
        error.input_name = error.input_name or input_name
        raise


async def gather_in_order(work: Iterable[Awaitable[T]]) -> list[T]:
    """Await everything in parallel. When all have ended, raise the first error in order, if there is one."""
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]

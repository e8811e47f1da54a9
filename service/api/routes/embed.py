"""POST /embed: the faces of images, and their embeddings."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from service.api import examples
from service.api.answers import ModelAnswer, face_fields, vectors, warnings_of
from service.api.bodies import body_of
from service.api.body_schemas import request_body
from service.api.decision_answers import EmbedAnswer, EmbeddedFace, EmbeddedImage
from service.api.dependencies import ServicesDep
from service.api.problems import answers
from service.api.requests import EmbedOptions, ImagesBody
from service.decisions.inputs import Probe
from service.pipeline import every_face

router = APIRouter(tags=["decisions"])


@router.post(
    "/embed",
    openapi_extra=request_body(ImagesBody, examples.IMAGES),
    responses=answers(400, 404, 409, 413, 415, 422, 503),
)
async def embed_images(
    services: ServicesDep,
    body: Annotated[ImagesBody, Depends(body_of(ImagesBody))],
    options: Annotated[EmbedOptions, Query()],
) -> EmbedAnswer:
    """Every face of every image. One image that cannot be read refuses them all and is named."""
    with services.door.admit(len(body.images)):
        probes = await services.inputs.probes(body.images, every_face)
    return EmbedAnswer(
        images=[_image(probe, with_vectors=options.include == "embedding") for probe in probes],
        model=ModelAnswer.of(services.inputs.card),
    )


def _image(probe: Probe, *, with_vectors: bool) -> EmbeddedImage:
    embeddings = vectors(probe.embeddings) if with_vectors else [None] * len(probe.faces)
    return EmbeddedImage(
        faces=[
            EmbeddedFace(**face_fields(face), embedding=embedding)
            for face, embedding in zip(probe.faces, embeddings, strict=True)
        ],
        warnings=warnings_of(probe.notices),
    )

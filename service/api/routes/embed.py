"""POST /embed: the faces of images, and their embeddings."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from service.api.access import require_scope
from service.api.bodies import body_of
from service.api.dependencies import ServicesDep
from service.api.openapi.examples import IMAGES_EXAMPLE, request_body
from service.api.openapi.refusals import OF_IMAGES, refusals
from service.api.schemas.embed import EmbedAnswer, EmbeddedFace, EmbeddedImage, EmbedOptions, json_vectors
from service.api.schemas.images import ImagesBody
from service.api.schemas.responses import ModelAnswer, face_fields, warnings_of
from service.decisions.inputs import FaceInput, SubjectInput
from service.decisions.probes import Probe
from service.domain.access import Scope
from service.observability.outcomes import note_decision
from service.pipeline.selection import all_faces

router = APIRouter(tags=["decisions"])


@router.post(
    "/embed",
    openapi_extra=request_body(ImagesBody, IMAGES_EXAMPLE),
    operation_id="embed",
    responses=refusals(*OF_IMAGES),
)
async def embed_images(
    services: ServicesDep,
    body: Annotated[ImagesBody, Depends(body_of(ImagesBody))],
    options: Annotated[EmbedOptions, Query()],
) -> EmbedAnswer:
    """Find every face of every image. With ?include=embedding, return the embeddings too.

    If one image cannot be read, the whole request is refused, and the problem names the image. For an enrolled face or
    a subject, an access key needs the scope `read` too.
    """
    if any(isinstance(image, FaceInput | SubjectInput) for image in body.images):
        require_scope(Scope.READ)  # the answer shows what is stored: how many faces, and their embeddings
    with services.admission.admit(len(body.images)):
        probes = await services.probes.read_all(body.images, all_faces)
    note_decision(services.card.id, images=len(probes), faces=sum(len(probe.faces) for probe in probes))
    return EmbedAnswer(
        images=[_image(probe, with_embeddings=options.include == "embedding") for probe in probes],
        model=ModelAnswer.of(services.card),
    )


def _image(probe: Probe, *, with_embeddings: bool) -> EmbeddedImage:
    embeddings = json_vectors(probe.embeddings) if with_embeddings else [None] * len(probe.faces)
    return EmbeddedImage(
        faces=[
            EmbeddedFace(**face_fields(face), embedding=embedding)
            for face, embedding in zip(probe.faces, embeddings, strict=True)
        ],
        warnings=warnings_of(probe.notices),
    )

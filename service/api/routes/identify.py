"""POST /identify: who is this?"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from service.api import examples
from service.api.answers import ModelAnswer, face_fields, warnings_of
from service.api.bodies import body_of
from service.api.body_schemas import request_body
from service.api.decision_answers import CandidateAnswer, IdentifiedFace, IdentifyAnswer
from service.api.dependencies import ServicesDep
from service.api.problems import answers
from service.api.requests import IdentifyBody, IdentifyOptions
from service.decisions.identify import Identified, identify

router = APIRouter(tags=["decisions"])


@router.post(
    "/identify",
    openapi_extra=request_body(IdentifyBody, examples.IDENTIFY),
    responses=answers(400, 404, 409, 413, 415, 422, 503),
)
async def identify_faces(
    services: ServicesDep,
    body: Annotated[IdentifyBody, Depends(body_of(IdentifyBody))],
    options: Annotated[IdentifyOptions, Query()],
) -> IdentifyAnswer:
    """Every face of an image, searched in a collection: the nearest subjects, and whether the first is near enough."""
    with services.door.admit(1):
        found = await identify(services.inputs, body.image, options.collection, options.k, options.threshold)
    return IdentifyAnswer(
        faces=[_face(face) for face in found.faces],
        threshold=found.threshold_sq_l2,
        fpir=None,
        gallery_size=found.gallery_size,
        warnings=warnings_of(found.notices),
        model=ModelAnswer.of(services.inputs.card),
        compared_with=ModelAnswer.compatible(found.other, services.inputs.card),
    )


def _face(found: Identified) -> IdentifiedFace:
    return IdentifiedFace(
        **face_fields(found.face),
        decision="match" if found.match else "unknown",
        subject=found.match.subject if found.match else None,
        distance=found.match.distance if found.match else None,
        candidates=[
            CandidateAnswer(subject=one.subject, name=one.name, distance=one.distance, face=one.face)
            for one in found.candidates
        ],
    )

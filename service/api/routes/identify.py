"""POST /identify: who is this?"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from service.api.bodies import body_of
from service.api.dependencies import ServicesDep
from service.api.openapi.examples import IDENTIFY_EXAMPLE, request_body
from service.api.problems import problem_responses
from service.api.schemas.identify import (
    CandidateAnswer,
    IdentifiedFace,
    IdentifyAnswer,
    IdentifyBody,
    IdentifyOptions,
)
from service.api.schemas.responses import ModelAnswer, face_fields, warnings_of
from service.decisions.error_rates.score import ScoreScale
from service.decisions.identify import FaceIdentification, SearchOptions, identify
from service.gallery.base import Candidate

router = APIRouter(tags=["decisions"])


@router.post(
    "/identify",
    openapi_extra=request_body(IdentifyBody, IDENTIFY_EXAMPLE),
    responses=problem_responses(400, 404, 408, 409, 413, 415, 422, 503),
)
async def identify_faces(
    services: ServicesDep,
    body: Annotated[IdentifyBody, Depends(body_of(IdentifyBody))],
    options: Annotated[IdentifyOptions, Query()],
) -> IdentifyAnswer:
    """Search every face of an image in a collection. Return the nearest subjects, and whether one is a match."""
    search = SearchOptions(options.collection, options.k, options.one_person_once, options.margin, options.calibration)
    requested = options.requested
    with services.admission.admit(1):
        found = await identify(services.probes, body.image, search, requested)
    return IdentifyAnswer(
        faces=[_face(face, found.scale) for face in found.faces],
        threshold=found.scale.threshold_sq_l2,
        margin=found.margin_points,
        fpir=found.expected.fpir,
        fpir_missing=found.expected.missing,
        calibration=found.calibration,
        gallery_size=found.gallery_size,
        warnings=warnings_of(found.notices),
        model=ModelAnswer.of(services.card),
        compared_with=ModelAnswer.of_compatible(found.compatible_model, services.card),
    )


def _face(found: FaceIdentification, scale: ScoreScale) -> IdentifiedFace:
    match = found.match
    return IdentifiedFace(
        **face_fields(found.face),
        decision=found.decision,
        subject=match.subject if match else None,
        distance=match.distance if match else None,
        score=scale.score(match.distance) if match else None,
        between=[_candidate(candidate, scale) for candidate in found.between],
        nearest_taken_by=found.assignment.lost_to,
        candidates=[_candidate(candidate, scale) for candidate in found.candidates],
    )


def _candidate(found: Candidate, scale: ScoreScale) -> CandidateAnswer:
    return CandidateAnswer(
        subject=found.subject,
        name=found.name,
        distance=found.distance,
        score=scale.score(found.distance),
        face=found.face,
    )

"""POST /identify: who is this?"""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from service.api.bodies import body_of
from service.api.dependencies import ServicesDep
from service.api.openapi.examples import IDENTIFY_EXAMPLE, request_body
from service.api.openapi.refusals import OF_IMAGES, OF_SEARCH, refusals
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
from service.decisions.two_models import decide
from service.domain import errors
from service.gallery.search_values import Candidate

router = APIRouter(tags=["decisions"])


@router.post(
    "/identify",
    openapi_extra=request_body(IdentifyBody, IDENTIFY_EXAMPLE),
    operation_id="identify",
    responses=refusals(*OF_IMAGES, *OF_SEARCH, errors.RateNotMeasured, errors.CalibrationNotFound),
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
        found, probes = await decide(
            partial(services.models.of_collection, options.collection),
            lambda probes: identify(probes, body.image, search, requested),
        )
    return IdentifyAnswer(
        faces=[_face(face, found.scale) for face in found.faces],
        threshold=found.scale.threshold_sq_l2,
        margin=found.margin_points,
        fpir=found.expected.fpir,
        fpir_missing=found.expected.missing,
        calibration=found.calibration,
        gallery_size=found.gallery_size,
        warnings=warnings_of(found.notices),
        model=ModelAnswer.of(probes.card),
        compared_with=ModelAnswer.of_compatible(found.compatible_model, probes.card),
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

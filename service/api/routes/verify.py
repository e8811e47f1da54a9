"""POST /verify: are these two the same person?"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from service.api import examples
from service.api.answers import FaceAnswer, ModelAnswer, warnings_of
from service.api.bodies import body_of
from service.api.body_schemas import request_body
from service.api.decision_answers import ImageAnswer, VerifyAnswer
from service.api.dependencies import ServicesDep
from service.api.problems import answers
from service.api.requests import VerifyBody, VerifyOptions
from service.decisions.inputs import Probe
from service.decisions.verify import verify

router = APIRouter(tags=["decisions"])


@router.post(
    "/verify",
    openapi_extra=request_body(VerifyBody, examples.VERIFY),
    responses=answers(400, 404, 409, 413, 415, 422, 503),
)
async def verify_images(
    services: ServicesDep,
    body: Annotated[VerifyBody, Depends(body_of(VerifyBody))],
    options: Annotated[VerifyOptions, Query()],
) -> VerifyAnswer:
    """Whether two images show the same person: their distance, and whether it is below the threshold."""
    with services.door.admit(2):
        found = await verify(services.inputs, body.image_a, body.image_b, options.threshold)
    return VerifyAnswer(
        verified=found.verified,
        distance=found.distance,
        threshold=found.threshold_sq_l2,
        fmr=None,
        image_a=_image(found.image_a),
        image_b=_image(found.image_b),
        model=ModelAnswer.of(services.inputs.card),
        compared_with=ModelAnswer.compatible(found.other, services.inputs.card),
    )


def _image(probe: Probe) -> ImageAnswer:
    return ImageAnswer(
        face=FaceAnswer.of(probe.faces[0]), faces_found=probe.faces_found, warnings=warnings_of(probe.notices)
    )

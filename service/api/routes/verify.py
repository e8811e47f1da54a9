"""POST /verify: do two images show the same person?"""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from service.api.bodies import body_of
from service.api.dependencies import ServicesDep
from service.api.openapi.examples import VERIFY_EXAMPLE, request_body
from service.api.openapi.refusals import OF_IMAGES, refusals
from service.api.schemas.responses import FaceAnswer, ModelAnswer, warnings_of
from service.api.schemas.verify import ImageAnswer, VerifyAnswer, VerifyBody, VerifyOptions
from service.decisions.probes import Probe
from service.decisions.two_models import decide
from service.decisions.verify import verify
from service.domain import errors

router = APIRouter(tags=["decisions"])


@router.post(
    "/verify",
    openapi_extra=request_body(VerifyBody, VERIFY_EXAMPLE),
    operation_id="verify",
    responses=refusals(*OF_IMAGES, errors.NoFace, errors.RateNotMeasured),
)
async def verify_images(
    services: ServicesDep,
    body: Annotated[VerifyBody, Depends(body_of(VerifyBody))],
    options: Annotated[VerifyOptions, Query()],
) -> VerifyAnswer:
    """Compare two images. Return their distance, and whether it is below the threshold."""
    requested = options.requested
    with services.admission.admit(2):
        found, probes = await decide(
            partial(services.models.of_inputs, [body.image_a, body.image_b]),
            lambda probes: verify(probes, body.image_a, body.image_b, requested),
        )
    return VerifyAnswer(
        verified=found.verified,
        distance=found.distance,
        score=found.score,
        threshold=found.threshold_sq_l2,
        fmr=found.rates.fmr,
        fnmr=found.rates.fnmr,
        rates_missing=found.rates.missing,
        image_a=_image(found.image_a),
        image_b=_image(found.image_b),
        model=ModelAnswer.of(probes.card),
        compared_with=ModelAnswer.of_compatible(found.compatible_model, probes.card),
    )


def _image(probe: Probe) -> ImageAnswer:
    return ImageAnswer(
        face=FaceAnswer.of(probe.faces[0]), faces_found=probe.faces_found, warnings=warnings_of(probe.notices)
    )

"""Whether the service lives and is ready, what it loaded, and its figures."""

from typing import Annotated

from fastapi import APIRouter, Query
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from service.api.answers import CompatibleAnswer, HealthAnswer, LoadedModelAnswer, identification_threshold
from service.api.dependencies import ServicesDep
from service.api.fields import NoOptions
from service.api.problems import answers
from service.errors import Ending

router = APIRouter(tags=["service"])
NoQuery = Annotated[NoOptions, Query()]


@router.get("/livez", responses=answers(422))
async def livez(_options: NoQuery) -> HealthAnswer:
    """The process answers. Restart it if this does not."""
    return HealthAnswer(status="alive")


@router.get("/readyz", responses=answers(422, 503))
async def readyz(services: ServicesDep, _options: NoQuery) -> HealthAnswer:
    """The model is warm, the records can be read and the index agrees with them. Send no requests before."""
    if services.ending.is_set():
        raise Ending
    await services.in_gallery(services.gallery.check)
    return HealthAnswer(status="ready")


@router.get("/model", responses=answers(422))
async def model(services: ServicesDep, _options: NoQuery) -> LoadedModelAnswer:
    """The loaded embedder. Its `id` is in every answer, and a collection is bound to it."""
    card = services.inputs.card
    return LoadedModelAnswer(
        name=card.name,
        id=card.id,
        dimension=card.dimension,
        architecture=card.architecture,
        licence=card.licence,
        training=card.training,
        threshold=card.thresholds.verification,
        identification_threshold=identification_threshold(card.thresholds),
        compatible_with=[CompatibleAnswer.of(other) for other in card.compatible_with],
    )


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **answers(422)},
)
async def metrics(_options: NoQuery) -> Response:
    """Figures in Prometheus's text format."""
    return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

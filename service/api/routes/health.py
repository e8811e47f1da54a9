"""Whether the service is alive and ready, the model that it loaded, and its metrics."""

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from service.api.dependencies import NoQuery, Services, ServicesDep
from service.api.openapi.refusals import OF_SEARCH, OF_STORAGE, refusals
from service.api.schemas.health import HealthAnswer, LoadedModelAnswer
from service.domain import errors
from service.observability.running_calls import CALLS

router = APIRouter(tags=["service"])

NOT_READY, DEAD = 2, 10
"""After how many time limits of a request a call counts as hanging: for /readyz, and for /livez, which is a restart.

A call takes less than a second. A busy machine can stop a process for some seconds.
"""


@router.get("/livez", responses=refusals(errors.Hanging))
async def check_liveness(services: ServicesDep, _options: NoQuery) -> HealthAnswer:
    """Show that the service is alive: it answers, and no call of a model has hung for long. Otherwise restart it."""
    _require_no_longer_call(services, DEAD)
    return HealthAnswer(status="alive")


@router.get("/readyz", responses=refusals(errors.Hanging, errors.ShuttingDown, *OF_STORAGE, *OF_SEARCH))
async def check_readiness(services: ServicesDep, _options: NoQuery) -> HealthAnswer:
    """Show that the service is ready: the models are loaded, the records can be read, and the indexes agree with them.

    Send no requests before this returns 200.
    """
    if services.shutting_down.is_set():
        raise errors.ShuttingDown
    _require_no_longer_call(services, NOT_READY)
    await services.gallery.check()
    return HealthAnswer(status="ready")


def _require_no_longer_call(services: Services, time_limits: int) -> None:
    longest_s = CALLS.longest_s()
    if longest_s > time_limits * services.request_timeout_s:
        raise errors.Hanging(longest_s)


@router.get("/model", responses=refusals())
async def get_model(services: ServicesDep, _options: NoQuery) -> LoadedModelAnswer:
    """Show the loaded embedder. Its `id` is in every answer, and a collection is bound to it."""
    return LoadedModelAnswer.of(services.card)


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"description": "The metrics", "content": {"text/plain": {"schema": {"type": "string"}}}},
        **refusals(),
    },
)
async def get_metrics(_options: NoQuery) -> Response:
    """Return the metrics in the text format of Prometheus."""
    return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

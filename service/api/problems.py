"""Refusals as `application/problem+json` (RFC 9457): one table from names to status codes, and no other way out.

No answer holds a traceback, a path, a vector or what the client sent.
"""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from service import errors
from service.api.faults import Fault, faults
from service.api.gallery_answers import EnrolmentResult
from service.api.refusals import HttpRefusal, InvalidJson
from service.observability.metrics import REFUSALS

MEDIA_TYPE = "application/problem+json"
STORAGE_RETRY_S = 10

STATUS: dict[type[errors.FaceError], HTTPStatus] = {
    errors.UnreadableImage: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ImageTooLarge: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NoFace: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.SeveralFaces: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.InvalidEmbedding: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ModelMismatch: HTTPStatus.CONFLICT,
    errors.InvalidOption: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.CollectionNotFound: HTTPStatus.NOT_FOUND,
    errors.SubjectNotFound: HTTPStatus.NOT_FOUND,
    errors.FaceNotFound: HTTPStatus.NOT_FOUND,
    errors.SubjectWithoutFaces: HTTPStatus.CONFLICT,
    errors.SubjectExists: HTTPStatus.CONFLICT,
    errors.KnownElsewhere: HTTPStatus.CONFLICT,
    errors.StorageUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Overloaded: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Ending: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.TimedOut: HTTPStatus.SERVICE_UNAVAILABLE,
}


class Problem(BaseModel):
    """Why a request was refused. `code` is stable; `detail` says what to do."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    image: str | None = Field(None, description="which of the images it is about, where it is about one")
    errors: list[Fault] = Field(default=[], description="all that is wrong, where several things may be")
    results: list[EnrolmentResult] = Field(default=[], description="of an enrolment: what became of each image")


def answer(content: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The problem as a response, counted."""
    REFUSALS.labels(content.code).inc()
    return JSONResponse(
        content.model_dump(mode="json", exclude_defaults=True) | {"type": content.type},
        content.status,
        headers=dict(headers or {}),
        media_type=MEDIA_TYPE,
    )


def problem(status: HTTPStatus, code: str, detail: str) -> Problem:
    """What every refusal has."""
    return Problem(title=status.phrase, status=status, code=code, detail=detail)


def of_face_error(error: errors.FaceError) -> JSONResponse:
    """Found by the error's class; one that has no place in an answer goes on as the mistake that it is."""
    status = STATUS.get(type(error))
    if status is None:
        raise error
    content = problem(status, error.code, str(error)).model_copy(update={"image": error.where})
    return answer(content, _retry_after(error))


def _retry_after(error: errors.FaceError) -> dict[str, str]:
    match error:
        case errors.Unavailable():
            return {"Retry-After": str(error.retry_after_s)}
        case errors.StorageUnavailable():
            return {"Retry-After": str(STORAGE_RETRY_S)}
    return {}


def of_refusal(error: HttpRefusal) -> JSONResponse:
    """As its class says."""
    content = problem(error.status, error.code, error.detail)
    return answer(content.model_copy(update={"results": list(error.results)}))


def internal_error() -> JSONResponse:
    """A mistake of ours: told as such, and nothing else of it."""
    return answer(
        problem(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "internal_error",
            "The service failed. The operator finds the reason in the log under this answer's X-Request-ID.",
        )
    )


def of_validation_error(error: RequestValidationError) -> JSONResponse:
    """All that is wrong, by field; never the input itself, which may be a face or not even JSON (NaN)."""
    found = error.errors()
    if any(one["type"] == "json_invalid" for one in found):
        return of_refusal(InvalidJson())
    content = problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid_request",
        "The request has errors; each is named in `errors`. /docs shows what is expected.",
    )
    return answer(content.model_copy(update={"errors": faults(found)}))


def install(app: FastAPI) -> None:
    """Answers every error of the application as a problem."""
    handlers: dict[type[Exception], Callable[[Any], JSONResponse]] = {
        errors.FaceError: of_face_error,
        HttpRefusal: of_refusal,
        RequestValidationError: of_validation_error,
    }
    for kind, to_response in handlers.items():
        app.add_exception_handler(kind, _handler(to_response))


def _handler(to_response: Callable[[Any], JSONResponse]) -> Callable[[Request, Exception], Awaitable[JSONResponse]]:
    async def handle(_request: Request, error: Exception) -> JSONResponse:
        return to_response(error)

    return handle


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI description of the refusals that a route may give."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}

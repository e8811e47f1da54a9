"""Every error as `application/problem+json` (RFC 9457). STATUS gives each error its status code.

No answer holds a traceback, a path, a vector, or what the client sent. `errors/field_errors.py` has one exception: the
misspelt name of an option or a field.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Match

from service.api.errors.field_errors import Fault, describe_parameter_errors
from service.api.errors.http_errors import HttpError, InvalidRequest
from service.api.schemas.faces import EnrolmentResult
from service.domain import access_errors, errors
from service.observability.metrics import REFUSALS
from service.observability.outcomes import note_problem

MEDIA_TYPE = "application/problem+json"
STORAGE_RETRY_S = 10
CHALLENGE = 'Bearer realm="facenet"'
"""A 401 says how to send a key (RFC 6750, section 3)."""
METHODS = ("GET", "PUT", "POST", "PATCH", "DELETE")

STATUS: dict[type[errors.FacenetError], HTTPStatus] = {
    errors.UnreadableImage: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ImageTooLarge: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ImageTooComplex: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NoFace: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.SeveralFaces: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.InvalidEmbedding: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ModelMismatch: HTTPStatus.CONFLICT,
    errors.InvalidOption: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.RateNotMeasured: HTTPStatus.UNPROCESSABLE_ENTITY,
    access_errors.KeyMissing: HTTPStatus.UNAUTHORIZED,
    access_errors.KeyInvalid: HTTPStatus.UNAUTHORIZED,
    access_errors.ScopeMissing: HTTPStatus.FORBIDDEN,
    access_errors.AllCollectionsNeeded: HTTPStatus.FORBIDDEN,
    access_errors.FirstKeyTooNarrow: HTTPStatus.CONFLICT,
    access_errors.KeyNotFound: HTTPStatus.NOT_FOUND,
    access_errors.RateExceeded: HTTPStatus.TOO_MANY_REQUESTS,
    access_errors.QuotaUsed: HTTPStatus.TOO_MANY_REQUESTS,
    errors.CollectionNotFound: HTTPStatus.NOT_FOUND,
    errors.ImportUnfinished: HTTPStatus.CONFLICT,
    errors.CollectionNotEmpty: HTTPStatus.CONFLICT,
    errors.FacesExist: HTTPStatus.CONFLICT,
    errors.ImportOutOfOrder: HTTPStatus.CONFLICT,
    errors.InvalidImport: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.SubjectNotFound: HTTPStatus.NOT_FOUND,
    **dict.fromkeys((errors.FaceNotFound, errors.CropNotFound, errors.ReembeddingNotFound), HTTPStatus.NOT_FOUND),
    **dict.fromkeys((errors.SubjectWithoutFaces, errors.ReembeddingIncomplete), HTTPStatus.CONFLICT),
    errors.SubjectExists: HTTPStatus.CONFLICT,
    errors.TooFewPeople: HTTPStatus.CONFLICT,
    errors.CalibrationNotFound: HTTPStatus.NOT_FOUND,
    errors.StorageUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    **dict.fromkeys((errors.StorageLost, errors.ChangeUnconfirmed), HTTPStatus.SERVICE_UNAVAILABLE),
    errors.BackupElsewhere: HTTPStatus.CONFLICT,
    errors.SearchUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    **dict.fromkeys((errors.Overloaded, errors.IndexBuilding, errors.Hanging), HTTPStatus.SERVICE_UNAVAILABLE),
    **dict.fromkeys((errors.ShuttingDown, errors.TimedOut, errors.Abandoned), HTTPStatus.SERVICE_UNAVAILABLE),
}


class Problem(BaseModel):
    """Why a request was refused. `code` is stable. `detail` says what to do."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    image: str | None = Field(None, description="the image that the problem is about, if it is about one")
    errors: list[Fault] = Field(default=[], description="the errors of an invalid request, ten at most")
    results: list[EnrolmentResult] = Field(default=[], description="the outcome for each image of an enrolment")


def response_to(error: errors.FacenetError) -> JSONResponse:
    """Return the response to an error. An error that has no status is a bug, and is raised again."""
    status = STATUS.get(type(error))
    if status is None:
        raise error
    return _response(_problem(status, error.code, str(error), image=error.input_name), _headers_of(error))


def response_to_http_error(error: HttpError) -> JSONResponse:
    """Return the response to an error that exists only in HTTP."""
    problem = _problem(error.status, error.code, error.detail, errors=list(error.faults), results=list(error.results))
    return _response(problem, error.headers)


def internal_error() -> JSONResponse:
    """Return the response to a bug. It reveals nothing about the cause."""
    detail = "The service failed. The operator finds the reason in the log under this answer's X-Request-ID."
    return _response(_problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", detail))


def install(app: FastAPI) -> None:
    """Answer every error of the application with a problem."""
    handlers: dict[type[Exception], Callable[[Any], JSONResponse]] = {
        errors.FacenetError: response_to,
        MemoryError: _response_to_little_memory,
        HttpError: response_to_http_error,
    }
    for kind, to_response in handlers.items():
        app.add_exception_handler(kind, _handler(to_response))
    # Each of these two is called with its exception only.
    app.add_exception_handler(RequestValidationError, _refuse_parameters)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _refuse_path)  # type: ignore[arg-type]


def _problem(status: HTTPStatus, code: str, detail: str, **fields: Any) -> Problem:  # noqa: ANN401  # the fields of Problem
    return Problem(title=status.phrase, status=status, code=code, detail=detail, **fields)


def _response(problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Count the problem, and return it as a response."""
    REFUSALS.labels(problem.code).inc()
    note_problem(problem.code)
    body = problem.model_dump(mode="json", exclude_defaults=True) | {"type": problem.type}
    return JSONResponse(body, problem.status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def _headers_of(error: errors.FacenetError) -> dict[str, str]:
    match error:
        case access_errors.KeyMissing() | access_errors.KeyInvalid():
            return {"WWW-Authenticate": CHALLENGE}
        case errors.Unavailable():
            return {"Retry-After": str(error.retry_after_s)}
        case errors.StorageUnavailable():
            return {"Retry-After": str(STORAGE_RETRY_S)}
    return {}


def _response_to_little_memory(_error: MemoryError) -> JSONResponse:
    return response_to(errors.Overloaded("There is too little memory. Try again, or send less.", retry_after_s=5))


async def _refuse_parameters(request: Request, error: RequestValidationError) -> JSONResponse:
    """Name every error of the path and the query. The value is left out: it can be NaN, which is not JSON."""
    faults = describe_parameter_errors(error.errors(), request.scope["route"])
    return response_to_http_error(InvalidRequest(faults))


async def _refuse_path(request: Request, error: HTTPException) -> JSONResponse:
    """Refuse a path that does not exist, or a method that the path does not accept."""
    status = HTTPStatus(error.status_code)
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        methods = ", ".join(_methods(request)) or "GET, HEAD"  # a folder of files has no route with methods
        detail = f"This path does not accept this method. It accepts {methods}."
        return _response(_problem(status, "method_not_allowed", detail), {"Allow": methods})
    return _response(_problem(status, "not_found", "There is nothing at this path. /docs lists all paths."))


def _methods(request: Request) -> Iterator[str]:
    """List all methods of the path. Starlette lists only those of the first route with this path."""
    for method in METHODS:
        scope = {**request.scope, "method": method}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes):
            yield from ("GET", "HEAD") if method == "GET" else (method,)


def _handler(to_response: Callable[[Any], JSONResponse]) -> Callable[[Request, Exception], Awaitable[JSONResponse]]:
    async def handle(_request: Request, error: Exception) -> JSONResponse:
        return to_response(error)

    return handle

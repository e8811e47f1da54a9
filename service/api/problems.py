"""Every error as `application/problem+json` (RFC 9457). STATUS gives each error its status code.

No answer holds a traceback, a path, a vector, or what the client sent.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Match

from service.api.field_errors import Fault, describe_errors
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
    errors.SubjectNotFound: HTTPStatus.NOT_FOUND,
    errors.FaceNotFound: HTTPStatus.NOT_FOUND,
    errors.SubjectWithoutFaces: HTTPStatus.CONFLICT,
    errors.SubjectExists: HTTPStatus.CONFLICT,
    errors.TooFewPeople: HTTPStatus.CONFLICT,
    errors.CalibrationNotFound: HTTPStatus.NOT_FOUND,
    errors.StorageUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.StorageLost: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Overloaded: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.IndexBuilding: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Hanging: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ShuttingDown: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.TimedOut: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Abandoned: HTTPStatus.SERVICE_UNAVAILABLE,
}


class HttpError(Exception):
    """The root of the errors that exist only in HTTP: media types, sizes, syntax."""

    status: ClassVar[HTTPStatus]
    code: ClassVar[str]
    detail: str
    headers: ClassVar[Mapping[str, str]] = {}
    results: Sequence[EnrolmentResult] = ()


class InvalidHttp(HttpError):
    """The bytes of the client are not a request."""

    status = HTTPStatus.BAD_REQUEST
    code = "invalid_http"
    detail = "This is not a valid request of HTTP/1.1 (RFC 9112). The port speaks neither HTTP/2 nor TLS."


class HeadTooLarge(HttpError):
    """The request line and the headers together are too long."""

    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    code = "head_too_large"
    detail = "The request has too many headers, or too long ones. Send fewer headers and a shorter path."


class InvalidHost(HttpError):
    """The request has no Host header, several, or one that is not a host."""

    status = HTTPStatus.BAD_REQUEST
    code = "invalid_host"
    detail = "A request needs exactly one Host header, with a host and perhaps a port (RFC 9112, section 3.2)."


class HostNotAllowed(HttpError):
    """The Host header names a host that is not the service's own."""

    status = HTTPStatus.MISDIRECTED_REQUEST
    code = "host_not_allowed"
    detail = (
        "The service does not answer under the name in the Host header. Call it by its IP address or as localhost, or "
        "add the name to FACE_ALLOWED_HOSTS."
    )


class OriginNotAllowed(HttpError):
    """A web page of another origin sent a request that may change something."""

    status = HTTPStatus.FORBIDDEN
    code = "origin_not_allowed"
    detail = (
        "A web page of another origin sent this request. To allow the page, add its origin to FACE_CORS_ORIGINS. If it "
        "is a page of this service, the proxy before it must pass on the Host header with its port."
    )


class UnsupportedMediaType(HttpError):
    """The body is neither JSON nor a form."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported_media_type"
    detail = "Send the body as application/json, or images as files of a multipart/form-data form."


class CompressedBody(UnsupportedMediaType):
    """The body is compressed."""

    detail = "The body is compressed. This service takes no compressed bodies: send it without Content-Encoding."
    headers: ClassVar[Mapping[str, str]] = {"Accept-Encoding": "identity"}  # RFC 9110, section 12.5.3


class InvalidJson(HttpError):
    """The body is not valid JSON."""

    status = HTTPStatus.BAD_REQUEST
    code = "invalid_json"
    detail = "The body is not valid JSON (RFC 8259) in UTF-8."


class InvalidForm(HttpError):
    """The body is not a valid form."""

    status = HTTPStatus.BAD_REQUEST
    code = "invalid_form"
    detail = "The body is not a valid multipart/form-data form (RFC 7578)."

    def __init__(self, reason: str = "") -> None:
        self.detail = f"{self.detail} {reason}".rstrip()
        super().__init__(self.detail)


class UploadTooSlow(HttpError):
    """The body came too slowly."""

    status = HTTPStatus.REQUEST_TIMEOUT
    code = "upload_too_slow"
    detail = (
        "The body came too slowly: no byte for a while, or too few bytes a second. Send the request again, with "
        "smaller images or on a faster connection."
    )


class BodyTooLarge(HttpError):
    """The body has more bytes than the limit, or more values than any request needs."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "body_too_large"
    detail = "The body is larger than this service accepts. Send fewer or smaller images in one request."


class NothingEnrolled(HttpError):
    """An enrolment stored nothing, and refused at least one image."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "nothing_enrolled"
    detail = "None of the images was enrolled. `results` has the reason for each image."

    def __init__(self, results: Sequence[EnrolmentResult]) -> None:
        super().__init__(self.detail)
        self.results = results


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
    problem = _problem(error.status, error.code, error.detail, results=list(error.results))
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
        RequestValidationError: _response_to_invalid_request,
    }
    for kind, to_response in handlers.items():
        app.add_exception_handler(kind, _handler(to_response))
    app.add_exception_handler(HTTPException, _refuse_path)  # type: ignore[arg-type]  # called with this exception only


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of the problems that a route can answer with."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


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


def _response_to_invalid_request(error: RequestValidationError) -> JSONResponse:
    """Name every error by its field. The input is left out: it can hold a face, or NaN, which is not JSON."""
    found = error.errors()
    if any(one["type"] == "json_invalid" for one in found):
        return response_to_http_error(InvalidJson())
    detail = "The request has errors. `errors` names the fields. /docs shows what is expected."
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return _response(_problem(status, "invalid_request", detail, errors=describe_errors(found)))


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

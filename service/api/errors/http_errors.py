"""The errors that exist only in HTTP: media types, sizes, syntax. The others are in `service/domain/errors/`."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import ClassVar

from service.api.errors.field_errors import Fault, summarise
from service.api.schemas.faces import EnrolmentResult


class HttpError(Exception):
    """The root of the errors that exist only in HTTP: media types, sizes, syntax."""

    status: ClassVar[HTTPStatus]
    code: ClassVar[str]
    detail: str
    headers: ClassVar[Mapping[str, str]] = {}
    faults: Sequence[Fault] = ()
    results: Sequence[EnrolmentResult] = ()


class InvalidHttp(HttpError):
    """The bytes of the client are not a request."""

    status = HTTPStatus.BAD_REQUEST
    code = "invalid_http"
    detail = (
        "This is not a valid request of HTTP/1.1 (RFC 9112). The port speaks neither HTTP/2 nor TLS: call it with "
        "http:// and HTTP/1.1."
    )


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
    detail = (
        "Send the body as application/json (curl: -H 'Content-Type: application/json'), or images as files of a "
        "multipart/form-data form (curl: -F NAME=@FILE)."
    )


class CompressedBody(UnsupportedMediaType):
    """The body is compressed."""

    detail = "The body is compressed. This service takes no compressed bodies: send it without Content-Encoding."
    headers: ClassVar[Mapping[str, str]] = {"Accept-Encoding": "identity"}  # RFC 9110, section 12.5.3


class InvalidJson(HttpError):
    """The body is not valid JSON."""

    status = HTTPStatus.BAD_REQUEST
    code = "invalid_json"
    detail = "The body is not valid JSON (RFC 8259) in UTF-8. Let a JSON library write it."


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


class InvalidRequest(HttpError):
    """A field or an option is unknown, missing or out of range."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "invalid_request"
    detail = "/docs shows what each call takes."

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.detail = f"{summarise(faults)} {self.detail}"
        super().__init__(self.detail)
        self.faults = faults


class NothingEnrolled(HttpError):
    """An enrolment stored nothing, and refused at least one image."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "nothing_enrolled"
    detail = "None of the images was enrolled. `results` has the reason for each image."

    def __init__(self, results: Sequence[EnrolmentResult]) -> None:
        super().__init__(self.detail)
        self.results = results

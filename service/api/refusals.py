"""What only HTTP can get wrong: media types, sizes, syntax. `errors.py` names all other refusals."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import ClassVar

from service.api.gallery_answers import EnrolmentResult


class HttpRefusal(Exception):
    """The root: each says its status, its stable code and what to do."""

    status: ClassVar[HTTPStatus]
    code: ClassVar[str]
    detail: ClassVar[str]
    results: Sequence[EnrolmentResult] = ()


class UnsupportedMediaType(HttpRefusal):
    """Neither of the two forms of a body."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported_media_type"
    detail = "Send the body as application/json, or images as files of a multipart/form-data form."


class InvalidJson(HttpRefusal):
    """The body does not parse."""

    status = HTTPStatus.BAD_REQUEST
    code = "invalid_json"
    detail = "The body is not valid JSON (RFC 8259) in UTF-8."


class InvalidForm(HttpRefusal):
    """The form does not parse."""

    status = HTTPStatus.BAD_REQUEST
    code = "invalid_form"
    detail = "The body is not a valid multipart/form-data form (RFC 7578), or has too many parts."


class BodyTooLarge(HttpRefusal):
    """More bytes than the limit, or more values than anything that is asked for here needs."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "body_too_large"
    detail = "The body is larger than this service takes. Send fewer or smaller images a request."


class NothingEnrolled(HttpRefusal):
    """Every image of an enrolment was refused, or was known already beside refused ones."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "nothing_enrolled"
    detail = "None of the images was enrolled; `results` says of each why."

    def __init__(self, results: Sequence[EnrolmentResult]) -> None:
        super().__init__(self.detail)
        self.results = results

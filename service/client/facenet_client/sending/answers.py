"""What a response of HTTP is: a result, or an error of the client."""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx
from pydantic import ValidationError

from facenet_client.errors import RequestRefused, UnexpectedAnswer
from facenet_client.schemas import Problem

T = TypeVar("T")


def result_of(response: httpx.Response, read: Callable[[httpx.Response], T]) -> T:
    """Return the result of a successful response. Raises RequestRefused or UnexpectedAnswer."""
    if not response.is_success:
        raise refusal_of(response)
    try:
        return read(response)
    except ValueError as error:
        raise UnexpectedAnswer(
            f"The answer to {response.request.method} {response.request.url.path} is not one of this service, or its "
            f"version does not fit this client: {_first_fault(error)}"
        ) from None


def refusal_of(response: httpx.Response) -> RequestRefused:
    """Return the error of a response. Its body was read. Without a problem document, the code is `unknown`."""
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:
        status, phrase = response.status_code, response.reason_phrase
        detail = f"The answer has the status {status} {phrase} and no reason. A proxy may have sent it."
        problem = Problem(title=phrase, status=status, code="unknown", detail=detail)
    headers = response.headers
    return RequestRefused(problem, _retry_after_s(headers.get("Retry-After", "")), headers.get("X-Request-ID"))


def _retry_after_s(value: str) -> float | None:
    """Read seconds, or a date (RFC 9110, section 10.2.3)."""
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _first_fault(error: ValueError) -> str:
    """Name the first field that is wrong, without its value: it can hold a face."""
    if isinstance(error, ValidationError):
        (first, *_) = error.errors(include_url=False, include_input=False)
        return f"{'.'.join(map(str, first['loc'])) or 'the body'}: {first['msg']}."
    return str(error)

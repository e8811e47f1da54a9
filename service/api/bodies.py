"""Read a body: JSON, a form with files under the same field names, or a JSON object on each line.

A body is one pydantic model. JSON gives its fields as objects, a form gives them as files. The same model validates
both, so each rule is written once. A form is parsed in memory: no photograph is written to a disk.
"""

import math
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

from service.api.dependencies import Services, ServicesDep
from service.api.errors.field_errors import describe_body_errors
from service.api.errors.http_errors import (
    BodyTooLarge,
    CompressedBody,
    HttpError,
    InvalidJson,
    InvalidRequest,
    UnsupportedMediaType,
)
from service.api.forms import parse_form
from service.api.schemas.faces import FaceLine
from service.api.schemas.fields import Body, InvalidBody, TooManyValues, errors_of
from service.decisions.inputs import PhotographInput, SentFace
from service.domain.errors import InvalidLine

B = TypeVar("B", bound=Body)
JSON = "application/json"
FORM = "multipart/form-data"
NDJSON = "application/x-ndjson"

MAX_RESOURCE_BYTES = 2**16
LARGE_JSON_BYTES = 2**20
"""From this size on, JSON is parsed in another process. The parser holds the interpreter (the GIL) all the time. So
in a thread, it would stop other requests too. `benchmarks/loop_lag.py` measures it."""

MAX_LINES = 50_000
MAX_LINE_BYTES = 2**17
"""Enough for 4,096 numbers with all their digits, and metadata of the greatest length."""

LINES_PER_BLOCK = 2_500
"""Of a transaction. With fewer, an import takes longer. With more, other changes wait longer for it."""
MAX_BLOCK_BYTES = 2**22
"""A block ends after a line that makes it larger than this: parsed JSON can take many times the memory of its text."""
MAX_LINE_ERRORS = 3

GZIP_START = b"\x1f\x8b"
"""The first bytes of every gzip file (RFC 1952, section 2.3.1). No JSON text and no form starts with them."""

FORM_START = b"--"
"""The first bytes of every form. No JSON text starts with them."""


def body_of(model: type[B]) -> Callable[[Request, Services], Awaitable[B]]:
    """Return a FastAPI dependency that reads the body as `model`, from JSON or from a form.

    It raises Overloaded before it reads the body, if no image would be admitted now.
    """
    lists = {name for name, field in model.model_json_schema()["properties"].items() if field.get("type") == "array"}

    async def read(request: Request, services: ServicesDep) -> B:
        services.admission.require_room()
        if _media_type(request) == FORM:
            files = await _read_form(request, lists)
            return _validate(model, files)
        if _media_type(request) != JSON:
            raise UnsupportedMediaType
        return await _read_json(request, services, model)

    return read


def optional_body_of(model: type[B]) -> Callable[[Request, Services], Awaitable[B | None]]:
    """Return a FastAPI dependency like `body_of`, for a request that may have no body. It then returns None."""
    read = body_of(model)

    async def read_if_present(request: Request, services: ServicesDep) -> B | None:
        return await read(request, services) if _has_body(request) else None

    return read_if_present


def json_body_of(model: type[B]) -> Callable[[Request, Services], Awaitable[B]]:
    """Return a FastAPI dependency like `body_of`, for JSON only, of at most MAX_RESOURCE_BYTES."""

    async def read(request: Request, services: ServicesDep) -> B:
        if _media_type(request) != JSON:
            raise NotJson
        return await _read_json(request, services, model, MAX_RESOURCE_BYTES)

    return read


def optional_json_body_of(model: type[B]) -> Callable[[Request, Services], Awaitable[B | None]]:
    """Return a FastAPI dependency like `json_body_of`, for a request that may have no body. It then returns None."""
    read = json_body_of(model)

    async def read_if_present(request: Request, services: ServicesDep) -> B | None:
        return await read(request, services) if _has_body(request) else None

    return read_if_present


class NotJson(UnsupportedMediaType):
    """The body is not JSON."""

    detail = "This call takes no form. Send the body as application/json (curl: -H 'Content-Type: application/json')."


class FormAsJson(InvalidJson):
    """The body is a form, and its Content-Type says that it is JSON."""

    detail = (
        "The body is a form, and its Content-Type says application/json. Let the HTTP library set the Content-Type of "
        "a form, and do not set it yourself."
    )


class NotLines(UnsupportedMediaType):
    """The body is not NDJSON."""

    detail = "Send the body as application/x-ndjson: one JSON object on each line."


class TooManyLines(BodyTooLarge):
    """The body has more lines than one request may have."""

    detail = "The body has more lines than one request may have. Send them in several requests."


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a body that is not blank. number: from 1. data: None if it is too long."""

    number: int
    data: bytes | None


@dataclass(frozen=True, slots=True)
class Lines:
    """A body of lines. count: how many, with the blank ones."""

    data: bytearray
    count: int

    def blocks(self) -> Iterator[list[Line]]:
        """Yield the lines, some at a time, so that only these are copied. Blank lines are left out."""
        block: list[Line] = []
        size = 0
        for line in self._lines():
            block.append(line)
            size += len(line.data or b"")
            if len(block) == LINES_PER_BLOCK or size > MAX_BLOCK_BYTES:
                yield block
                block, size = [], 0
        if block:
            yield block

    def _lines(self) -> Iterator[Line]:
        start, view = 0, memoryview(self.data)
        for number in range(1, self.count + 1):
            end = self.data.find(b"\n", start)
            end = len(self.data) if end < 0 else end
            if end - start > MAX_LINE_BYTES:
                yield Line(number, None)
            elif data := bytes(view[start:end]).strip():
                yield Line(number, data)
            start = end + 1


async def lines_of_body(request: Request) -> Lines:
    """Read a body of NDJSON. Raises UnsupportedMediaType or BodyTooLarge."""
    if _media_type(request) != NDJSON:
        raise NotLines
    data = bytearray()
    async for part in _uncompressed_parts(request):
        data += part
    count = data.count(b"\n") + (not data.endswith(b"\n"))
    if count > MAX_LINES:
        raise TooManyLines
    return Lines(data, count)


def read_face_line(line: Line) -> SentFace:
    """Read one line of a bulk enrolment. Raises InvalidLine. It says what is wrong, and repeats nothing of the line."""
    if line.data is None:
        raise InvalidLine(f"The line has more than {MAX_LINE_BYTES:,} bytes.")
    try:
        return FaceLine.model_validate_json(line.data).to_face()
    except ValidationError as error:
        faults = describe_line_errors(error, FaceLine)
    # Raised here, and not above, where the new error would keep the other one, with all that was read of the line.
    raise InvalidLine(faults)


def describe_line_errors(error: ValidationError, model: type[BaseModel]) -> str:
    """Say what is wrong with a line, and repeat nothing of it but a misspelt name."""
    errors = errors_of(error)
    if any(one["type"] == "json_invalid" for one in errors):
        return "The line is not valid JSON (RFC 8259) in UTF-8."
    faults = describe_body_errors(errors, model)[:MAX_LINE_ERRORS]
    return " ".join(f"{fault.where.removeprefix('body.')}: {fault.message.rstrip('.')}." for fault in faults)


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


async def _read_json(request: Request, services: Services, model: type[B], max_bytes: float = math.inf) -> B:
    data = bytearray()
    async for part in _uncompressed_parts(request):
        data += part
        if len(data) > max_bytes:
            raise BodyTooLarge
    if data.startswith(FORM_START):
        raise FormAsJson
    try:
        if len(data) < LARGE_JSON_BYTES:
            return model.read_json(data)
        return await services.parsing.run(model.read_json, data)
    except InvalidBody as error:
        raise _invalid_body(error.errors, model) from None
    except TooManyValues:
        raise BodyTooLarge from None


async def _uncompressed_parts(request: Request) -> AsyncGenerator[bytes, None]:
    """Yield the parts of the body. Raises CompressedBody, even if no header says that it is compressed."""
    if request.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise CompressedBody
    start = b""
    async for part in request.stream():
        if len(start) < len(GZIP_START):
            start += part[: len(GZIP_START)]
            if start.startswith(GZIP_START):
                raise CompressedBody
        yield part


def _validate(model: type[B], files: dict[str, Any]) -> B:
    try:
        return model.model_validate(files)
    except ValidationError as error:
        raise _invalid_body(errors_of(error), model) from None


def _invalid_body(errors: list[dict[str, Any]], model: type[Body]) -> HttpError:
    """Name every error of a body. The input is left out: it can hold a face, or NaN, which is not JSON."""
    if any(one["type"] == "json_invalid" for one in errors):
        return InvalidJson()
    return InvalidRequest(describe_body_errors(errors, model))


async def _read_form(request: Request, lists: Collection[str]) -> dict[str, Any]:
    """Return the parts of the form by field. Files become inputs, text stays text.

    lists: the fields that are always a list, even if the form has one part for them.
    """
    form = await parse_form(request.headers, _uncompressed_parts(request))
    fields: defaultdict[str, list[PhotographInput | str]] = defaultdict(list)
    for name, part in form.multi_items():
        fields[name].append(PhotographInput(part.file.read()) if isinstance(part, UploadFile) else part)
    await form.close()
    return {name: parts[0] if len(parts) == 1 and name not in lists else parts for name, parts in fields.items()}

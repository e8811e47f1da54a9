"""One body, two media types: JSON, or a form with files under the same field names.

A body is one pydantic model. From a form its fields come as uploads, from JSON as objects; either way the model
validates them, so a rule is written once. The form is parsed in memory: no photograph is spooled to a disk.
"""

import math
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from service.api.refusals import BodyTooLarge, InvalidForm, UnsupportedMediaType
from service.api.requests import MAX_IMAGES
from service.decisions.inputs import Upload

B = TypeVar("B", bound=BaseModel)
JSON = "application/json"
FORM = "multipart/form-data"
MAX_PARTS = MAX_IMAGES

# A value takes two bytes of JSON and, once it is parsed, forty of memory; what is wrong with it takes a thousand. So
# values are counted before they are parsed: numbers enough for 20,000 embeddings of the usual dimension, and members
# enough for the images of one request, each an object of two whose data URI holds a colon too.
MAX_JSON_VALUES = 2**22
MAX_JSON_MEMBERS = 4 * MAX_IMAGES
RESOURCE_BYTES = 2**16


class _InMemoryParser(MultiPartParser):
    spool_max_size = 2**31  # the body's limit binds long before


def body_of(model: type[B]) -> Callable[[Request], Awaitable[B]]:
    """A FastAPI dependency that reads the request's body, in either form, as `model`."""
    lists = {name for name, field in model.model_json_schema()["properties"].items() if field.get("type") == "array"}

    async def read(request: Request) -> B:
        if _media_type(request) == FORM:
            files = await _files(request, lists)
            return _validated(lambda: model.model_validate(files))
        return await _read_json(request, model)

    return read


def optional_body_of(model: type[B]) -> Callable[[Request], Awaitable[B | None]]:
    """The same, or None where the request has no body."""
    read = body_of(model)

    async def read_if_there(request: Request) -> B | None:
        return await read(request) if _has_body(request) else None

    return read_if_there


def json_body_of(model: type[B]) -> Callable[[Request], Awaitable[B]]:
    """The same for resources that are plain JSON: a form is refused, and so is more than a resource can hold."""

    async def read(request: Request) -> B:
        return await _read_json(request, model, RESOURCE_BYTES)

    return read


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


async def _read_json(request: Request, model: type[B], max_bytes: float = math.inf) -> B:
    if _media_type(request) != JSON:
        raise UnsupportedMediaType
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > max_bytes:
            raise BodyTooLarge
    _check_extent(data)
    return _validated(lambda: model.model_validate_json(data))


def _check_extent(data: bytearray) -> None:
    if data.count(b",") + data.count(b"[") > MAX_JSON_VALUES or data.count(b":") > MAX_JSON_MEMBERS:
        raise BodyTooLarge


def _validated(validate: Callable[[], B]) -> B:
    """Faults are told by where they are in the body, and without what was sent."""
    try:
        return validate()
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        raise RequestValidationError([{**fault, "loc": ("body", *fault["loc"])} for fault in faults]) from None


async def _files(request: Request, lists: Collection[str]) -> dict[str, Any]:
    """The form's parts by field: a list where the model takes one, else the part itself. Text stays text."""
    parser = _InMemoryParser(request.headers, request.stream(), max_files=MAX_PARTS, max_fields=MAX_PARTS)
    try:
        form = await parser.parse()
    except (MultiPartException, UnicodeError):  # the latter from a charset that decodes nothing
        raise InvalidForm from None
    fields: defaultdict[str, list[Upload | str]] = defaultdict(list)
    for name, part in form.multi_items():
        fields[name].append(Upload(part.file.read()) if isinstance(part, UploadFile) else part)
    await form.close()
    return {name: parts[0] if len(parts) == 1 and name not in lists else parts for name, parts in fields.items()}

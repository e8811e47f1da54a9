"""The problems that an operation can answer with, by status.

A route names the errors of its own work (`refusals`). Those of every body, every key and every collection are added to
all operations alike (`refusals_of_kind`). The codes are in the description of a response, and in CODES for programs.
"""

from collections import defaultdict
from http import HTTPStatus
from typing import Any

from service.api.access import NEEDS, PUBLIC_ROUTES
from service.api.bodies import FORM, JSON
from service.api.errors.http_errors import (
    BodyTooLarge,
    HostNotAllowed,
    HttpError,
    InvalidForm,
    InvalidJson,
    InvalidRequest,
    OriginNotAllowed,
    UnsupportedMediaType,
    UploadTooSlow,
)
from service.api.middleware.origins import SAFE_METHODS
from service.api.problems import MEDIA_TYPE, STATUS
from service.domain import access_errors, errors

Refusal = type[errors.FacenetError] | type[HttpError]
CODES = "x-codes"
"""The field of a response that lists the codes of its problems."""

IN_COLLECTION = (errors.CollectionNotFound, errors.ImportUnfinished)
OF_SUBJECT = (*IN_COLLECTION, errors.SubjectNotFound)
OF_FACE = (*IN_COLLECTION, errors.FaceNotFound)
OF_EMBEDDINGS = (errors.InvalidEmbedding, errors.ModelMismatch)
OF_IMAGES = (
    errors.UnreadableImage,
    errors.ImageTooLarge,
    errors.ImageTooComplex,
    *OF_EMBEDDINGS,
    *OF_SUBJECT,
    errors.FaceNotFound,
    errors.SubjectWithoutFaces,
    errors.InvalidOption,
    access_errors.QuotaUsed,
)
"""A photograph, an embedding, an enrolled face or a subject. There may be too many for a request, or for the key."""

OF_SEARCH = (errors.IndexBuilding, errors.SearchUnavailable)
OF_STORAGE = (errors.StorageUnavailable, errors.StorageLost)
OF_CHANGE = (errors.ChangeUnconfirmed,)


def refusals(*own: Refusal) -> dict[int | str, dict[str, Any]]:
    """Return the responses of a route that refuse a request. own: the errors of its own work."""
    by_status: defaultdict[int, dict[str, Refusal]] = defaultdict(dict)
    for one in (InvalidRequest, *own):
        by_status[_status_of(one)][one.code] = one
    return {status: _response(by_code) for status, by_code in by_status.items()}


def refusals_of_kind(method: str, path: str, operation: dict[str, Any]) -> list[Refusal]:
    """Return what can refuse an operation because of its method, its path, its key or its body."""
    found: list[Refusal] = [HostNotAllowed]
    if method.upper() not in SAFE_METHODS:
        found.append(OriginNotAllowed)
    if "{collection}" in path:
        found.append(errors.CollectionNotFound)
    if path not in PUBLIC_ROUTES:
        found += _refusals_of_key(method, path)
    if content := operation.get("requestBody", {}).get("content"):
        found += [BodyTooLarge, UnsupportedMediaType, UploadTooSlow]
        found += [error for media_type, error in ((JSON, InvalidJson), (FORM, InvalidForm)) if media_type in content]
    return found


def with_refusals(responses: dict[str, Any], more: list[Refusal]) -> dict[str, Any]:
    """Return the responses of an operation with further errors, in the order of their statuses."""
    found = dict(responses)
    for status, response in refusals(*more).items():
        own = responses.get(str(status))
        found[str(status)] = response if own is None else _merged(own, response)
    return dict(sorted(found.items()))


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    lines = {*one["description"].splitlines(), *other["description"].splitlines()}
    return {**one, "description": "\n".join(sorted(lines)), CODES: sorted({*one[CODES], *other[CODES]})}


def _refusals_of_key(method: str, path: str) -> list[Refusal]:
    need = NEEDS[method.upper(), path]
    found: list[Refusal] = [access_errors.KeyMissing, access_errors.KeyInvalid, access_errors.RateExceeded]
    found += [errors.Overloaded, errors.TimedOut, errors.ShuttingDown, *OF_STORAGE]
    if need.scope:
        found.append(access_errors.ScopeMissing)
    if need.all_collections:
        found.append(access_errors.AllCollectionsNeeded)
    return found


def _response(by_code: dict[str, Refusal]) -> dict[str, Any]:
    lines = [f"- `{code}`: {_meaning(error)}" for code, error in sorted(by_code.items())]
    schema = {"$ref": "#/components/schemas/Problem"}
    content = {MEDIA_TYPE: {"schema": schema, "example": _example(*min(by_code.items()))}}
    return {"description": "\n".join(lines), "content": content, CODES: sorted(by_code)}


def _example(code: str, error: Refusal) -> dict[str, Any]:
    status = HTTPStatus(_status_of(error))
    return {"type": "about:blank", "title": status.phrase, "status": status, "code": code, "detail": _meaning(error)}


def _status_of(error: Refusal) -> int:
    return error.status if issubclass(error, HttpError) else STATUS[error]


def _meaning(error: Refusal) -> str:
    """Return the first sentence of the class: what happened."""
    return f"{(error.__doc__ or '').partition('.')[0]}."

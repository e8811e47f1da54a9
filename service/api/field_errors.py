"""Describe the errors of a request, field by field. Neither the input nor an unknown name is repeated."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field

from service.api.schemas.cluster import ClusterBody, ClusterOptions
from service.api.schemas.collections import CollectionFields
from service.api.schemas.embed import EmbedOptions
from service.api.schemas.faces import EnrolOptions, FaceLine
from service.api.schemas.fields import PageOptions
from service.api.schemas.identify import IdentifyBody, IdentifyOptions
from service.api.schemas.images import IMAGE_KINDS, KIND_TAGS, ImagesBody
from service.api.schemas.keys import NewKey, RotateOptions
from service.api.schemas.subjects import NewSubject, SubjectFields
from service.api.schemas.verify import VerifyBody, VerifyOptions

MAX_ERRORS = 10
UNKNOWN_FIELD = "extra_forbidden"
"""Pydantic's type for an unknown field."""


class Fault(BaseModel):
    """One error of a request."""

    where: str = Field(description="the field, such as query.threshold or body.image_a")
    message: str


def _fields(*models: type[BaseModel]) -> frozenset[str]:
    return frozenset(name for model in models for name in model.model_fields)


OPTIONS = _fields(
    VerifyOptions, IdentifyOptions, EmbedOptions, ClusterOptions, EnrolOptions, PageOptions, RotateOptions
)
IMAGES = _fields(VerifyBody, IdentifyBody, ImagesBody, ClusterBody) - {"model"}
MAX_RATES = {"max_fmr", "max_fpir"}
_KNOWN_NAMES = (
    OPTIONS
    | IMAGES
    | _fields(ClusterBody, CollectionFields, NewSubject, SubjectFields, NewKey, FaceLine, *IMAGE_KINDS)
    | {"path", "query", "body", "collection", "subject", "face", "key_id"}
)


def describe_errors(errors: Sequence[Mapping[str, Any]]) -> list[Fault]:
    """Describe the first errors of pydantic."""
    return [Fault(where=_place(error["loc"]), message=_message(error)) for error in errors[:MAX_ERRORS]]


def _place(location: Sequence[int | str]) -> str:
    """Join the parts of a location, as the client wrote them: it did not write the kind of an image.

    An unknown name is hidden, because a client can put anything there.
    """
    written = [part for part in location if part not in KIND_TAGS]
    return ".".join(str(part) if isinstance(part, int) or part in _KNOWN_NAMES else "(unknown)" for part in written)


def _message(error: Mapping[str, Any]) -> str:
    if error["type"] != UNKNOWN_FIELD:
        return str(error["msg"])
    part_of_request, name = error["loc"][0], error["loc"][-1]
    if part_of_request == "body" and name in OPTIONS:
        return "Options go into the query, such as ?threshold=1.1, and not into the body."
    if part_of_request == "query" and name in MAX_RATES:
        return "The option of /verify is max_fmr, and the option of /identify is max_fpir."
    if part_of_request == "query" and name in IMAGES:
        return "Images go into the body, and not into the query."
    return "There is no such field here. /docs lists the fields of each request."

"""Describe the errors of a request, field by field.

What the client sent is not repeated. One exception: an unknown name that is nearly a name of this request. It is then
short, and has letters, digits, `-` and `_` only.
"""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from fastapi.routing import APIRoute
from pydantic import BaseModel, Field

from service.api.schemas.cluster import ClusterBody, ClusterOptions
from service.api.schemas.collections import CollectionFields
from service.api.schemas.embed import EmbedOptions
from service.api.schemas.faces import EnrolOptions, FaceLine
from service.api.schemas.fields import NAME_PATTERN, WHOLE_ID, PageOptions
from service.api.schemas.identify import IdentifyBody, IdentifyOptions
from service.api.schemas.images import KINDS_BY_TAG, ImagesBody
from service.api.schemas.keys import NewKey, RotateOptions
from service.api.schemas.subjects import NewSubject, SubjectFields
from service.api.schemas.verify import VerifyBody, VerifyOptions
from service.domain.identifiers import ID_RULE

MAX_ERRORS, MAX_SUMMARISED = 10, 3
UNKNOWN_FIELD = "extra_forbidden"
"""Pydantic's type for an unknown field."""

MISSING = "This field is missing."
MESSAGES = {
    "missing": MISSING,
    "dict_type": 'Send a JSON object, such as {"team": "engines"}, and not text that holds JSON.',
    "model_type": "Send a JSON object. If you sent text that holds JSON, it was encoded twice.",
}
"""By pydantic's type of an error. Its own message for the others says enough."""

PATTERNS = {
    f"String should match pattern '{WHOLE_ID}'": ID_RULE,
    f"String should match pattern '{NAME_PATTERN}'": "A name has no control characters, such as a line break.",
}
"""By pydantic's message: what a pattern means, in words."""

MISSPELT = re.compile(r"[A-Za-z0-9_-]{1,40}")
"""An unknown name that is compared with the known ones. All others are not repeated."""


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
    | _fields(ClusterBody, CollectionFields, NewSubject, SubjectFields, NewKey, FaceLine, *KINDS_BY_TAG.values())
    | {"path", "query", "body", "collection", "subject", "face", "key_id"}
)


def describe_parameter_errors(errors: Sequence[Mapping[str, Any]], route: APIRoute) -> list[Fault]:
    """Describe the first errors of the path and the query."""
    queries = [parameter.field_info.annotation for parameter in route.dependant.query_params]
    names = [name for query in queries if query for name in query.model_fields]
    takes = f"{route.path} takes: {', '.join(names)}." if names else f"{route.path} takes no options."
    return [_fault(error, "option", names, takes) for error in errors[:MAX_ERRORS]]


def describe_body_errors(errors: Sequence[Mapping[str, Any]], model: type[BaseModel]) -> list[Fault]:
    """Describe the first errors of a body, or of a line of it."""
    faults = []
    for error in errors[:MAX_ERRORS]:
        names = _fields_at(error["loc"], model)
        faults.append(_fault(error, "field", names, f"The fields here: {', '.join(names)}." if names else ""))
    return faults


def summarise(faults: Sequence[Fault]) -> str:
    """Return some faults as one text. A missing field comes last: its name may be misspelt in another fault."""
    ordered = sorted(faults, key=lambda fault: fault.message == MISSING)
    return " ".join(f"{fault.where}: {fault.message.rstrip('.')}." for fault in ordered[:MAX_SUMMARISED])


def _fields_at(location: Sequence[int | str], model: type[BaseModel]) -> list[str]:
    """Return the names at a place of a body: those of a kind of image, or those of the body."""
    kind = next((KINDS_BY_TAG[part] for part in location if part in KINDS_BY_TAG), model)
    return [field.alias or name for name, field in kind.model_fields.items()]


def _fault(error: Mapping[str, Any], noun: str, names: Sequence[str], takes: str) -> Fault:
    place = error["loc"]
    if error["type"] != UNKNOWN_FIELD:
        return Fault(where=_where(place), message=_in_words(error["type"], str(error["msg"])))
    name = place[-1]
    misplaced = _in_the_wrong_place(place[0], name)
    if misplaced is None and (meant := _nearest(name, names)):
        message = f"There is no {noun} {name}. Did you mean {meant}? {takes}"
        return Fault(where=f"{_where(place[:-1])}.{name}", message=message)
    return Fault(where=_where(place), message=misplaced or f"There is no such {noun}. {takes}".rstrip())


def _in_words(kind: str, message: str) -> str:
    return MESSAGES.get(kind) or PATTERNS.get(message, message)


def _nearest(name: int | str, names: Sequence[str]) -> str | None:
    if not isinstance(name, str) or not MISSPELT.fullmatch(name):
        return None
    return next(iter(get_close_matches(name.lower().replace("-", "_"), names, 1)), None)


def _where(location: Sequence[int | str]) -> str:
    """Join the parts of a location, as the client wrote them: it did not write the kind of an image.

    An unknown name is hidden, because a client can put anything there.
    """
    written = [part for part in location if part not in KINDS_BY_TAG]
    return ".".join(str(part) if isinstance(part, int) or part in _KNOWN_NAMES else "(unknown)" for part in written)


def _in_the_wrong_place(part_of_request: int | str, name: int | str) -> str | None:
    if part_of_request == "body" and name in OPTIONS:
        return "Options go into the query, such as ?threshold=1.1, and not into the body."
    if part_of_request == "query" and name in MAX_RATES:
        return "The option of /verify is max_fmr, and the option of /identify is max_fpir."
    if part_of_request == "query" and name in IMAGES:
        return "Images go into the body, and not into the query."
    return None

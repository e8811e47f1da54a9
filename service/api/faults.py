"""What is wrong with a request, field by field, in words; never the input itself, nor a name that only it knows."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field

MAX_FAULTS = 10


class Fault(BaseModel):
    """One thing that is wrong with a request."""

    where: str = Field(description="the field, such as query.threshold or body.image_a")
    message: str


OPTIONS = frozenset(
    {"threshold", "collection", "k", "method", "n_clusters", "together", "include", "on_several", "limit", "cursor"}
)
IMAGES = frozenset({"image", "image_a", "image_b", "images", "embeddings"})
_OTHER_NAMES = frozenset(
    {"path", "query", "body", "base64", "embedding", "model", "face", "subject", "id", "name", "metadata"}
)
_UNKNOWN_FIELD = "extra_forbidden"


def faults(found: Sequence[Mapping[str, Any]]) -> list[Fault]:
    """The first of pydantic's errors, as they are told."""
    return [Fault(where=_where(one["loc"]), message=_message(one)) for one in found[:MAX_FAULTS]]


def _where(location: Sequence[int | str]) -> str:
    known = OPTIONS | IMAGES | _OTHER_NAMES
    return ".".join(str(part) if isinstance(part, int) or part in known else "(unknown)" for part in location)


def _message(one: Mapping[str, Any]) -> str:
    if one["type"] != _UNKNOWN_FIELD:
        return str(one["msg"])
    place, name = one["loc"][0], one["loc"][-1]
    if place == "body" and name in OPTIONS:
        return "Options go into the query, such as ?threshold=1.1, and not into the body."
    if place == "query" and name in IMAGES:
        return "Images go into the body, and not into the query."
    return "There is no such field here; /docs lists those that are."

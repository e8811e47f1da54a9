"""The fields that many requests share, with their bounds."""

import json
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, FailFast, Field, StringConstraints
from pydantic_core import PydanticCustomError

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
"""A collection's, subject's or face's id."""

ModelId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A model's identity: sha256 over its graph (GET /model)."""

Threshold = Annotated[
    float, Field(ge=0, le=4, allow_inf_nan=False, description="squared L2 distance; below it is a match")
]

UnitVector = Annotated[
    list[Annotated[float, Field(strict=True, allow_inf_nan=False)]],
    FailFast(),
    Field(min_length=2, max_length=4096, description="a unit vector of the model's dimension"),
]

Name = Annotated[str, StringConstraints(max_length=256, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
"""What people call a subject: Unicode without control characters."""


def _spelt_out(value: object) -> object:
    if value not in ("true", "false"):
        raise PydanticCustomError("flag", "Input should be true or false")
    return value


Flag = Annotated[bool, BeforeValidator(_spelt_out)]
"""Yes or no in a query. Pydantic would take `0`, `off` and `n` too, which the description of the API does not say."""

METADATA_BYTES = 4096


def _small(metadata: dict[str, Any]) -> dict[str, Any]:
    try:
        size = len(json.dumps(metadata, ensure_ascii=False, allow_nan=False).encode())
    except ValueError:
        raise PydanticCustomError("metadata_number", "Metadata holds a number that is out of range.") from None
    if size > METADATA_BYTES:
        raise PydanticCustomError("metadata_size", "Metadata is at most 4 kB of JSON.")
    return metadata


Metadata = Annotated[dict[str, Any], AfterValidator(_small), Field(description="any JSON object of at most 4 kB")]


class Options(BaseModel):
    """The query of a request; a name that is not among its fields is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoOptions(Options):
    """The query of a request that has no options."""


class Page(Options):
    """Which part of a list."""

    limit: int = Field(100, ge=1, le=1000, description="items a page, at most")
    cursor: Id | None = Field(None, description="the `next_cursor` of the page before")

"""Field types that several requests share, with their limits."""

import json
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, FailFast, Field, StringConstraints
from pydantic_core import PydanticCustomError

from service.domain.identifiers import ID_PATTERN

Id = Annotated[str, StringConstraints(pattern=rf"^{ID_PATTERN}$")]
"""The id of a collection, a subject or a face."""

Threshold = Annotated[
    float, Field(ge=0, le=4, allow_inf_nan=False, description="a squared L2 distance. A smaller distance is a match")
]

UnitVector = Annotated[
    list[Annotated[float, Field(strict=True, allow_inf_nan=False)]],
    FailFast(),
    Field(min_length=2, max_length=4096, description="a unit vector of the model's dimension"),
]

Name = Annotated[str, StringConstraints(max_length=256, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
"""The name of a subject: Unicode without control characters."""


def _true_or_false(value: object) -> object:
    if value not in ("true", "false"):
        raise PydanticCustomError("flag", "Input should be true or false")
    return value


Flag = Annotated[bool, BeforeValidator(_true_or_false)]
"""A boolean in a query. Pydantic would also accept `0`, `off` and `n`, which are not in the API description."""

METADATA_BYTES = 4096


def _limit_size(metadata: dict[str, Any]) -> dict[str, Any]:
    try:
        size = len(json.dumps(metadata, ensure_ascii=False, allow_nan=False).encode())
    except ValueError:
        raise PydanticCustomError("metadata_number", "Metadata holds a number that is out of range.") from None
    if size > METADATA_BYTES:
        raise PydanticCustomError("metadata_size", "Metadata is at most 4 kB of JSON.")
    return metadata


Metadata = Annotated[dict[str, Any], AfterValidator(_limit_size), Field(description="any JSON object of at most 4 kB")]


class Body(BaseModel):
    """The base of all bodies. An unknown field is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Options(BaseModel):
    """The base of all queries. An unknown option is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoOptions(Options):
    """The query of a request that has no options."""


class PageOptions(Options):
    """Which page of a list."""

    limit: int = Field(100, ge=1, le=1000, description="the most items on a page")
    cursor: Id | None = Field(None, description="the `next_cursor` of the previous page")

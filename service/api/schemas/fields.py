"""Field types that several requests share, with their limits."""

import json
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    StringConstraints,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from service.domain.identifiers import ID_PATTERN

MAX_IMAGES = 4096
MAX_EMBEDDINGS = 20_000
"""No setting allows more. The settings can allow less. `admission.py` and the decision check the settings."""

WHOLE_ID = rf"^{ID_PATTERN}$"

Id = Annotated[str, StringConstraints(pattern=WHOLE_ID)]
"""The id of a collection, a subject or a face."""

EXAMPLE_COLLECTION, EXAMPLE_SUBJECT, EXAMPLE_FACE = "people", "ada", "face-1"
"""The example of an import stores them, and the examples of the other calls use them."""
EXAMPLE_MODEL = "71af6535681fa78a1226dadf45f1d81a130b1e1ce969d6261b84a715241a5cb8"
"""The id of the default model. With another model, an example with embeddings needs the id of GET /model."""

Threshold = Annotated[
    float, Field(ge=0, le=4, allow_inf_nan=False, description="a squared L2 distance. A smaller distance is a match")
]

MaxRate = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]
"""The highest error rate that a caller accepts, in (0, 1)."""

UnitVector = Annotated[
    list[Annotated[float, Field(strict=True, allow_inf_nan=False)]],
    FailFast(),
    Field(min_length=2, max_length=4096, description="a unit vector of the model's dimension"),
]

NAME_PATTERN = r"^[^\x00-\x1f\x7f-\x9f]*$"

Name = Annotated[str, StringConstraints(max_length=256, pattern=NAME_PATTERN)]
"""The name of a subject: Unicode without control characters."""


def _true_or_false(value: object) -> object:
    if value not in ("true", "false"):
        raise PydanticCustomError("flag", "Input should be true or false")
    return value


Flag = Annotated[bool, BeforeValidator(_true_or_false)]
"""A boolean in a query. Pydantic would also accept `0`, `off` and `n`, which are not in the API description."""

OnePersonOnce = Annotated[
    Flag,
    Field(
        description="`true`: a photograph shows each person once, so two of its faces are never one person. `false`: "
        "for collages and mirrors"
    ),
]

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


class InvalidBody(Exception):
    """A body does not fit its model. errors: the place of each error in the body, but not the input."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(errors)
        self.errors = errors


class TooManyValues(Exception):
    """A body has more JSON values than any request needs."""


# A JSON value of two bytes takes forty bytes of memory when it is parsed, and a thousand in an error report. So values
# are counted before they are parsed. The first limit allows the numbers of 20,000 embeddings of the usual dimension.
# The second allows the images of one request: an image is an object with two members, and a data URI has a colon too.
MAX_JSON_VALUES = 2**22
MAX_JSON_MEMBERS = 4 * MAX_IMAGES


class Body(BaseModel):
    """The base of all bodies. An unknown field is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def read_json(cls, data: bytes | bytearray) -> Self:
        """Parse and validate. Raises InvalidBody or TooManyValues."""
        if data.count(b",") + data.count(b"[") > MAX_JSON_VALUES or data.count(b":") > MAX_JSON_MEMBERS:
            raise TooManyValues
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            raise InvalidBody(errors_of(error)) from None


def errors_of(error: ValidationError) -> list[dict[str, Any]]:
    """Return the errors, each with its place in the body, but not the input."""
    errors = error.errors(include_url=False, include_input=False, include_context=False)
    return [{**one, "loc": ("body", *one["loc"])} for one in errors]


class Options(BaseModel):
    """The base of all queries. An unknown option is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoOptions(Options):
    """The query of a request that has no options."""


class PageOptions(Options):
    """Which page of a list."""

    limit: int = Field(100, ge=1, le=1000, description="how many items a page has at most")
    cursor: Id | None = Field(None, description="the `next_cursor` of the previous page", examples=[EXAMPLE_SUBJECT])

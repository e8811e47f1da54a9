"""Strangers who are set aside, because they are enrolled under another name. `lfw_two_names.toml` is such a list."""

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.errors import DatasetError


class TwoNames(BaseModel):
    """A person with one photograph, and the enrolled person that it shows.

    distance_sq_l2: between this photograph and the first photograph of the enrolled person.
    why: what the two photographs show.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    alone: str
    enrolled: str
    distance_sq_l2: float = Field(ge=0, le=4)
    why: Literal["one person", "sisters"]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    people: tuple[TwoNames, ...]


def read_two_names(file: Path) -> tuple[TwoNames, ...]:
    """Return the entries of a list. Raises DatasetError if it cannot be read, or has another form."""
    try:
        return _File.model_validate(tomllib.loads(file.read_text("utf-8"))).people
    except OSError as error:
        reason = error.strerror or "unknown"
    except (ValidationError, ValueError):
        reason = "each entry needs alone, enrolled, distance_sq_l2 and why"
    raise DatasetError(f"{file} is not a list of people under two names ({reason}).")

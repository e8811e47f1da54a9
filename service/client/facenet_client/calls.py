"""Requests as values. An operation describes one, and a transport sends it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)
T_co = TypeVar("T_co", covariant=True)

PAGE_ITEMS = 1000
"""The most items on a page that the service allows."""


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request whose answer is read at once.

    read: turns a successful response into the result. Raises ValueError if it is not such a response.
    parts: the rest of the request, by the names of httpx: `params`, `json`, `files`, `content` and `headers`.
    is_repeatable: whether it may be sent again if the service was busy.
    """

    method: str
    path: str
    read: Callable[[httpx.Response], T]
    parts: Mapping[str, Any] = field(default_factory=dict)
    is_repeatable: bool = True


class Page(Protocol[T_co]):
    """A part of a list. next_cursor: where the next part begins. None at the end."""

    @property
    def items(self) -> tuple[T_co, ...]: ...
    @property
    def next_cursor(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A list that the service answers in pages."""

    path: str
    read: Callable[[httpx.Response], Page[T]]

    def page(self, cursor: str | None) -> Call[Page[T]]:
        """Return the call for one page."""
        return Call("GET", self.path, self.read, query(limit=PAGE_ITEMS, cursor=cursor))


class Sink(Protocol):
    """A file that is opened for writing bytes, or what writes to one."""

    def writelines(self, lines: Iterable[bytes], /) -> object:
        """Write bytes, one part after the other."""
        ...


@dataclass(frozen=True, slots=True)
class Download:
    """A request whose answer is written to a file while it comes."""

    method: str
    path: str
    target: Sink


def path_of(*parts: str) -> str:
    """Return a path. Each second part is an id. Raises ValueError for an id that would make it another path."""
    for name in parts[1::2]:
        if name in {"", ".", ".."}:
            raise ValueError(f"{name!r} is not an id.")
    return "/" + "/".join(quote(part, safe="") for part in parts)


def query(**options: object) -> dict[str, Any]:
    """Return the part `params` of a call, without the options that are None."""
    return {"params": {name: value for name, value in options.items() if value is not None}}


def json_as(model: type[Model]) -> Callable[[httpx.Response], Model]:
    """Return what reads a body of JSON as a model."""
    return partial(_read_json, model)


def _read_json(model: type[Model], response: httpx.Response) -> Model:
    return model.model_validate_json(response.content)


def read_receipt(response: httpx.Response) -> str | None:
    """Read the answer of a deletion. It has a receipt, unless the audit log could not be written at this moment.

    Raises ValueError for another status than that of the service: then another program has answered.
    """
    if response.status_code != httpx.codes.NO_CONTENT:
        raise ValueError(f"the status 204 was expected, not {response.status_code}")
    receipt: str | None = response.headers.get("X-Deletion-Receipt")
    return receipt

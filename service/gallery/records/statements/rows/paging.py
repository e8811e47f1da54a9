"""One page of a list, in the order of the ids. So additions and deletions between two pages never repeat an item.

Encrypted ids are in the order of what is stored for them, which looks random and stays the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from sqlalchemy import Column, Connection, Row, Select

from service.gallery.base import Page


class HasId(Protocol):
    """An item of a list."""

    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=HasId)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page: at most `limit` items, from the first id after `after`, which is written as the ids are stored."""

    limit: int
    after: str | None = None


def fetch_page(
    connection: Connection,
    statement: Select[Any],
    id_column: Column[str],
    request: PageRequest,
    to_item: Callable[[Row[Any]], T],
) -> Page[T]:
    """Run a statement for one page.

    id_column: the ids, each once in the whole list.
    to_item: makes an item from a row.
    """
    if request.after is not None:
        statement = statement.where(id_column > request.after)
    rows = connection.execute(statement.order_by(id_column).limit(request.limit + 1)).all()
    items = [to_item(row) for row in rows[: request.limit]]
    return Page(items, items[-1].id if len(rows) > request.limit else None)

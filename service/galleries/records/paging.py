"""A part of a list, in the order of the ids: whatever is added or deleted meanwhile, nothing is told twice."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, Row, Select

from service.galleries.base import Page

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Span:
    """Which part: `limit` items at most, the first of them the one that follows the id `after`."""

    limit: int
    after: str | None = None


def page(
    connection: Connection, listed: Select[Any], by: Column[str], span: Span, of: Callable[[Row[Any]], T]
) -> Page[T]:
    """by: the column of the ids, each of them once in the list. of: makes an item of a row."""
    if span.after is not None:
        listed = listed.where(by > span.after)
    rows = connection.execute(listed.order_by(by).limit(span.limit + 1)).all()
    next_cursor = rows[span.limit - 1].id if len(rows) > span.limit else None
    return Page([of(row) for row in rows[: span.limit]], next_cursor)

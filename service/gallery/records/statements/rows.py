"""Insert many rows at once."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from sqlalchemy import Column, Connection, Dialect, LargeBinary, Table, insert

ROWS_PER_STATEMENT = (256, 16, 1)
"""How many rows a statement inserts. Few different numbers, so that SQLite has the statements ready."""


def insert_rows(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows that have the same columns.

    SQLAlchemy would convert the values row by row, which takes longer than SQLite needs to store them. Here they are
    converted column by column, and a value that all rows share only once. And the driver waits for the interpreter (the
    GIL) after each row of `executemany`, but here only after each statement.
    """
    if not rows:
        return
    columns = [column for column in table.c if column.name in rows[0]]
    values = list(zip(*(_converted(connection, one, [row[one.name] for row in rows]) for one in columns), strict=True))
    names = tuple(column.name for column in columns)
    start = 0
    for count in ROWS_PER_STATEMENT:
        statement = _statement(connection.dialect, table, names, count)
        while len(values) - start >= count:
            parameters = tuple(chain.from_iterable(values[start : start + count]))
            connection.exec_driver_sql(statement, parameters)
            start += count


@lru_cache(maxsize=64)
def _statement(dialect: Dialect, table: Table, names: tuple[str, ...], rows: int) -> str:
    """Return the SQL that inserts so many rows. Its parameters are in the order of the columns of the table."""
    one_row = str(insert(table).compile(dialect=dialect, column_keys=names))
    head, _, row = one_row.partition(" VALUES ")
    return f"{head} VALUES {', '.join([row] * rows)}"


def _converted(connection: Connection, column: Column[Any], values: list[Any]) -> list[Any]:
    """Return the values as the driver takes them. It takes bytes as they are."""
    if isinstance(column.type, LargeBinary):
        return values
    convert = column.type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
    if convert is None:
        return values
    if all(value is values[0] for value in values):
        return [convert(values[0])] * len(values)
    return [convert(value) for value in values]

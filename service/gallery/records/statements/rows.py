"""Insert many rows at once."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Column, Connection, Dialect, Table, insert


def insert_rows(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows that have the same columns, with one statement.

    SQLAlchemy would convert the values row by row, which takes longer than SQLite needs to store them. Here they are
    converted column by column, and a value that all rows share only once.
    """
    if not rows:
        return
    columns = [column for column in table.c if column.name in rows[0]]
    values = [_converted(connection, column, [row[column.name] for row in rows]) for column in columns]
    statement = _statement(connection.dialect, table, tuple(column.name for column in columns))
    connection.exec_driver_sql(statement, list(zip(*values, strict=True)))


@lru_cache(maxsize=64)
def _statement(dialect: Dialect, table: Table, names: tuple[str, ...]) -> str:
    """Return the SQL. Its parameters are in the order of the columns of the table."""
    return str(insert(table).compile(dialect=dialect, column_keys=names))


def _converted(connection: Connection, column: Column[Any], values: list[Any]) -> list[Any]:
    """Return the values as the driver takes them."""
    convert = column.type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
    if convert is None:
        return values
    if all(value is values[0] for value in values):
        return [convert(values[0])] * len(values)
    return [convert(value) for value in values]

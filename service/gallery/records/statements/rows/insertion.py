"""Many rows in one statement: rows to insert, and values to look for."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from typing import Any

from sqlalchemy import ARRAY, Column, ColumnElement, Connection, Dialect, LargeBinary, Table, any_, bindparam
from sqlalchemy.exc import DBAPIError

ROWS_PER_STATEMENT = (256, 16, 1)
"""How many rows a statement inserts. Few different numbers, so that the database has the statements ready."""

MIN_ROWS_OF_COPY = 64
"""So many rows go to PostgreSQL with COPY."""


def insert_rows(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows that have the same columns.

    SQLAlchemy would convert the values row by row, which takes longer than SQLite needs to store them. Here they are
    converted column by column, and a value that all rows share only once. And the driver waits for the interpreter (the
    GIL) after each row of `executemany`, but here only after each statement.

    PostgreSQL gets many rows with COPY: its driver takes long to read a statement with thousands of parameters.
    """
    if not rows:
        return
    columns = [column for column in table.c if column.name in rows[0]]
    values = list(zip(*(_converted(connection, one, [row[one.name] for row in rows]) for one in columns), strict=True))
    names = tuple(column.name for column in columns)
    if connection.dialect.name == "postgresql" and len(rows) >= MIN_ROWS_OF_COPY:
        _copy(connection, table, names, values)
        return
    start = 0
    for count in ROWS_PER_STATEMENT:
        statement = _statement(connection.dialect, table, names, count)
        while len(values) - start >= count:
            parameters = tuple(chain.from_iterable(values[start : start + count]))
            connection.exec_driver_sql(statement, parameters)
            start += count


def one_of(column: Column[Any], name: str) -> Mapping[str, ColumnElement[bool]]:
    """Return the condition that a column has one of many values, by the name of the dialect. name: of the parameter."""
    return {
        "sqlite": column.in_(bindparam(name, expanding=True)),
        "postgresql": column == any_(bindparam(name, type_=ARRAY(column.type))),
    }


def _copy(connection: Connection, table: Table, names: Sequence[str], values: Sequence[Sequence[Any]]) -> None:
    """Insert rows with COPY. psycopg would take longer to read a statement of many rows than PostgreSQL to run it."""
    quote = connection.dialect.identifier_preparer.quote
    text = f"COPY {quote(table.name)} ({', '.join(map(quote, names))}) FROM STDIN"
    driver: Any = connection.connection.cursor()
    with driver_errors(connection, text), driver.copy(text) as copy:
        for row in values:
            copy.write_row(row)


@contextmanager
def driver_errors(connection: Connection, statement: str) -> Iterator[None]:
    """Turn the errors of a statement that goes to the driver itself into those of SQLAlchemy."""
    errors = connection.dialect.loaded_dbapi.Error
    try:
        yield
    except errors as error:
        raise DBAPIError.instance(statement, None, error, errors, hide_parameters=True) from error


@lru_cache(maxsize=64)
def _statement(dialect: Dialect, table: Table, names: tuple[str, ...], rows: int) -> str:
    """Return the SQL that inserts so many rows. Its parameters are in the order of the columns of the table."""
    quote = dialect.identifier_preparer.quote
    row = ", ".join(["?" if dialect.paramstyle == "qmark" else "%s"] * len(names))
    columns = ", ".join(quote(name) for name in names)
    return f"INSERT INTO {quote(table.name)} ({columns}) VALUES {', '.join([f'({row})'] * rows)}"  # noqa: S608  # names of the schema


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

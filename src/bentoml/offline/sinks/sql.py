"""A new table in a database, filled in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from bentoml.exceptions import AlreadyExists, InvalidArgument
from bentoml.offline.cells import json_cells
from bentoml.offline.sources.sql import safe_url

from .base import TypedSink


@dataclass(frozen=True, slots=True)
class SqlTable:
    """A table as an output: it is created and must not exist yet.

    Args:
        url: SQLAlchemy URL, such as `sqlite:///shop.db`.
        table: its name.
    """

    url: str
    table: str

    def __str__(self) -> str:
        return f"{safe_url(self.url)}#{self.table}"


class SqlSink(TypedSink):
    def __init__(self, target: SqlTable) -> None:
        super().__init__()
        self._target = target
        self._engine: Any = None
        self._connection: Any = None
        self._table: Any = None
        self._replace = False

    def prepare(self, *, replace: bool) -> None:
        try:
            self._engine = sa.create_engine(self._target.url)
            exists = sa.inspect(self._engine).has_table(self._target.table)
        except (SQLAlchemyError, ImportError) as err:
            reason = str(err).splitlines()[0]
            raise InvalidArgument(f"Cannot write to {safe_url(self._target.url)}: {reason}") from err
        if exists and not replace:
            raise AlreadyExists(
                f"Table '{self._target.table}' exists in {safe_url(self._target.url)}; name a new one"
            )
        self._replace = exists

    def open(self, schema: Any) -> None:
        columns = [sa.Column(field.name, _sql_type(field.type)) for field in schema]
        self._table = sa.Table(self._target.table, sa.MetaData(), *columns)
        self._connection = self._engine.connect()
        self._connection.begin()
        if self._engine.dialect.name == "sqlite":
            self._connection.exec_driver_sql("BEGIN")  # its driver begins only before the first INSERT
        if self._replace:
            self._table.drop(self._connection)
        self._table.create(self._connection)

    def write_table(self, table: Any) -> None:
        columns = [_cells(table.column(i).combine_chunks(), f) for i, f in enumerate(table.schema)]
        names = table.schema.names
        rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        if rows:
            self._connection.execute(self._table.insert(), rows)

    def close(self) -> None:
        self._connection.commit()
        self._connection.close()
        self._engine.dispose()

    def abort(self) -> None:
        if self._connection is not None:
            self._connection.rollback()
            self._connection.close()
        if self._engine is not None:
            self._engine.dispose()


def _is_nested(kind: Any) -> bool:
    return bool(pa.types.is_nested(kind))


def _cells(array: Any, field: Any) -> list[Any]:
    if not _is_nested(field.type):
        values: list[Any] = array.to_pylist()
        return values
    return [None if cell == b"null" else cell.decode() for cell in json_cells(array, field)]


def _sql_type(kind: Any) -> Any:
    if pa.types.is_boolean(kind):
        return sa.Boolean()
    if pa.types.is_integer(kind):
        return sa.BigInteger()
    if pa.types.is_floating(kind):
        return sa.Float()
    if pa.types.is_timestamp(kind):
        return sa.DateTime()
    if pa.types.is_date(kind):
        return sa.Date()
    return sa.LargeBinary() if pa.types.is_binary(kind) else sa.Text()

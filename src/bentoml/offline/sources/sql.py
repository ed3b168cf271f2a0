"""The rows of an SQL query, through SQLAlchemy, with a cursor on the server where the driver has one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from bentoml.exceptions import InvalidArgument
from bentoml.offline import convert
from bentoml.offline.values import BadRow, Chunk, Mode, Position

_ROWS = 16_384


@dataclass(frozen=True, slots=True)
class SqlQuery:
    """A query as an input.

    Args:
        url: SQLAlchemy URL, such as `sqlite:///shop.db`.
        query: what selects the rows. With a job it needs an ORDER BY that leaves no ties, so that a
            continued job finds the rows in the same order.
    """

    url: str
    query: str


class SqlSource:
    """The result of a query. A position is the number of rows before it, which are read again."""

    mode: Mode = "table"

    def __init__(self, query: SqlQuery, chunk_rows: int = _ROWS) -> None:
        self._query = query
        self._chunk_rows = chunk_rows
        self._types: dict[str, Any] = {}

    def identity(self) -> Any:
        return [safe_url(self._query.url), self._query.query]

    def total_rows(self) -> int | None:
        return None

    def chunks(self, start: Position | None = None) -> Iterator[Chunk]:
        first = start["row"] if start else 0
        row = 0
        try:
            engine = create_engine(self._query.url)
            with engine.connect().execution_options(yield_per=self._chunk_rows) as connection:
                result = connection.execute(text(self._query.query))
                names = _distinct(list(result.keys()))
                for rows in result.partitions():
                    if not self._types:
                        self._types = _types(names, rows)
                    if row >= first:
                        yield self._chunk(names, rows, row)
                    row += len(rows)
            engine.dispose()
        except (SQLAlchemyError, ImportError) as err:
            reason = str(err).splitlines()[0]
            raise InvalidArgument(f"The query on {safe_url(self._query.url)} failed: {reason}") from err

    def _chunk(self, names: list[str], rows: Sequence[Any], row: int) -> Chunk:
        columns = list(zip(*rows, strict=True))
        bad: dict[int, BadRow] = {}
        arrays = []
        for name, cells in zip(names, columns, strict=True):
            array, wrong = convert.column(name, [_plain(cell) for cell in cells], self._types[name])
            arrays.append(array)
            for place, reason in wrong.items():
                data = {n: _shown(value) for n, value in zip(names, rows[place], strict=True)}
                bad.setdefault(place, BadRow(row + place + 1, reason, data))
        batch = pa.RecordBatch.from_arrays(arrays, names=names)
        if not bad:
            return Chunk({"row": row}, row, batch)
        good = [place for place in range(len(rows)) if place not in bad]
        found = [bad[place] for place in sorted(bad)]
        return Chunk({"row": row}, row, batch.take(pa.array(good, pa.int64())), good, found)


def safe_url(url: str) -> str:
    """The URL without its password. Raises `InvalidArgument` for what is no SQLAlchemy URL."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError as err:
        raise InvalidArgument(f"'{url}' is no SQLAlchemy URL such as sqlite:///shop.db") from err


def _types(names: list[str], rows: Sequence[Any]) -> dict[str, Any]:
    columns = list(zip(*rows, strict=True))
    found = {
        n: convert.infer_type([_plain(c) for c in cells]) for n, cells in zip(names, columns, strict=True)
    }
    return {name: pa.float64() if kind == pa.null() else kind for name, kind in found.items()}


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def _shown(value: Any) -> Any:
    return value if value is None or isinstance(value, (int, float, str)) else str(value)


def _distinct(names: list[str]) -> list[str]:
    if len(set(names)) != len(names):
        raise InvalidArgument(f"The query has two columns of one name ({', '.join(names)}); use AS")
    return names

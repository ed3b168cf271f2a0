"""A table that is in memory already: a `pandas.DataFrame`, or a `pyarrow.Table` or record batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from bentoml.offline.values import Chunk, Mode, Position

from .base import CHUNK_ROWS, Wanted


class TableSource:
    """Rows of an Arrow table."""

    mode: Mode = "table"

    def __init__(self, table: Any, wanted: Wanted) -> None:
        columns = wanted.select(table.column_names)
        self._table = table.select(columns) if columns else table

    def identity(self) -> Any:
        return {"rows": self._table.num_rows, "columns": self._table.column_names}

    def total_rows(self) -> int | None:
        return int(self._table.num_rows)

    def chunks(self, start: Position | None = None) -> Iterator[Chunk]:
        count = self._table.num_rows
        for first in range(start["row"] if start else 0, count, CHUNK_ROWS):
            part = self._table.slice(first, CHUNK_ROWS).combine_chunks()
            batch = part.to_batches()[0]
            yield Chunk({"row": first}, first, batch, share=(first + batch.num_rows) / count)


def table_of(value: Any) -> Any:
    """An Arrow table for a data frame, a table or a record batch; None for anything else."""
    if isinstance(value, pa.Table):
        return value
    if isinstance(value, pa.RecordBatch):
        return pa.Table.from_batches([value])
    if type(value).__module__.partition(".")[0] == "pandas" and hasattr(value, "columns"):
        return pa.Table.from_pandas(value, preserve_index=False)
    return None

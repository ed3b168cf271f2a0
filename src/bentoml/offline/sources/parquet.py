"""Parquet files, row group by row group, a bounded number of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from bentoml.exceptions import InvalidArgument
from bentoml.offline.locations import STDIN, identity_of, is_url, open_seekable
from bentoml.offline.values import Chunk, Mode, Position

from .base import CHUNK_BYTES, CHUNK_ROWS, Wanted

_BUFFER_BYTES = 1 << 20


def open_parquet(location: str, wanted: Wanted) -> ParquetSource:
    return ParquetSource(location, wanted)


class ParquetSource:
    """One file. A position is a row group and the number of chunks before it in that group."""

    mode: Mode = "table"

    def __init__(self, location: str, wanted: Wanted, chunk_bytes: int = CHUNK_BYTES) -> None:
        self.location = location
        self._wanted = wanted
        self._chunk_bytes = chunk_bytes
        self._stdin = None if location != STDIN else open_seekable(location)

    def identity(self) -> Any:
        return identity_of([self.location])

    def total_rows(self) -> int | None:
        with self._open() as file:
            return int(file.metadata.num_rows)

    def _open(self) -> Any:
        try:
            if self._stdin is not None:
                self._stdin.seek(0)
                return parquet.ParquetFile(pa.PythonFile(self._stdin, mode="r"))
            if is_url(self.location):
                stream = open_seekable(self.location)
                return parquet.ParquetFile(stream, buffer_size=_BUFFER_BYTES)
            return parquet.ParquetFile(self.location)
        except (pa.ArrowInvalid, OSError) as err:
            raise InvalidArgument(f"Cannot read '{self.location}' as Parquet: {err}") from err

    def chunks(self, start: Position | None = None) -> Iterator[Chunk]:
        first = start["group"] if start else 0
        with self._open() as file:
            total = max(1, file.metadata.num_rows)
            columns = self._wanted.select(file.schema_arrow.names)
            size = _chunk_rows(file, columns, self._chunk_bytes)
            row = sum(file.metadata.row_group(group).num_rows for group in range(first))
            for group in range(first, file.metadata.num_row_groups):
                skipped = start["chunk"] if start and group == first else 0
                batches = file.iter_batches(size, row_groups=[group], columns=columns)
                for number, batch in enumerate(batches):
                    if number >= skipped:
                        share = (row + batch.num_rows) / total
                        yield Chunk({"group": group, "chunk": number}, row, batch, share=share)
                    row += batch.num_rows

    def starts(self, start: Position | None = None) -> list[Position]:
        """Positions from which other readers can begin: row groups, or several small ones together."""
        first = start["group"] if start else 0
        with self._open() as file:
            sizes = [file.metadata.row_group(g).num_rows for g in range(file.metadata.num_row_groups)]
        found: list[Position] = [start or {"group": first, "chunk": 0}]
        rows = 0
        for group in range(first, len(sizes)):
            if rows >= CHUNK_ROWS and sizes[group]:
                found.append({"group": group, "chunk": 0})
                rows = 0
            rows += sizes[group]
        return found


def _chunk_rows(file: Any, columns: list[str] | None, chunk_bytes: int) -> int:
    """Rows that are about `chunk_bytes` in memory, from the sizes in the file's own metadata."""
    metadata = file.metadata
    rows = max(1, metadata.num_rows)
    size = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    width = max(size / rows, 8 * len(columns or file.schema_arrow.names))
    return max(1, min(CHUNK_ROWS, int(chunk_bytes / width)))

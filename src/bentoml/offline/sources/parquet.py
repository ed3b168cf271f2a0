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

_GROUP_BYTES = 64 << 20  # row groups up to this size are read at once
_BUFFER_BYTES = 1 << 20  # of each column of larger ones
_SAMPLE_ROWS = 256


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
            place: Any = self._stdin or self.location
            if is_url(self.location):
                place = open_seekable(self.location)
            file = parquet.ParquetFile(place, buffer_size=_BUFFER_BYTES, pre_buffer=False)
            if _largest_group(file, self._wanted) > _GROUP_BYTES:
                return file
            return parquet.ParquetFile(place, metadata=file.metadata, pre_buffer=True)
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
    """Rows that are about `chunk_bytes` in memory.

    The metadata has the size of a row as it is stored. Columns with a dictionary are smaller there, so
    the first rows are asked, too.
    """
    sample = next(file.iter_batches(_SAMPLE_ROWS, columns=columns), None)
    if sample is None or not sample.num_rows:
        return 1
    stored = sum(column.total_uncompressed_size for _, column in _stored(file, columns))
    width = max(stored / file.metadata.num_rows, sample.nbytes / sample.num_rows)
    return max(1, min(CHUNK_ROWS, int(chunk_bytes / width)))


def _largest_group(file: Any, wanted: Wanted) -> int:
    """Bytes of the columns that are read, of the largest row group as it is stored."""
    sizes: dict[int, int] = {}
    for number, column in _stored(file, wanted.select(file.schema_arrow.names)):
        sizes[number] = sizes.get(number, 0) + column.total_compressed_size
    return max(sizes.values(), default=0)


def _stored(file: Any, columns: list[str] | None) -> Iterator[tuple[int, Any]]:
    """What the metadata says about each of `columns` in each row group, with the number of the group."""
    for number in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(number)
        for column in map(group.column, range(group.num_columns)):
            if columns is None or column.path_in_schema.partition(".")[0] in columns:
                yield number, column

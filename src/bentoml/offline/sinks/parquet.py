"""One Parquet file, compressed, with row groups of about 130 thousand rows."""

from __future__ import annotations

from typing import Any

from pyarrow import parquet

from .base import OutputFile, TypedSink


class ParquetSink(TypedSink):
    def __init__(self, location: str) -> None:
        super().__init__()
        self._file = OutputFile(location)
        self._writer: Any = None

    def prepare(self, *, replace: bool) -> None:
        self._file.check()

    def open(self, schema: Any) -> None:
        self._writer = parquet.ParquetWriter(self._file.stream, schema)

    def write_table(self, table: Any) -> None:
        self._writer.write_table(table)

    def close(self) -> None:
        self._writer.close()
        self._file.finish()

    def abort(self) -> None:
        self._file.abort()

"""One Parquet file, compressed, with row groups of about 130 thousand rows."""

from __future__ import annotations

from typing import IO, Any

from pyarrow import parquet

from .base import ColumnFileSink


class ParquetSink(ColumnFileSink):
    def make_writer(self, stream: IO[bytes], schema: Any) -> Any:
        return parquet.ParquetWriter(stream, schema)

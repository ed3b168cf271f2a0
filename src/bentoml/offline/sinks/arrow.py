"""One Arrow IPC file, which `pandas.read_feather` reads too."""

from __future__ import annotations

from typing import IO, Any

import pyarrow as pa

from .base import ColumnFileSink


class ArrowSink(ColumnFileSink):
    def make_writer(self, stream: IO[bytes], schema: Any) -> Any:
        return pa.ipc.new_file(stream, schema)

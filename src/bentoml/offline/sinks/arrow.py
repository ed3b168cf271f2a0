"""One Arrow IPC file, which `pandas.read_feather` reads too."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from .base import OutputFile, TypedSink


class ArrowSink(TypedSink):
    def __init__(self, location: str) -> None:
        super().__init__()
        self._file = OutputFile(location)
        self._writer: Any = None

    def prepare(self, *, replace: bool) -> None:
        self._file.check()

    def open(self, schema: Any) -> None:
        self._writer = pa.ipc.new_file(self._file.stream, schema)

    def write_table(self, table: Any) -> None:
        self._writer.write_table(table)

    def close(self) -> None:
        self._writer.close()
        self._file.finish()

    def abort(self) -> None:
        self._file.abort()

"""CSV, TSV and JSON lines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from bentoml.exceptions import BentoMLException
from bentoml.offline.cells import csv_cells, csv_text, json_cells

from .base import OutputFile


class _TextSink:
    """Lines into a file."""

    def __init__(self, location: str) -> None:
        self._file = OutputFile(location)

    def prepare(self, *, replace: bool) -> None:
        self._file.check()

    def expect(self, batches: Iterable[Any]) -> None:
        """Text needs no types."""

    def finish(self) -> None:
        self._file.finish()

    def abort(self) -> None:
        self._file.abort()


class JsonlSink(_TextSink):
    """One object per line."""

    def write(self, batch: Any) -> None:
        if not batch.num_rows:
            return
        columns = [json_cells(array, f) for array, f in zip(batch.columns, batch.schema, strict=True)]
        keys = [orjson.dumps(name).replace(b"%", b"%%") + b":%b" for name in batch.schema.names]
        line = b"{" + b",".join(keys) + b"}\n"
        self._file.stream.write(b"".join([line % row for row in zip(*columns, strict=True)]))


class CsvSink(_TextSink):
    """A header line, then one line per row."""

    delimiter = b","

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self._names: list[str] | None = None

    def write(self, batch: Any) -> None:
        names = batch.schema.names
        if self._names is None:
            self._names = names
            header = self.delimiter.join(csv_text(name, self.delimiter) for name in names)
            self._file.stream.write(header + b"\n")
        if names != self._names:
            raise BentoMLException(
                f"The API returned other columns than before: {', '.join(names)} instead of "
                f"{', '.join(self._names)}; write .jsonl, where every line names its own"
            )
        if not batch.num_rows:
            return
        columns = [
            csv_cells(array, f, self.delimiter) for array, f in zip(batch.columns, batch.schema, strict=True)
        ]
        self._file.stream.write(b"\n".join(map(self.delimiter.join, zip(*columns, strict=True))) + b"\n")


class TsvSink(CsvSink):
    delimiter = b"\t"

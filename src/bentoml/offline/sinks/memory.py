"""The predictions as a table in memory, for a notebook."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from bentoml.offline.typed import common_schema, conformed, decoded


class TableSink:
    """Collects everything; `table` is there after `finish`."""

    def __init__(self) -> None:
        self.table: Any = None
        self._batches: list[Any] = []

    def prepare(self, *, replace: bool) -> None: ...

    def expect(self, batches: Iterable[Any]) -> None: ...

    def write(self, batch: Any) -> None:
        self._batches.append(decoded(batch))

    def finish(self) -> None:
        schema = common_schema(batch.schema for batch in self._batches) or pa.schema([])
        self.table = pa.Table.from_batches([conformed(b, schema) for b in self._batches], schema)

    def abort(self) -> None:
        self._batches = []

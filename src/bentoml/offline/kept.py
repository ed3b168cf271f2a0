"""`--keep`: columns of the input beside the predictions of the rows that have one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pyarrow as pa

from bentoml.adapters.json_codec import dumps
from bentoml.exceptions import InvalidArgument

from .cells import json_field
from .values import Mode, Outcome

ALL = "*"
_MOST_NAMES = 12


class Keeper:
    """Puts output batches together.

    Args:
        names: input columns to keep; `*` stands for all of them.
        mode: what a row of the input is.
    """

    def __init__(self, names: Sequence[str], mode: Mode) -> None:
        self._names = list(names)
        self._mode = mode

    def output(self, batch: Any, outcome: Outcome) -> Any:
        """Kept columns and predictions of the rows that did not fail; None when all did."""
        if outcome.columns is None:
            return None
        failed = {place for place, _ in outcome.failed}
        if failed:
            good = [place for place in range(batch.num_rows) if place not in failed]
            batch = batch.take(pa.array(good, pa.int64()))
        kept = self._kept(batch, outcome.columns.schema.names)
        arrays = [array for array, _ in kept] + outcome.columns.columns
        fields = [field for _, field in kept] + list(outcome.columns.schema)
        return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))

    def _kept(self, batch: Any, returned: Sequence[str]) -> list[tuple[Any, Any]]:
        if not self._names:
            return []
        if self._mode == "lines":
            return self._of_lines(batch, returned)
        names = self._wanted(batch.schema.names, returned)
        return [(batch.column(name), batch.schema.field(name)) for name in names]

    def _of_lines(self, batch: Any, returned: Sequence[str]) -> list[tuple[Any, Any]]:
        lines = batch.column("line").to_pylist()
        if ALL in self._names:
            kept = self._wanted(["line"], returned)
            texts = pa.array([line.decode("utf-8", "replace") for line in lines], pa.string())
            return [(texts, pa.field("line", pa.string()))] if kept else []
        records = [orjson.loads(line) for line in lines]
        self._wanted(self._names, returned)
        columns = []
        for name in self._names:
            cells = [dumps(r.get(name) if isinstance(r, dict) else None).decode() for r in records]
            columns.append((pa.array(cells, pa.string()), json_field(name)))
        return columns

    def _wanted(self, names: Sequence[str], returned: Sequence[str]) -> list[str]:
        if ALL in self._names:
            return [name for name in names if name not in returned]
        missing = [name for name in self._names if name not in names]
        if missing:
            raise InvalidArgument(
                f"There is no input column '{missing[0]}' to keep; there are {_listed(names)}"
            )
        double = [name for name in self._names if name in returned]
        if double:
            raise InvalidArgument(
                f"Column '{double[0]}' is to be kept and is returned by the API too; keep the others only"
            )
        return self._names


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - _MOST_NAMES
    return ", ".join(names) if rest <= 1 else f"{', '.join(names[:_MOST_NAMES])} and {rest} more"

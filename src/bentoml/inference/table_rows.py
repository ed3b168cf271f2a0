"""One table as many requests of one row each, as the clients of a served model would send them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

from bentoml.adapters.dataframe_input import DataframeInput
from bentoml.adapters.table import FLOAT
from bentoml.types import Payload, RequestHead

_HEAD = RequestHead.build({"Content-Type": "application/json"})


def rows_of(adapter: DataframeInput, payload: Payload) -> list[Payload]:
    """A payload for each row of a table. Raises `BadInput` if it is none."""
    value = adapter.decode(payload)
    table = value.table
    columns = [_plain(column, kind) for column, kind in zip(table.columns, value.kinds, strict=True)]
    rows = zip(*columns, strict=True)
    return [
        Payload(_write(adapter.orient, table.names, row), _HEAD, "", f"row {i}") for i, row in enumerate(rows)
    ]


def _write(orient: str | None, names: Sequence[Any], row: Sequence[Any]) -> bytes:
    named: Mapping[Any, Any] = dict(zip(names, row, strict=True))
    body: Any
    if orient == "values":
        body = [row]
    elif orient == "split":
        body = {"columns": list(names), "data": [row]}
    elif orient == "columns":
        body = {name: {"0": value} for name, value in named.items()}
    elif orient == "index":
        body = {"0": named}
    elif any(not isinstance(name, str) for name in names):
        body = [row]
    else:
        body = [named]
    return json.dumps(body, default=str).encode()


def _plain(column: Sequence[Any], kind: str) -> list[Any]:
    """The column in JSON's terms; in a column of floats every number is one, in each row by itself too."""
    if kind == FLOAT:
        return [None if cell is None or isnan(cell) else float(cell) for cell in column]
    return list(column.tolist() if hasattr(column, "tolist") else column)

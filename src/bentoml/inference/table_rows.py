"""One table as many requests of one row each, as the clients of a served model would send them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bentoml.adapters.dataframe_input import DataframeInput
from bentoml.types import Payload, RequestHead

_HEAD = RequestHead.build({"Content-Type": "application/json"})


def rows_of(adapter: DataframeInput, payload: Payload) -> list[Payload]:
    """A payload for each row of a table. Raises `BadInput` if it is none."""
    table = adapter.decode(payload).table
    rows = zip(*(map(_plain, column) for column in table.columns), strict=True)
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
    return json.dumps(body).encode()


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and value != value else value

"""Rows of a piece as items of an API that reads one item at a time."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from bentoml.adapters.form_fields import FormFields
from bentoml.types import Payload, Reply, RequestHead

from .cells import json_cells
from .forms import forms_of_lines, forms_of_rows, read_file
from .values import Mode

_JSON = RequestHead.build({"Content-Type": "application/json"})


def payloads_of(
    batch: Any, mode: Mode, *, rowwise: bool, fields: FormFields | None = None
) -> list[Payload | Reply]:
    """One payload per row, or the error of a file that cannot be read.

    A table with one column of text or bytes gives these; any other row is a JSON object.

    Args:
        rowwise: the adapter reads tables, so every row is a table of one row.
        fields: the adapter reads forms with these fields, so every row is such a form.
    """
    if mode == "files":
        return [read_file(path) for path in batch.column("path").to_pylist()]
    if mode == "lines":
        lines = batch.column("line").to_pylist()
        return forms_of_lines(lines, fields) if fields else [Payload(line, _JSON) for line in lines]
    if fields:
        return forms_of_rows(batch, fields)
    if not rowwise and batch.num_columns == 1:
        kind = batch.schema.field(0).type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return [Payload((text or "").encode()) for text in batch.column(0).to_pylist()]
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            return [Payload(data or b"") for data in batch.column(0).to_pylist()]
    return [Payload(b"[" + text + b"]" if rowwise else text, _JSON) for text in json_rows(batch)]


def json_rows(batch: Any) -> list[bytes]:
    """Each row as a JSON object."""
    import orjson  # noqa: PLC0415 - used by this road only

    columns = [json_cells(array, field) for array, field in zip(batch.columns, batch.schema, strict=True)]
    keys = [orjson.dumps(name).replace(b"%", b"%%") + b":%b" for name in batch.schema.names]
    line = b"{" + b",".join(keys) + b"}"
    return [line % row for row in zip(*columns, strict=True)]

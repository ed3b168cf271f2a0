"""Columns as text, one JSON text per value; numbers of a whole column are written by one call.

The text of a value depends on the value alone, never on what else is in its column, so a file does
not tell where batches ended.
"""

from __future__ import annotations

from typing import Any

import orjson
import pyarrow as pa

from bentoml.adapters.json_codec import dumps

from .values import JSON_TEXT

_NULL = b"null"
_QUOTED = frozenset(b'"\r\n')


def is_json_text(field: Any) -> bool:
    return bool(field.metadata) and JSON_TEXT in field.metadata


def json_field(name: str) -> Any:
    """A text column whose values are JSON already."""
    return pa.field(name, pa.string(), metadata={JSON_TEXT: b"1"})


def json_cells(array: Any, field: Any) -> list[bytes]:
    """One JSON text per value."""
    if is_json_text(field):
        return [_NULL if value is None else value for value in array.cast(pa.binary()).to_pylist()]
    kind = array.type
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    if is_number and array.null_count == 0:
        values = array.to_numpy(zero_copy_only=False)
        return orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",") if len(array) else []
    if pa.types.is_temporal(kind) or pa.types.is_decimal(kind):
        array = array.cast(pa.string())
    return [_NULL if value is None else dumps(value) for value in array.to_pylist()]


def csv_cells(array: Any, field: Any, delimiter: bytes) -> list[bytes]:
    """One field of a CSV line per value: null is empty, text is bare, lists and objects are JSON."""
    return [_csv(cell, delimiter) for cell in json_cells(array, field)]


def csv_text(text: str, delimiter: bytes) -> bytes:
    """A text as a CSV field, quoted where it has to be; an empty one, so that it is not null."""
    data = text.encode("utf-8", "replace")
    if not data or not _QUOTED.isdisjoint(data) or delimiter in data or data[:1] == b" " or data[-1:] == b" ":
        return b'"' + data.replace(b'"', b'""') + b'"'
    return data


def _csv(cell: bytes, delimiter: bytes) -> bytes:
    first = cell[:1]
    if first == b'"':
        return csv_text(orjson.loads(cell), delimiter)
    if cell == _NULL:
        return b""
    return csv_text(cell.decode(), delimiter) if first in (b"[", b"{") else cell


def plain_values(array: Any, field: Any) -> list[Any]:
    """Python values that JSON can hold."""
    return [orjson.loads(cell) for cell in json_cells(array, field)]


def row_data(batch: Any, place: int) -> dict[str, Any]:
    """One row of a batch as JSON values by column name."""
    one = batch.slice(place, 1)
    return {f.name: plain_values(one.column(i), f)[0] for i, f in enumerate(one.schema)}

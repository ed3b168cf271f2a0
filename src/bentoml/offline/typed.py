"""Outputs with one type per column: find it from all batches, then bring every batch to it.

A column of JSON texts becomes what its values are: numbers, text, lists, structs. Where batches have
no type in common, the column stays JSON text in all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
import pyarrow as pa

from bentoml.exceptions import BentoMLException

from .cells import is_json_text, json_cells, json_field

_REFUSED = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, pa.ArrowKeyError, OverflowError)


def decoded(batch: Any) -> Any:
    """The batch with each column of JSON texts replaced by its values, where they have one type."""
    if not any(map(is_json_text, batch.schema)):
        return batch
    arrays, fields = [], []
    for array, field in zip(batch.columns, batch.schema, strict=True):
        made = _decode(array) if is_json_text(field) else array
        arrays.append(array if made is None else made)
        fields.append(field if made is None or not is_json_text(field) else pa.field(field.name, made.type))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _decode(array: Any) -> Any:
    try:
        return pa.array([None if text is None else orjson.loads(text) for text in array.to_pylist()])
    except _REFUSED:
        return None


def common_schema(schemas: Iterable[Any]) -> Any:
    """A schema that every decoded batch can be brought to.

    Raises:
        BentoMLException: batches have different columns.
    """
    found: Any = None
    for schema in schemas:
        found = schema.remove_metadata() if found is None else _join(found, schema)
    if found is None:
        return None
    return pa.schema([pa.field(f.name, pa.string() if f.type == pa.null() else f.type) for f in found])


def _join(first: Any, second: Any) -> Any:
    if first.names != second.names:
        raise BentoMLException(
            f"The API returned other columns than before: {', '.join(second.names)} instead of "
            f"{', '.join(first.names)}; an output file needs the same columns from every call"
        )
    return pa.schema([_join_field(a, b) for a, b in zip(first, second, strict=True)])


def _join_field(a: Any, b: Any) -> Any:
    if a.type == b.type and is_json_text(a) == is_json_text(b):
        return a
    if is_json_text(a) or is_json_text(b):
        return a if is_json_text(a) else b
    try:
        joined = pa.unify_schemas(
            [pa.schema([pa.field(f.name, f.type)]) for f in (a, b)], promote_options="permissive"
        )
    except _REFUSED:
        return pa.field(a.name, pa.string(), metadata={b"bentoml.json": b"1"})
    return joined.field(0)


def conformed(batch: Any, schema: Any) -> Any:
    """A decoded batch with exactly the columns and types of `schema`. Raises `BentoMLException`."""
    if batch.schema.equals(schema):
        return batch
    _join(schema, batch.schema)
    arrays = [
        _cast(array, field, target)
        for array, field, target in zip(batch.columns, batch.schema, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _cast(array: Any, field: Any, target: Any) -> Any:
    if array.type == target.type:
        return array
    if target.type == pa.string():
        cells = json_cells(array, field)
        return pa.array([None if cell == b"null" else cell.decode() for cell in cells], pa.string())
    try:
        return array.cast(target.type)
    except _REFUSED:
        pass
    try:
        return pa.array(array.to_pylist(), type=target.type)
    except _REFUSED as err:
        raise BentoMLException(
            f"Column '{target.name}' began as {target.type} and has {array.type} now: {err}. Use --job, "
            f"which finds a common type at the end, or write .jsonl, which needs none"
        ) from err


def joined(batches: Iterable[Any]) -> Any:
    """One batch of several; a column whose types differ becomes JSON texts. None for no batch."""
    found = [batch for batch in batches if batch is not None]
    if len(found) < 2:
        return found[0] if found else None
    if not all(found[0].schema.equals(batch.schema, check_metadata=True) for batch in found):
        found = _alike(found)
    return pa.concat_batches(found)


def _alike(batches: list[Any]) -> list[Any]:
    differs = {
        name
        for name in batches[0].schema.names
        if len({(str(b.schema.field(name).type), is_json_text(b.schema.field(name))) for b in batches}) > 1
    }
    return [_as_text(batch, differs) for batch in batches]


def _as_text(batch: Any, names: set[str]) -> Any:
    arrays, fields = [], []
    for array, field in zip(batch.columns, batch.schema, strict=True):
        if field.name in names:
            cells = json_cells(array, field)
            arrays.append(pa.array([cell.decode() for cell in cells], pa.string()))
            fields.append(json_field(field.name))
        else:
            arrays.append(array)
            fields.append(field)
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))

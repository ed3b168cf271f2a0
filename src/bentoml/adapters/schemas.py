"""OpenAPI media objects that need more than a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

BINARY: Mapping[str, Any] = {"type": "string", "format": "binary"}
_TYPES = (
    (("int", "uint"), "integer"),
    (("float", "double"), "number"),
    (("str", "date"), "string"),
    (("bool",), "boolean"),
)


def json_type(dtype: str) -> str:
    """The JSON type of a data type's name: `integer`, `number`, `string`, `boolean` or `object`."""
    name = dtype.lower()
    return next((found for starts, found in _TYPES if name.startswith(starts)), "object")


def one_file(field: str) -> dict[str, Any]:
    """A form with one file."""
    return {"schema": {"type": "object", "properties": {field: dict(BINARY)}, "required": [field]}}


def dataframe_schema(columns: Sequence[str] | None, dtype: Any) -> dict[str, Any]:
    """JSON by column where columns are known, any of the shapes otherwise; CSV; a form."""
    properties: dict[str, Any] = {}
    if isinstance(dtype, Mapping):
        labels = [str(columns[key] if columns and isinstance(key, int) else key) for key in dtype]
        kinds = [json_type(name) for name in dtype.values()]
        properties = {k: {"type": "array", "items": {"type": t}} for k, t in zip(labels, kinds, strict=True)}
    elif columns:
        items: dict[str, Any] = {"type": json_type(dtype)} if isinstance(dtype, str) else {}
        properties = {name: {"type": "array", "items": items} for name in columns}
    by_column: dict[str, Any] = {"type": "object"}
    if properties:
        by_column["properties"] = properties
        schema = by_column
    else:
        rows = {"type": "array", "items": {"type": "array", "items": {}}}
        records = {"type": "array", "items": {"type": "object"}}
        schema = {"oneOf": [rows, records, by_column]}
    return {
        "application/json": {"schema": schema},
        "text/csv": {"schema": {"type": "string"}},
        "multipart/form-data": one_file("file"),
    }


def array_schema(shape: Sequence[int | None] | None, dtype: str | None) -> dict[str, Any]:
    """Nested lists; of any depth where no shape is declared."""
    leaf = {"type": json_type(dtype)} if dtype else {}
    if shape is None:
        return (
            {"type": "array", "items": {}} if dtype is None else {"description": f"Nested lists of {dtype}."}
        )
    schema: dict[str, Any] = leaf
    for size in reversed(shape):
        bounds = {} if size is None else {"minItems": size, "maxItems": size}
        schema = {"type": "array", "items": schema, **bounds}
    return schema


def tensorflow_schema() -> dict[str, Any]:
    """A request in the row format of TensorFlow Serving."""
    instances = {"type": "array", "items": {}, "description": "One entry per row."}
    names = {"signature_name": {"type": "string"}, "instances": instances, "inputs": {"type": "object"}}
    return {"type": "object", "properties": names, "required": ["instances"]}

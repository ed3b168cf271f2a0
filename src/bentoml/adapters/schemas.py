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


def any_json(example: Any) -> dict[str, Any]:
    """Any value: called an object, as in the 0.13 line, unless the example is something else."""
    kind = {"type": "object"} if example is None or isinstance(example, Mapping) else {}
    return {**kind, "description": "Any JSON value."}


def dataframe_schema(
    columns: Sequence[str] | None, dtype: Any, orient: str | None, more: Sequence[str] = ()
) -> dict[str, Any]:
    """JSON in the orients that are read, columns by name where they are known; CSV; `more` types; a form."""
    shapes = _table_shapes(_cell_schemas(columns, dtype))
    schema = {"anyOf": [shapes[name] for name in _GUESSED]} if orient is None else shapes[orient]
    return {
        "application/json": {"schema": schema},
        "text/csv": {"schema": {"type": "string"}},
        **{media_type: {"schema": dict(BINARY)} for media_type in more},
        "multipart/form-data": one_file("file"),
    }


_GUESSED = ("columns", "records", "values", "split")


def _cell_schemas(columns: Sequence[str] | None, dtype: Any) -> dict[str, dict[str, Any]]:
    """Column → schema of one cell; empty when no column is known by name."""
    if isinstance(dtype, Mapping):
        names = [str(columns[key] if columns and isinstance(key, int) else key) for key in dtype]
        kinds = [json_type(name) for name in dtype.values()]
    else:
        names = list(columns or ())
        kinds = [json_type(dtype) if isinstance(dtype, str) else "object"] * len(names)
    return {name: {} if kind == "object" else {"type": kind} for name, kind in zip(names, kinds, strict=True)}


def _table_shapes(cells: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Orient → schema of a table with at least these columns."""
    known: dict[str, Any] = {"required": list(cells)} if cells else {}
    by_name = {
        name: {"anyOf": [{"type": "array", "items": cell}, {"type": "object", "additionalProperties": cell}]}
        for name, cell in cells.items()
    }
    record = {"type": "object", **({"properties": dict(cells)} if cells else {}), **known}
    width = {"minItems": len(cells), "maxItems": len(cells)} if cells else {}
    rows = {"type": "array", "items": {"type": "array", "items": {}, **width}}
    names = {"type": "array", "items": {}}
    return {
        "columns": {"type": "object", **({"properties": by_name} if cells else {}), **known},
        "records": {"type": "array", "items": record},
        "values": rows,
        "index": {"type": "object", "additionalProperties": record},
        "split": {
            "type": "object",
            "properties": {"columns": names, "index": names, "data": {"type": "array", "items": names}},
            "required": ["columns", "data"],
        },
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

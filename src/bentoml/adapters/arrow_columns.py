"""Arrow columns to what a data frame is made of: arrays where values have one type, else Python values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .table import MIXED, kind_of


def column_values(column: Any) -> tuple[Sequence[Any], str]:
    """Values and kind of a column, the same as of equal values in JSON; types JSON has not are kept.

    Integers with nulls become floats, texts stay texts, times become what pandas makes of them.
    """
    from pyarrow import types  # noqa: PLC0415 - the column is one of pyarrow's

    kind = column.type
    if types.is_dictionary(kind) and not _is_text(types, kind.value_type):
        column = column.cast(kind.value_type)
        kind = column.type
    if (
        types.is_integer(kind)
        or types.is_floating(kind)
        or (types.is_boolean(kind) and not column.null_count)
    ):
        array = column.combine_chunks().to_numpy(zero_copy_only=False)
        return array, kind_of(array, wide=False)
    if types.is_timestamp(kind) or types.is_duration(kind):
        series = column.to_pandas()
        return series, f"{series.dtype}"
    values = python_values(column)
    found = kind_of(values, wide=False)
    return values, MIXED if types.is_boolean(kind) else found


def python_values(column: Any) -> list[Any]:
    """A column as Python values; equal texts of a dictionary are one object."""
    from pyarrow import types  # noqa: PLC0415

    if not types.is_dictionary(column.type):
        found: list[Any] = column.to_pylist()
        return found
    values: list[Any] = []
    for chunk in column.chunks:
        words = chunk.dictionary.to_pylist()
        values += [None if place is None else words[place] for place in chunk.indices.to_pylist()]
    return values


def _is_text(types: Any, kind: Any) -> bool:
    return bool(
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
    )

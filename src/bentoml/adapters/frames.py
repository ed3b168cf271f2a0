"""Tables of several requests to one data frame: one array per column, or one block for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from bentoml.exceptions import BadInput

from .declared import fit, make_column, pandas_dtype
from .table import BOOL, FLOAT, INT, MIXED, Label, Table, kind_of

_DTYPES = {INT: "int64", FLOAT: "float64", BOOL: "bool"}


class TypedTable(NamedTuple):
    """A decoded request.

    Attributes:
        table: its columns.
        kinds: per column, a kind of `table` or the name of its type. Only requests with equal names
            and kinds share a frame.
    """

    table: Table
    kinds: tuple[str, ...]


def build_frame(tables: Sequence[Table], kinds: Sequence[str], declared: Mapping[Label, Any]) -> Any:
    """One `pandas.DataFrame` with the rows of all `tables`, which have equal names and kinds.

    Nulls become NaN. The index counts from 0 over all rows.
    """
    import numpy  # noqa: PLC0415
    import pandas  # noqa: PLC0415

    names = tables[0].names
    columns = tables[0].columns if len(tables) == 1 else _joined(tables)
    if not declared and len(set(kinds)) == 1 and kinds[0] in _DTYPES:
        block = numpy.array(columns, dtype=_DTYPES[kinds[0]])
        return pandas.DataFrame(block.T, columns=list(names), copy=False)
    made = {
        place: make_column(values, declared[name]) if name in declared else _column(values, kind)
        for place, (name, values, kind) in enumerate(zip(names, columns, kinds, strict=True))
    }
    frame = pandas.DataFrame(made)
    frame.columns = pandas.Index(list(names))
    return frame


def frame_of_batch(batch: Any, names: Sequence[Label], declared: Mapping[Label, Any]) -> Any:
    """A `pandas.DataFrame` of the columns `names` of an Arrow record batch, without an index.

    Raises:
        BadInput: a column is missing, or has a value that its declared type does not take.
    """
    found = batch.schema.names
    missing = [str(name) for name in names if name not in found]
    if missing:
        raise BadInput(f"missing column '{missing[0]}'; expected {', '.join(map(str, names))}")
    frame = (batch if list(names) == found else batch.select(list(names))).to_pandas()
    if type(frame.index).__name__ != "RangeIndex":
        frame = frame.reset_index(drop=True)  # an index that pandas wrote into a file is no feature
    for name, dtype in declared.items():
        if name in frame.columns and frame[name].dtype != pandas_dtype(dtype):
            frame[name] = _redeclared(frame[name], name, batch.column(name), dtype)
    return frame


def _redeclared(column: Any, name: Label, cells: Any, dtype: Any) -> Any:
    if column.dtype.kind in "iufb" and getattr(pandas_dtype(dtype), "kind", "") == "f":
        return column.astype(dtype)
    values = cells.to_pylist()
    fitted, _ = fit(name, values, kind_of(values, wide=True), dtype)
    return make_column(fitted, dtype)


def _joined(tables: Sequence[Table]) -> list[Sequence[Any]]:
    return [_concatenated(parts) for parts in zip(*(table.columns for table in tables), strict=True)]


def _concatenated(parts: Sequence[Any]) -> Sequence[Any]:
    kinds = set(map(type, parts))
    if len(kinds) > 1 or kinds <= {list, tuple}:
        return list(chain.from_iterable(parts))
    import numpy  # noqa: PLC0415
    import pandas  # noqa: PLC0415

    joined: Any = numpy.concatenate(parts) if kinds == {numpy.ndarray} else pandas.concat(parts)
    found: Sequence[Any] = joined if kinds == {numpy.ndarray} else joined.reset_index(drop=True)
    return found


def _column(values: Sequence[Any], kind: str) -> Any:
    import numpy  # noqa: PLC0415
    import pandas  # noqa: PLC0415

    if hasattr(values, "dtype"):
        return values
    dtype = _DTYPES.get(kind)
    if dtype is not None:
        return numpy.array(values, dtype=dtype)
    missing = float("nan")
    cells = [missing if value is None else value for value in values]
    if kind == MIXED:
        column = numpy.empty(len(cells), dtype=object)
        column[:] = cells
        return pandas.Series(column, dtype=object)
    return pandas.Series(cells)

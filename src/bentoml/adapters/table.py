"""One request's table as columns of Python values, before any data frame exists.

Keeping columns apart lets a batch become one frame without a text round trip, and lets requests be
put together only when their column names and kinds agree, so that nobody's data types depend on who
else was in the batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from bentoml.exceptions import BadInput, PayloadTooLarge

from .limits import DecodeLimits

Label = str | int

INT, FLOAT, BOOL, TEXT, MIXED = "i", "f", "b", "s", "o"
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
_NONE = type(None)
_KINDS: dict[frozenset[type], str] = {
    frozenset({int}): INT,
    frozenset({float}): FLOAT,
    frozenset({int, float}): FLOAT,
    frozenset({int, _NONE}): FLOAT,
    frozenset({float, _NONE}): FLOAT,
    frozenset({int, float, _NONE}): FLOAT,
    frozenset({_NONE}): FLOAT,
    frozenset({bool}): BOOL,
    frozenset({str}): TEXT,
    frozenset({str, _NONE}): TEXT,
}


_ARRAY_KINDS = {"int64": INT, "float64": FLOAT, "bool": BOOL}


class Table(NamedTuple):
    """Columns of equal length.

    Attributes:
        names: labels, in order; integers when the request named none.
        columns: one sequence of values per name; null is None, and NaN in an array.
        rows: number of rows.
    """

    names: tuple[Label, ...]
    columns: list[Sequence[Any]]
    rows: int


def kind_of(values: Sequence[Any], *, wide: bool) -> str:
    """The kind of a column: `i`, `f`, `b`, `s`, or `o` for anything mixed or nested.

    An array or series of another type than 64-bit numbers and truth values has its type's name.

    Args:
        wide: integers may be beyond 64 bits and have to be looked at; such a column is `o`.
    """
    dtype = getattr(values, "dtype", None)
    if dtype is not None:
        return _ARRAY_KINDS.get(str(dtype), str(dtype))
    kind = _KINDS.get(frozenset(map(type, values)), MIXED)
    if wide and kind == INT and not INT64_MIN <= min(values) <= max(values) <= INT64_MAX:
        return MIXED
    return kind


def from_records(records: Any) -> Table:
    """A list of objects with the same keys. Raises `BadInput`."""
    _require(isinstance(records, list) and bool(records), "a list of one or more objects")
    first = records[0]
    _require(isinstance(first, dict) and bool(first), "a list of objects, one per row")
    names = tuple(first)
    _require(set(map(type, records)) == {dict}, "a list of objects, one per row")
    if set(map(len, records)) != {len(names)}:
        raise _different_keys(records, names)
    pick = itemgetter(*names)
    try:
        rows = list(map(pick, records))
    except KeyError:
        raise _different_keys(records, names) from None
    columns: list[Sequence[Any]] = [rows] if len(names) == 1 else list(zip(*rows, strict=True))
    return Table(names, columns, len(records))


def from_rows(data: Any, names: Sequence[Label] | None) -> Table:
    """A list of rows of equal width; `names` None numbers the columns. Raises `BadInput`."""
    _require(isinstance(data, list) and bool(data), "a list of one or more rows")
    _require(set(map(type, data)) == {list}, "a list of rows, each of them a list")
    width = len(data[0]) if names is None else len(names)
    widths = set(map(len, data))
    if widths != {width}:
        wrong = min(widths - {width})
        raise BadInput(f"every row must have {width} values; one has {wrong}")
    _require(width > 0, "rows with one or more values")
    return Table(
        _unique(names) if names is not None else tuple(range(width)), list(zip(*data, strict=True)), len(data)
    )


def from_columns(data: Any) -> Table:
    """An object of columns, each a list or an object of index label to value. Raises `BadInput`."""
    _require(isinstance(data, dict) and bool(data), "an object with one or more columns")
    kinds = set(map(type, data.values()))
    if kinds == {dict}:
        index = next(iter(data.values())).keys()
        columns: list[Sequence[Any]] = []
        for name, cells in data.items():
            if cells.keys() != index:
                raise BadInput(f"column '{name}' has other index labels than the first column")
            columns.append([cells[label] for label in index])
    else:
        _require(kinds == {list}, "an object of columns, all of them lists or all of them objects")
        columns = list(data.values())
    lengths = set(map(len, columns))
    if len(lengths) != 1:
        raise BadInput(f"all columns must have the same length; there are {sorted(lengths)}")
    rows = lengths.pop()
    _require(rows > 0, "columns with one or more values")
    return Table(tuple(data), columns, rows)


def from_index(data: Any) -> Table:
    """An object of index label to row object; the labels are dropped. Raises `BadInput`."""
    _require(isinstance(data, dict) and bool(data), "an object with one or more rows")
    return from_records(list(data.values()))


def from_split(data: Any) -> Table:
    """An object with `columns` and `data`; `index` is dropped. Raises `BadInput`."""
    _require(
        isinstance(data, dict) and {"columns", "data"} <= data.keys() <= {"columns", "index", "data"},
        "an object with 'columns', 'index' and 'data'",
    )
    names = data["columns"]
    _require(isinstance(names, list) and set(map(type, names)) <= {str, int}, "'columns' as a list of names")
    return from_rows(data["data"], names)


def align(table: Table, wanted: Sequence[Label]) -> Table:
    """The columns called `wanted`, in that order; others are dropped. Raises `BadInput`."""
    if table.names == tuple(wanted):
        return table
    places = {name: place for place, name in enumerate(table.names)}
    if not all(name in places for name in wanted):
        if table.names == tuple(range(len(wanted))):  # rows without names take the expected ones
            return table._replace(names=tuple(wanted))
        missing = [str(name) for name in wanted if name not in places]
        raise BadInput(
            f"missing column{'s' * (len(missing) > 1)} {_listed(missing)}; expected {_listed(wanted)}"
        )
    return Table(tuple(wanted), [table.columns[places[name]] for name in wanted], table.rows)


def check_size(table: Table, limits: DecodeLimits) -> Table:
    """Raises `PayloadTooLarge` for more rows or columns than `limits` allow."""
    if table.rows > limits.table_rows:
        raise PayloadTooLarge(f"{table.rows} rows in one request; at most {limits.table_rows} are taken")
    if len(table.names) > limits.table_columns:
        raise PayloadTooLarge(
            f"{len(table.names)} columns in one request; at most {limits.table_columns} are taken"
        )
    return table


def _unique(names: Sequence[Label]) -> tuple[Label, ...]:
    if len(set(names)) != len(names):
        seen: set[Label] = set()
        double = [name for name in names if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
        raise BadInput(f"duplicate column {_listed(double[:1])}")
    return tuple(names)


def _different_keys(records: Sequence[Mapping[str, Any]], names: Sequence[str]) -> BadInput:
    for row, record in enumerate(records):
        odd = record.keys() ^ set(names)
        if odd:
            return BadInput(f"row {row} differs from the first row in column {_listed(sorted(odd)[:1])}")
    return BadInput("rows have different columns")


def _listed(names: Iterable[Any]) -> str:
    text = ", ".join(f"'{name}'" for name in names)
    return text if len(text) <= 160 else f"{text[:160]}…"


def _require(condition: bool, expected: str) -> None:
    if not condition:
        raise BadInput(f"expected {expected}")

"""CSV (RFC 4180) of one request to a typed table.

The first line is always the header, blank lines are skipped, and a row of another width is an
error. Every column gets its type from its own request: integers, numbers, true/false, else text;
an empty field and the usual spellings of a missing value are null.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence, Set
from operator import methodcaller
from typing import Any

from bentoml.exceptions import BadInput

from .json_codec import has_long_integer
from .table import Label, Table, from_rows

# fmt: off
MISSING = frozenset({
    "", "NA", "N/A", "n/a", "NaN", "nan", "-NaN", "-nan", "NULL", "null", "None", "<NA>", "#N/A",
    "#NA", "#N/A N/A", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN",
})
_TRUE = frozenset({"True", "TRUE", "true"})
_FALSE = frozenset({"False", "FALSE", "false"})
# fmt: on
_NUMBERS = frozenset({int, float})
_COMMAS = methodcaller("count", ",")


def read_csv(text: str, keep_text: Set[Label] = frozenset()) -> Table:
    """The table in `text`.

    Args:
        text: the whole body.
        keep_text: columns, by name or position, whose fields stay as they were written.

    Raises:
        BadInput: not CSV, no data row, or rows of different widths.
    """
    exact = has_long_integer(text.encode("utf-8", "surrogatepass"))
    if not exact and not keep_text:
        numeric = _all_numbers(text)
        if numeric is not None:
            return numeric
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error as err:
        raise BadInput(f"not valid CSV: {err}") from err
    if len(rows) < 2:
        raise BadInput("expected a CSV header line and one or more rows")
    table = from_rows(rows[1:], rows[0])
    strict = text.find("_", max(text.find("\n"), 0)) >= 0 or not text.isascii()
    columns = [
        _kept(cells) if name in keep_text or place in keep_text else typed(cells, strict=strict, exact=exact)
        for place, (name, cells) in enumerate(zip(table.names, table.columns, strict=True))
    ]
    return table._replace(columns=columns)


def _all_numbers(text: str) -> Table | None:
    """The table of a text whose fields are numbers, read by one call of the JSON parser; else None.

    Between equal numbers of commas a line, as many numbers as fields and nothing but numbers leave no
    field that is empty, quoted or anything else.
    """
    from orjson import JSONDecodeError, loads  # noqa: PLC0415

    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    names = lines.pop(0).split(",")
    width = len(names)
    if not lines or names == [""] or '"' in text or "\r" in "".join(names) or len(set(names)) != width:
        return None
    if set(map(_COMMAS, lines)) != {width - 1} or len(max(lines, key=len)) > csv.field_size_limit():
        return None
    body = ",".join(lines)
    if "\r" in body:  # alone it ends a line of CSV, and is white space for JSON
        return None
    try:
        values = loads(f"[{body}]")
    except JSONDecodeError:
        return None
    if len(values) != width * len(lines) or not set(map(type, values)) <= _NUMBERS:
        return None
    return Table(tuple(names), [values[place::width] for place in range(width)], len(lines))


def typed(cells: Sequence[str], *, strict: bool = True, exact: bool = True) -> Sequence[Any]:
    """Values of one column.

    Args:
        strict: some field has characters that Python's number syntax allows and CSV's does not.
        exact: some integer may not fit 64 bits.
    """
    if not exact:
        numbers = _json_numbers(cells)
        if numbers is not None:
            return numbers
    if strict and not all(cell.isascii() and "_" not in cell for cell in cells):
        return _kept(cells)
    numbers = _converted(int, cells) if cells[0].lstrip("+- ").isdigit() else None
    if numbers is None:
        numbers = _converted(float, cells)
    if numbers is not None and MISSING.isdisjoint(cells):
        return numbers
    present = [cell for cell in cells if cell not in MISSING]
    found = _converted(float, present)
    if found is None and set(present) <= _TRUE | _FALSE:
        found = [cell in _TRUE for cell in present]
    if found is None:
        return _kept(cells)
    if len(present) == len(cells):
        return found
    values = iter(found)
    return [None if cell in MISSING else next(values) for cell in cells]


def _json_numbers(cells: Sequence[str]) -> list[Any] | None:
    """All cells read by one call of the JSON parser; None unless each of them is one number.

    As many numbers as cells, and nothing but numbers, leaves no cell with a comma or a bracket.
    """
    from orjson import JSONDecodeError, loads  # noqa: PLC0415

    try:
        values: list[Any] = loads(f"[{','.join(cells)}]")
    except JSONDecodeError:
        return None
    return values if len(values) == len(cells) and set(map(type, values)) <= _NUMBERS else None


def _converted(number: Callable[[str], Any], cells: Sequence[str]) -> list[Any] | None:
    try:
        return list(map(number, cells))
    except ValueError:
        return None


def _kept(cells: Sequence[str]) -> Sequence[Any]:
    return cells if MISSING.isdisjoint(cells) else [None if cell in MISSING else cell for cell in cells]

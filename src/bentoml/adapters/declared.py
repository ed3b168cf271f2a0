"""Data types a `DataframeInput` declares: each request is checked against them on its own.

Numbers given as text are accepted where a number is declared, as they were when everything went
through CSV. What cannot be converted is the client's error and names the column and the value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from bentoml.exceptions import BadInput

from .csv_table import MISSING
from .table import BOOL, FLOAT, INT, TEXT, Label

_NUMERIC = (INT, FLOAT, BOOL)
_TRUTH = {
    **dict.fromkeys(("true", "True", "TRUE", "1"), True),
    **dict.fromkeys(("false", "False", "FALSE", "0"), False),
}


@lru_cache(maxsize=512)
def pandas_dtype(name: Any) -> Any:
    """The pandas data type for what a user declared (`"float32"`, `int`, `numpy.int8`, …)."""
    from pandas.api.types import pandas_dtype as resolve  # noqa: PLC0415

    return resolve(name)


def dtype_name(dtype: Any) -> str:
    """A name of `dtype` that fits into a YAML file and needs no pandas to compute."""
    if isinstance(dtype, str):
        return dtype
    return dtype.__name__ if isinstance(dtype, type) else str(dtype)


def keeps_text(dtype: Any) -> bool:
    """Whether fields of a CSV column of this type stay as they were written."""
    return pandas_dtype(dtype).kind in "OUSTM" or not _is_numpy(pandas_dtype(dtype))


def fit(label: Label, values: Sequence[Any], kind: str, dtype: Any) -> tuple[Sequence[Any], str]:
    """Values that can become `dtype`, and the group key of the column.

    Raises:
        BadInput: a value cannot.
    """
    target = pandas_dtype(dtype)
    name = dtype_name(dtype)
    try:
        if not _is_numpy(target) or target.kind in "Mm":
            return _fit_extension(values, target, name)
        if target.kind == "f":
            return (values if kind in _NUMERIC else [_float(v) for v in values]), name
        if target.kind in "iu":
            return _fit_integers(values, kind, target), name
        if target.kind == "b":
            return (values if kind == BOOL else [_truth(v) for v in values]), name
        if name in ("str", "string", "U"):
            return (values if kind == TEXT else [None if v is None else _text(v) for v in values]), name
    except _Unfit as err:
        raise BadInput(f"column '{label}': {_shown(err.value)} is not a valid {name}") from None
    return values, name


def make_column(values: Sequence[Any], dtype: Any) -> Any:
    """An array or series of `dtype` from values that `fit` has passed."""
    import numpy  # noqa: PLC0415
    import pandas  # noqa: PLC0415

    target = pandas_dtype(dtype)
    if _is_numpy(target) and target.kind in "fiub":
        return numpy.array(values, dtype=target)
    if target.kind == "M":
        return pandas.Series(pandas.to_datetime(pandas.Series(list(values)))).astype(target)
    missing = float("nan")
    return pandas.Series([missing if v is None else v for v in values], dtype=target)


class _Unfit(Exception):
    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


def _is_numpy(target: Any) -> bool:
    return type(target).__module__.startswith("numpy")


def _fit_extension(values: Sequence[Any], target: Any, name: str) -> tuple[Sequence[Any], str]:
    """Try the conversion for this request. A category's codes depend on all rows: it stays alone."""
    try:
        make_column(values, target)
    except (TypeError, ValueError, OverflowError) as err:
        raise BadInput(f"a column of type {name} cannot be made: {str(err)[:120]}") from err
    is_open_category = name == "category" and getattr(target, "categories", None) is None
    return values, f"{name}#{id(values)}" if is_open_category else name


def _fit_integers(values: Sequence[Any], kind: str, target: Any) -> Sequence[Any]:
    import numpy  # noqa: PLC0415

    numbers = values if kind in (INT, BOOL) else [_integer(v) for v in values]
    bounds = numpy.iinfo(target)
    for number in (min(numbers), max(numbers)):
        if not bounds.min <= number <= bounds.max:
            raise _Unfit(number)
    return numbers


def _convert(value: Any, number: Callable[[Any], Any]) -> Any:
    try:
        return number(value)
    except (TypeError, ValueError, OverflowError):
        raise _Unfit(value) from None


def _float(value: Any) -> float | None:
    if value is None or (isinstance(value, str) and value in MISSING):
        return None
    if isinstance(value, str) and ("_" in value or not value.isascii()):
        raise _Unfit(value)
    found: float = _convert(value, float)
    return found


def _integer(value: Any) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise _Unfit(value)
    if isinstance(value, str) and ("_" in value or not value.isascii()):
        raise _Unfit(value)
    found: int = _convert(value, int)
    return found


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value)
    if value is None or text not in _TRUTH:
        raise _Unfit(value)
    return _TRUTH[text]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def _shown(value: Any) -> str:
    text = "null" if value is None else repr(value)
    return text if len(text) <= 64 else f"{text[:64]}…"

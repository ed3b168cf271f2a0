"""Python values to an Arrow column of a given type, telling which values do not fit.

Used where a whole block cannot be converted by Arrow at once, so that one wrong value costs its row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

Bad = dict[int, str]
_TRUTH = {"true": True, "false": False, "1": True, "0": False}


def infer_type(values: Sequence[Any]) -> Any:
    """The Arrow type of a column; text when its values have no type in common."""
    try:
        found = pa.array(values, from_pandas=True).type
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.string()
    return pa.float64() if pa.types.is_decimal(found) else found


def usual_type(values: Sequence[Any]) -> Any:
    """The Arrow type of the largest group of values that have one in common."""
    try:
        return pa.array(values).type
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        groups: dict[type, list[Any]] = {}
        for value in values:
            if value is not None:
                groups.setdefault(float if type(value) is int else type(value), []).append(value)
        return infer_type(max(groups.values(), key=len))


def type_of_texts(values: Sequence[str | None]) -> Any:
    """Integers, numbers, truth values or text, whichever is the first that all `values` are."""
    kinds = (pa.int64(), pa.float64(), pa.bool_())
    return next((kind for kind in kinds if _whole(values, kind) is not None), pa.string())


def column(name: str, values: Sequence[Any], kind: Any) -> tuple[Any, Bad]:
    """An array of type `kind`, or of doubles where integers meet fractions, and what did not fit.

    Values that do not fit are null in the array and have an entry, place → reason.
    """
    made = _whole(values, kind)
    if made is not None:
        return made, {}
    if pa.types.is_integer(kind):
        made = _whole(values, pa.float64())
        if made is not None:
            return made, {}
        kind = pa.float64() if _has_fractions(values) else kind
    good: list[Any] = []
    bad: Bad = {}
    for place, value in enumerate(values):
        one = _whole([value], kind)
        if one is None:
            bad[place] = f"column '{name}': {_shown(value)} is not a valid {_name(kind)}"
        good.append(None if one is None else one[0])
    return pa.array([None if v is None else v.as_py() for v in good], type=kind), bad


def _whole(values: Sequence[Any], kind: Any) -> Any:
    try:
        if any(type(value) is str for value in values) and not _is_text(kind):
            return _from_texts(values, kind)
        if _is_text(kind) and not all(value is None or type(value) is str for value in values):
            return None
        return pa.array(values, type=kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, ValueError):
        return None


def _from_texts(values: Sequence[Any], kind: Any) -> Any:
    """Numbers and truth values written as text, the form a CSV field has."""
    if not all(value is None or type(value) is str for value in values):
        return None
    texts = [None if value is None else value.strip() for value in values]
    if pa.types.is_boolean(kind):
        if not all(text is None or text.lower() in _TRUTH for text in texts):
            return None
        return pa.array([None if text is None else _TRUTH[text.lower()] for text in texts], type=kind)
    return pa.array(texts, type=pa.string()).cast(kind)


def _has_fractions(values: Sequence[Any]) -> bool:
    for value in values:
        if isinstance(value, float) and not value.is_integer():
            return True
        if isinstance(value, str) and _whole([value], pa.int64()) is None and _whole([value], pa.float64()):
            return True
    return False


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _name(kind: Any) -> str:
    return {"double": "number", "int64": "integer", "bool": "truth value", "string": "text"}.get(
        str(kind), str(kind)
    )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 64 else f"{text[:64]}…"

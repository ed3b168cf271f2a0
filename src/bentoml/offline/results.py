"""From what a call returned to columns, one row per input row.

Arrays and frames keep their types. A list of Python values keeps its type if it has exactly one, and
is written as JSON texts otherwise, so that nothing depends on what else is in the list.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pyarrow as pa

from bentoml.adapters.base_output import plain_reply
from bentoml.adapters.json_codec import dumps
from bentoml.exceptions import BentoMLException
from bentoml.types import InferenceResult, Reply

from .cells import json_field
from .values import CONTENT_TYPE, PREDICTION

Failed = list[tuple[int, str]]
_ONE_KIND = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
_REFUSED = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError)


class WrongCount(BentoMLException):
    """The API returned more or fewer results than it got rows."""


def columns_of(results: Any, rows: int, api_name: str) -> tuple[Any, Failed]:
    """Record batch of the good rows, and the rows whose result is an error.

    Raises:
        WrongCount: there is not one result per row.
    """
    if hasattr(results, "columns") and hasattr(results, "iloc"):
        _check(len(results), rows, api_name)
        return _frame(results), []
    if not isinstance(results, (list, tuple)) and hasattr(results, "__array__"):
        import numpy  # noqa: PLC0415 - the service returned an array, so it is there

        values = numpy.asarray(results)
        _check(len(values) if values.ndim else -1, rows, api_name)
        array, field = _from_numpy(values)
        return pa.RecordBatch.from_arrays([array], schema=pa.schema([field])), []
    if isinstance(results, (str, bytes, dict)) or not hasattr(results, "__iter__"):
        raise _wrong(f"one {type(results).__name__}", rows, api_name)
    items = list(results)
    _check(len(items), rows, api_name)
    if any(isinstance(value, InferenceResult) for value in items):
        return of_replies([_reply(value) for value in items], unwrap=False)
    array, field = _from_list(items)
    return pa.RecordBatch.from_arrays([array], schema=pa.schema([field])), []


def of_replies(replies: Sequence[Reply], *, unwrap: bool) -> tuple[Any, Failed]:
    """As `columns_of`, for finished replies.

    Args:
        unwrap: each reply is a JSON list with the result of the one row it was asked for.
    """
    failed = [(place, _text(reply)) for place, reply in enumerate(replies) if reply.error]
    good = [reply for reply in replies if not reply.error]
    if not good:
        return None, failed
    kinds = {reply.head.content_type for reply in good}
    if all(kind.startswith("application/json") for kind in kinds):
        texts = [_json_text(reply) for reply in good]
        cells = [_only_element(text) for text in texts] if unwrap else texts
        array, field = pa.array(cells, pa.string()), json_field(PREDICTION)
    elif all(kind.startswith("text/") for kind in kinds):
        array, field = (
            pa.array([_text(reply) for reply in good], pa.string()),
            pa.field(PREDICTION, pa.string()),
        )
    else:
        metadata = {CONTENT_TYPE: sorted(kinds)[0].encode()}
        array = pa.array([reply.body for reply in good], pa.binary())
        field = pa.field(PREDICTION, pa.binary(), metadata=metadata)
    return pa.RecordBatch.from_arrays([array], schema=pa.schema([field])), failed


def _frame(frame: Any) -> Any:
    arrays, fields = [], []
    for place, name in enumerate(frame.columns):
        series = frame.iloc[:, place]
        try:
            array, field = pa.array(series, from_pandas=True), None
        except _REFUSED:
            array, field = _from_list(series.tolist())
        arrays.append(array)
        fields.append((field or pa.field(str(name), array.type)).with_name(str(name)))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _from_numpy(values: Any) -> tuple[Any, Any]:
    if values.dtype.kind in "fiub" and values.ndim <= 2:
        flat = pa.array(values.reshape(-1))
        array = flat if values.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
        return array, pa.field(PREDICTION, array.type)
    return _from_list(values.tolist())


def _from_list(values: list[Any]) -> tuple[Any, Any]:
    kinds = set(map(type, values))
    if len(kinds) == 1:
        kind = kinds.pop()
        try:
            if kind in _ONE_KIND:
                return pa.array(values, _ONE_KIND[kind]), pa.field(PREDICTION, _ONE_KIND[kind])
            if kind.__module__ == "numpy" and getattr(values[0], "ndim", 1) == 0:
                import numpy  # noqa: PLC0415 - the values are its scalars

                return _from_numpy(numpy.array(values))
        except _REFUSED:
            pass
    return pa.array([dumps(value).decode() for value in values], pa.string()), json_field(PREDICTION)


def _reply(value: Any) -> Reply:
    if not isinstance(value, InferenceResult):
        return plain_reply(InferenceResult(data=dumps(value).decode(), http_status=200))
    return plain_reply(value)


def _json_text(reply: Reply) -> str:
    charset = reply.head.content_type.partition("charset=")[2] or "utf-8"
    return reply.body.decode(charset, "replace")


def _only_element(text: str) -> str:
    values = orjson.loads(text)
    return dumps(values[0]).decode() if isinstance(values, list) and len(values) == 1 else text


def _text(reply: Reply) -> str:
    return reply.body.decode("utf-8", "replace")


def _check(count: int, rows: int, api_name: str) -> None:
    if count != rows:
        raise _wrong(f"{count} results", rows, api_name)


def _wrong(got: str, rows: int, api_name: str) -> WrongCount:
    return WrongCount(
        f"API '{api_name}' has to return one result per row: it got {rows} rows and returned {got}"
    )

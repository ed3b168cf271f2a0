"""One array per request; in batch mode one array with all of them, stacked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bentoml.exceptions import BadInput
from bentoml.types import Payload

from . import arrays
from .content import TextSource, text_source
from .json_codec import loads
from .schemas import BINARY, array_schema, one_file
from .stacking import ArrayItem, StackingInput

DTYPE_HEADER = "bentoml-array-dtype"
SHAPE_HEADER = "bentoml-array-shape"
NPY_TYPES = frozenset({"application/x-npy", "application/x-numpy", "application/npy"})


class NdarrayInput(StackingInput):
    """An array as nested JSON lists, as an `.npy` file, or as raw little-endian values.

    Raw values come with `Content-Type: application/octet-stream` and the headers
    `Bentoml-Array-Dtype: float32` and `Bentoml-Array-Shape: 2,3`; what the adapter declares need not be
    sent. The function gets one array per item; in batch mode one array whose first axis counts items.
    Only items of equal shape and type share a call. With `Bentoml-Is-Batch-Request: true` the first axis
    of a request counts items, and its answer is a list.

    Args:
        dtype: type of the values; integers are taken where floats are declared, nothing else is
            converted but for width. None takes what comes: `int64`, `float64` or `bool` for JSON.
        shape: shape of one item; None (or -1) stands for any size.
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Sequence[int | None] | None = None,
        http_input_example: Any = None,
        **base_config: Any,
    ) -> None:
        super().__init__(http_input_example=http_input_example, **base_config)
        self.dtype = None if dtype is None else arrays.array_dtype(dtype)
        self.shape = None if shape is None else arrays.array_shape(shape)

    @property
    def config(self) -> dict[str, Any]:
        shape = None if self.shape is None else list(self.shape)
        return {**super().config, "dtype": self.dtype, "shape": shape}

    @property
    def pip_dependencies(self) -> list[str]:
        return ["numpy"]

    def read_item(self, payload: Payload) -> ArrayItem:
        source = text_source(payload, self.limits)
        headers = payload.head.headers
        many = headers.is_batch_input is True
        if _is_npy(source):
            array = arrays.from_npy(source.data)
        elif DTYPE_HEADER in headers or _is_raw(source):
            array = self._read_raw(source.data, headers.get(DTYPE_HEADER), headers.get(SHAPE_HEADER), many)
        else:
            array = arrays.from_nested(loads(source.utf8(), self.limits), self.dtype)
        return self._checked(array, many)

    def _read_raw(self, data: bytes, dtype: str | None, shape: str | None, many: bool) -> Any:
        declared = None if self.shape is None else ((None, *self.shape) if many else self.shape)
        return arrays.from_raw(
            data,
            self.dtype if dtype is None else arrays.parse_dtype(dtype),
            declared if shape is None else arrays.parse_shape(shape),
        )

    def _checked(self, array: Any, many: bool) -> ArrayItem:
        if not many:
            return ArrayItem(arrays.fit(array, self.dtype, self.shape), None)
        if not array.shape:
            raise BadInput("a batch request needs a list of items")
        shape = None if self.shape is None else (None, *self.shape)
        return ArrayItem(arrays.fit(array, self.dtype, shape), int(array.shape[0]))

    def item_of(self, data: Any, many: bool | None) -> ArrayItem:
        array = data if hasattr(data, "dtype") else arrays.from_nested(data, self.dtype)
        return self._checked(array, many is True)

    def _unpacked(self, data: Any) -> Any:
        if isinstance(data, (bytes, bytearray)) and bytes(data[:6]) == arrays.NPY_MAGIC:
            return arrays.from_npy(bytes(data))
        return super()._unpacked(data)

    def default_schema(self) -> dict[str, Any]:
        binary = {"schema": dict(BINARY)}
        return {
            "application/json": {"schema": array_schema(self.shape, self.dtype)},
            "application/x-npy": binary,
            "application/octet-stream": binary,
            "multipart/form-data": one_file("file"),
        }


def _is_npy(source: TextSource) -> bool:
    by_name = source.content_type in NPY_TYPES or source.name.lower().endswith((".npy", ".npz"))
    return by_name or source.data.startswith(arrays.NPY_MAGIC)


def _is_raw(source: TextSource) -> bool:
    return source.content_type == "application/octet-stream" and not source.name.lower().endswith(".json")

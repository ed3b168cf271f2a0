"""Tensors in the row format of TensorFlow Serving, one `tf.Tensor` to the user function."""

from __future__ import annotations

import base64
import binascii
import importlib
from typing import Any, ClassVar

from bentoml.exceptions import BadInput, MissingDependencyException
from bentoml.types import Payload

from . import nested
from .arrays import to_float
from .content import text_source
from .json_codec import loads
from .schemas import tensorflow_schema
from .stacking import ArrayItem, StackingInput

_INT32 = 2**31
_INT64 = 2**63


class TfTensorInput(StackingInput):
    """`{"instances": […]}`: the rows of all requests in one tensor made by `tf.constant`.

    Integers become `int32` (`int64` where they do not fit), other numbers `float32`, texts and
    `{"b64": "…"}` objects strings. With `Bentoml-Is-Batch-Request: false` the instances of a request
    are one item and so is its answer. Only requests whose rows have equal shape and type share a call.

    Args:
        method: `"predict"`; recorded in the bundle.
    """

    SINGLE_MODE_SUPPORTED: ClassVar[bool] = False
    PREDICT = "predict"
    CLASSIFY = "classify"
    REGRESS = "regress"

    def __init__(self, method: str = PREDICT, http_input_example: Any = None, **base_config: Any) -> None:
        super().__init__(http_input_example=http_input_example, **base_config)
        self.method = method

    @property
    def config(self) -> dict[str, Any]:
        return {**super().config, "method": self.method}

    def read_item(self, payload: Payload) -> ArrayItem:
        source = text_source(payload, self.limits)
        return self.item_of(loads(source.utf8(), self.limits), payload.head.headers.is_batch_input)

    def item_of(self, data: Any, many: bool | None) -> ArrayItem:
        if not isinstance(data, dict) or "instances" not in data:
            raise BadInput('input format is not implemented: expected a JSON object {"instances": [...]}')
        array = _array(data["instances"])
        if many is False:
            return ArrayItem(array, None)
        if not array.shape:
            raise BadInput("'instances' must be a list, one entry per row")
        return ArrayItem(array, int(array.shape[0]))

    def to_argument(self, array: Any) -> Any:
        try:
            tensorflow = importlib.import_module("tensorflow")
        except ImportError as err:
            raise MissingDependencyException(
                "TfTensorInput gives API functions a tf.Tensor and needs the package 'tensorflow'. "
                "Install it with: pip install 'bentoml[tensorflow]'"
            ) from err
        return tensorflow.constant(array)

    def default_schema(self) -> dict[str, Any]:
        return {"application/json": {"schema": tensorflow_schema()}}


def _array(instances: Any) -> Any:
    import numpy  # noqa: PLC0415

    shape, leaves = nested.flatten(instances)
    leaves = [_decoded(leaf) if type(leaf) is dict else leaf for leaf in leaves]
    kind = nested.kind_of(leaves)
    if kind == nested.TEXT:
        block = numpy.empty(len(leaves), dtype=object)
        block[:] = [
            leaf.encode("utf-8", "surrogatepass") if isinstance(leaf, str) else leaf for leaf in leaves
        ]
    elif kind == nested.BOOL:
        block = numpy.array(leaves, dtype=bool)
    elif kind == nested.INT:
        block = numpy.array(leaves, dtype=_integers(min(leaves), max(leaves)))
    else:
        block = _floats(leaves)
    return block.reshape(shape)


def _integers(low: int, high: int) -> str:
    if not -_INT64 <= low <= high < _INT64:
        raise BadInput(f"{str(low if low < -_INT64 else high)[:40]} does not fit int64")
    return "int32" if -_INT32 <= low <= high < _INT32 else "int64"


def _floats(leaves: list[Any]) -> Any:
    import numpy  # noqa: PLC0415

    try:
        wide = numpy.array([float("nan") if leaf is None else leaf for leaf in leaves], dtype="float64")
    except OverflowError as err:
        raise BadInput("an integer does not fit float32") from err
    return to_float(wide, numpy.dtype("float32"))


def _decoded(leaf: dict[str, Any]) -> bytes:
    if leaf.keys() != {"b64"} or not isinstance(leaf["b64"], str):
        raise BadInput('an object in \'instances\' must be {"b64": "…"}')
    try:
        return base64.b64decode(leaf["b64"], validate=True)
    except (binascii.Error, ValueError) as err:
        raise BadInput(f"'{leaf['b64'][:40]}' is not valid base64") from err

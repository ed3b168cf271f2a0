"""The contract suite for adapters whose items are arrays."""
# ruff: noqa: RUF012 - the contract declares these as class variables

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from contracts import served
from contracts.adapter_contract import InputAdapterContract
from hypothesis import strategies as st

from bentoml.testing import Request

numpy = pytest.importorskip("numpy")


def npy(array: Any) -> bytes:
    out = io.BytesIO()
    numpy.save(out, array)
    return out.getvalue()


def raw(array: Any, shape: str | None = None) -> Request:
    headers = {
        "Content-Type": "application/octet-stream",
        "Bentoml-Array-Dtype": array.dtype.name,
        "Bentoml-Array-Shape": ",".join(map(str, array.shape)) if shape is None else shape,
    }
    return Request.build(data=array.astype(array.dtype.newbyteorder("<")).tobytes(), headers=headers)


class TestNdarrayInput(InputAdapterContract):
    MODULE = "bentoml.adapters.ndarray_input"
    CLASS = "NdarrayInput"

    FUNCTION = served.array
    SERVED = "array"
    EXAMPLES = [({}, [1, 2]), ({"dtype": "float32", "shape": (2, None)}, [[1, 2.5], [3, 4]])]

    def requests(self) -> st.SearchStrategy[Request]:
        leaves = st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.floats(-9, 9)
        values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3), max_leaves=6)
        return values.map(lambda value: Request.build(data=json.dumps(value))) | super().requests()

    def good(self) -> list[Request]:
        block = numpy.arange(6, dtype="float32").reshape(2, 3)
        return [
            Request.build(json=[[1, 2], [3, 4]]),
            Request.build(json=[[1, 2], [3, None]]),
            Request.build(json=[True, False]),
            Request.build(json=5),
            Request.build(data=npy(block), headers={"Content-Type": "application/x-npy"}),
            Request.build(data=npy(numpy.asfortranarray(block.astype(">f8")))),
            Request.build(files={"any": ("a.npy", npy(numpy.array([1, 2], "uint8")))}),
            Request.build(files={"any": ("a.json", "[1.5]")}),
            raw(block),
        ]

    def bad(self) -> list[Request]:
        bodies = [[], [[]], [[1], [1, 2]], [[1], 2], [1, "a"], ["a"], [1, True], [None], {"a": 1}, [{}]]
        block = numpy.arange(6, dtype="float32")
        return [
            *(Request.build(json=value) for value in bodies),
            Request.build(data=npy(block)[:-1]),
            raw(block, "2,4"),
            Request.build(data=b"[1", headers={"Content-Type": "application/json"}),
        ]


class TestTfTensorInput(InputAdapterContract):
    """All but the call of `tf.constant`, which the tests below make with the real package."""

    MODULE = "bentoml.adapters.tensorflow_tensor_input"
    CLASS = "TfTensorInput"
    SINGLE = False

    def adapter(self, **options: Any) -> Any:
        return served.ArraysOfTensors(**options)

    FUNCTION = served.tensor
    SERVED = "tensor"
    EXAMPLES = [({}, {"instances": [[1, 2]]})]

    def good(self) -> list[Request]:
        one = {"Bentoml-Is-Batch-Request": "false", "Content-Type": "application/json"}
        values = [[1, 2], [[1.5, 2], [3, None]], [2**40], [True], ["a", "ä"], [{"b64": "/w=="}, "x"]]
        return [
            *(Request.build(json={"instances": value}) for value in values),
            Request.build(json={"signature_name": "s", "instances": [[7]]}, headers={**one}),
            Request.build(files={"any": ("a.json", '{"instances": [1]}')}),
        ]

    def bad(self) -> list[Request]:
        values: list[Any] = [
            [],
            [[]],
            [[1], [1, 2]],
            [1, "a"],
            5,
            [{"a": 1}],
            [{"b64": "?"}],
            [2**70],
            [None],
        ]
        bodies: list[Any] = [{"inputs": [1]}, [1], *({"instances": value} for value in values)]
        return [*(Request.build(data=json.dumps(body)) for body in bodies), Request.build(data=b"{bad")]

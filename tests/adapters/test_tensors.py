"""Tensors of TensorFlow: the row format in, JSON out, and what is said where it is not installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest
from contracts.probe import make_client, make_service, send_all

from bentoml.adapters import TfTensorInput, TfTensorOutput
from bentoml.testing import Request

without = pytest.mark.skipif(find_spec("tensorflow") is not None, reason="TensorFlow is installed")
pytest.importorskip("numpy")


def rows_of(*values: Any) -> list[Request]:
    return [Request.build(json={"instances": value}) for value in values]


@without
def test_a_call_without_tensorflow_says_how_to_get_it() -> None:
    client = make_client(lambda self, tensor: tensor, TfTensorInput())
    good, bad = send_all(client, [*rows_of([1, 2]), Request.build(json={"inputs": 1})])
    assert (good.status_code, "pip install 'bentoml[tensorflow]'" in good.text) == (500, True)
    assert (bad.status_code, "input format is not implemented" in bad.text) == (400, True)


def test_definition_and_config() -> None:
    adapter = TfTensorInput(method=TfTensorInput.CLASSIFY)
    assert adapter.config == {"method": "classify"}
    assert (TfTensorInput.PREDICT, TfTensorInput.REGRESS) == ("predict", "regress")
    schema = TfTensorInput().openapi_content()["application/json"]["schema"]
    assert set(schema["properties"]) == {"signature_name", "instances", "inputs"}
    assert TfTensorOutput().pip_dependencies == ["tensorflow"]
    make_service(lambda self, tensor: tensor, adapter)


class TestWithTensorflow:
    """The real package; it has no wheel for every Python this library runs on."""

    @pytest.fixture(autouse=True)
    def tensorflow(self) -> Any:
        self.tf = pytest.importorskip("tensorflow")
        return self.tf

    def test_types_are_those_of_constant(self) -> None:
        kinds: list[Any] = []

        def note(self: Any, tensor: Any) -> Any:
            kinds.append((tensor.dtype.name, tuple(tensor.shape[1:])))  # the first axis counts requests
            return tensor

        values = ([[1, 2]], [[1.5, 2]], [True], ["ä"], [2**40])
        answers = send_all(make_client(note, TfTensorInput()), rows_of(*values, [{"b64": "/w=="}]))
        expected = {(c.dtype.name, tuple(c.shape[1:])) for c in map(self.tf.constant, values)}
        assert set(kinds) == expected
        assert [a.json() for a in answers] == [*values, [{"b64": "/w=="}]]

    def test_rows_of_requests_share_a_tensor(self) -> None:
        sizes: list[int] = []

        def double(self: Any, tensor: Any) -> Any:
            sizes.append(len(tensor))
            return tensor * 2

        one = Request.build(json={"instances": [5, 6]}, headers={"Bentoml-Is-Batch-Request": "false"})
        requests = [*rows_of([[1, 2]], [[3, 4], [5, 6]], [[1.5, 1]]), one]
        answers = send_all(make_client(double, TfTensorInput()), requests)
        assert [a.json() for a in answers] == [[[2, 4]], [[6, 8], [10, 12]], [[3.0, 2.0]], [10, 12]]
        assert sorted(sizes) == [1, 4]

    def test_outputs(self) -> None:
        tf = self.tf
        output = TfTensorOutput()
        bodies = [reply.body for reply in output.encode(tf.constant([[1, 2], [3, 4]]), [None, 1])]
        assert bodies == [b"[1,2]", b"[[3,4]]"]
        mixed = [tf.constant(1.5), tf.constant([b"a", b"\xff"]), tf.ragged.constant([[1], [2, 3]])]
        assert [reply.body for reply in output.encode(mixed, [None] * 3)] == [
            b"1.5",
            b'["a",{"b64":"/w=="}]',
            b"[[1],[2,3]]",
        ]

"""Arrays: declared types and shapes, `.npy` and raw bodies, hostile headers."""

from __future__ import annotations

import io
import json
import pickle
import time
from pathlib import Path
from typing import Any

import pytest
from contracts.probe import make_client, make_service, send, send_all
from hypothesis import given
from hypothesis import strategies as st

from bentoml.adapters import NdarrayInput
from bentoml.exceptions import InvalidArgument
from bentoml.testing import Request
from bentoml.types import InferenceTask

numpy = pytest.importorskip("numpy")


def described(self: Any, arrays: Any) -> Any:
    assert arrays.flags.writeable
    return [[str(a.dtype), list(a.shape), a.tolist()] for a in map(numpy.asarray, arrays)]


def ask(body: bytes, kind: str = "application/json", *, adapter: Any = None, **headers: str) -> Any:
    return send(make_client(described, adapter or NdarrayInput()), body, kind, **headers)


def ask_json(value: Any, **options: Any) -> Any:
    return ask(json.dumps(value).encode(), adapter=NdarrayInput(**options))


def saved(array: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    numpy.save(out, array, **options)
    return out.getvalue()


def npy_header(text: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    return b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text.encode() + data


def refused(answer: Any, *words: str) -> None:
    assert answer.status_code == 400, answer.text
    for word in words:
        assert word in answer.text
    assert "/" not in answer.text.replace("true/false", "")


class Canary:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize(
    "kind",
    [
        "application/octet-stream",
        "application/x-npy",
        "application/x-python-serialize",
        "application/vnd.bentoml+pickle",
        "",
    ],
)
def test_B60_B61_nothing_is_unpickled(kind: str, tmp_path: Path) -> None:
    canary = Canary(tmp_path / "canary")
    objects = saved(numpy.array([canary], dtype=object), allow_pickle=True)
    archive = io.BytesIO()
    numpy.savez(archive, a=numpy.array([canary], dtype=object))
    for body in (pickle.dumps(canary), objects, archive.getvalue()):
        refused(ask(body, kind))
        client = make_client(described, NdarrayInput())
        refused(client.post("/predict", files={"f": ("a.npy", body, kind or "text/plain")}))
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2147483648, 2147483648), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (True,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': 4, }",
        "{'descr': '<f4', 'shape': (1,), }",
        "{'descr': '<U100', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<M8[s]', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<c16', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f16', 'fortran_order': False, 'shape': (1,), }",
        "__import__('os').abort()",
        "(" * 5000,
        "",
    ],
)
def test_B84_headers_of_npy_files(header: str) -> None:
    started = time.monotonic()
    for version in (b"\x01\x00", b"\x02\x00", b"\x09\x00"):
        refused(ask(npy_header(header, b"\0" * 4 if "'shape': (1,)" in header else b"", version)))
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("dtype", "shape", "body"),
    [
        ("float32", "2,3", b"\0" * 20),
        ("float32", "0", b""),
        ("float32", "-1", b"\0" * 4),
        ("float32", "2147483648,2147483648", b"\0" * 16),
        ("float32", ",".join(["1"] * 40), b"\0" * 4),
        ("float32", "x", b"\0" * 4),
        ("float32", "9" * 5000, b"\0" * 4),
        ("object", "1", b"\0" * 8),
        (">f4", "1", b"\0" * 4),
        ("O", "1", b"\0" * 8),
        ("bool", "1", b"\2"),
        ("float32", "", b"\0" * 8),
    ],
)
def test_B84_raw_values_whose_shape_lies(dtype: str, shape: str, body: bytes) -> None:
    client = make_client(described, NdarrayInput())
    started = time.monotonic()
    answer = send(
        client, body, "application/octet-stream", bentoml_array_dtype=dtype, bentoml_array_shape=shape
    )
    assert answer.status_code == 400
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ([[1, 2, 3], [4, 5]], "different lengths"),
        ([[1, [2]], [3, 4]], "one type"),
        ([[1, 2], 3], "mixed at depth 1"),
        ([1, "a"], "integers and texts"),
        ([1, True], "integers and true/false"),
        ([], "empty"),
        (["a"], "texts"),
        ({"a": [1]}, "objects"),
    ],
)
def test_B84_ragged_and_mixed_lists(value: Any, word: str) -> None:
    refused(ask_json(value), word)


def test_B84_too_many_dimensions() -> None:
    refused(ask(b"[" * 40 + b"1" + b"]" * 40), "32 dimensions")


@pytest.mark.parametrize(
    ("value", "dtype", "found"),
    [
        ([1, 2], None, ["int64", [2], [1, 2]]),
        ([1, 2], "float32", ["float32", [2], [1.0, 2.0]]),
        ([1.5], "float16", ["float16", [1], [1.5]]),
        ([255], "uint8", ["uint8", [1], [255]]),
        ([True], bool, ["bool", [1], [True]]),
        (["a", "bc"], "str", ["<U2", [2], ["a", "bc"]]),
        (7, float, ["float64", [], 7.0]),
    ],
)
def test_json_becomes_the_declared_type(value: Any, dtype: Any, found: Any) -> None:
    assert ask_json(value, dtype=dtype).json() == found


@pytest.mark.parametrize(
    ("value", "dtype", "word"),
    [
        ([256], "uint8", "256 does not fit uint8"),
        ([-1], "uint8", "-1 does not fit"),
        ([1.0], "int32", "expected int32"),
        ([None], "int32", "null"),
        ([1], "bool", "expected bool"),
        ([True], "float32", "expected float32"),
        ([1e300], "float32", "too large"),
        ([10**400], "float32", "JSON"),
        ([2**63], None, "does not fit int64"),
        ([1], "str", "expected str"),
        (["1"], "float32", "expected float32"),
    ],
)
def test_json_that_does_not_fit_the_declared_type(value: Any, dtype: Any, word: str) -> None:
    refused(ask_json(value, dtype=dtype), word)


@pytest.mark.parametrize(
    ("sent", "dtype", "status"),
    [
        ("float64", "float32", 200),
        ("float32", "float64", 200),
        ("int8", "float32", 200),
        ("int64", "float32", 200),
        ("int8", "int64", 200),
        ("uint8", "int16", 200),
        ("int64", "int32", 400),
        ("float32", "int32", 400),
        ("bool", "int32", 400),
        ("int8", "bool", 400),
        ("uint8", "str", 400),
    ],
)
def test_binary_values_are_converted_where_nothing_is_lost(sent: str, dtype: str, status: int) -> None:
    body = saved(numpy.array([1], dtype=sent))
    assert ask(body, adapter=NdarrayInput(dtype=dtype)).status_code == status


def test_declared_shape() -> None:
    options = {"shape": (None, 2)}
    assert ask_json([[1, 2], [3, 4], [5, 6]], **options).status_code == 200
    refused(ask_json([[1, 2, 3]], **options), "[1, 3]", "[*, 2]")
    refused(ask_json([1, 2], **options), "[2]")
    refused(ask(saved(numpy.zeros((2, 3))), adapter=NdarrayInput(shape=(-1, 2))), "[2, 3]")


def test_raw_values_use_what_is_declared() -> None:
    adapter = NdarrayInput(dtype="float32", shape=(None, 2))
    body = numpy.arange(4, dtype="<f4").tobytes()
    assert ask(body, "application/octet-stream", adapter=adapter).json()[1:] == [[2, 2], [[0, 1], [2, 3]]]
    refused(ask(body[:-4], "application/octet-stream", adapter=adapter), "bytes")
    refused(ask(body, "application/octet-stream", adapter=NdarrayInput(dtype="float32")), "type and shape")
    refused(ask(body, "application/octet-stream", adapter=NdarrayInput("float32", (None, None))), "[*, *]")
    short = ask(body, "application/octet-stream", bentoml_array_dtype="<f4", bentoml_array_shape="[4]")
    assert short.json()[1] == [4]


def test_only_items_of_one_shape_share_a_call() -> None:
    sizes: list[int] = []

    def count(self: Any, arrays: Any) -> Any:
        sizes.append(len(arrays))
        return arrays.reshape(len(arrays), -1).sum(axis=1)

    requests = [Request.build(json=value) for value in ([1, 2], [3, 4], [1.5, 2], [[1, 2]], [5, 6])]
    answers = send_all(make_client(count, NdarrayInput()), requests)
    assert [a.json() for a in answers] == [3, 7, 3.5, 3, 11]
    assert sorted(sizes) == [1, 1, 3]


def test_a_batch_request_has_one_result_per_row() -> None:
    client = make_client(lambda self, arrays: arrays.sum(axis=1), NdarrayInput("float32", (2,)))
    many = {"Bentoml-Is-Batch-Request": "true"}
    requests = [
        Request.build(json=[[1, 2], [3, 4]], headers=many),
        Request.build(json=[5, 6]),
        Request.build(json=[[1, 2, 3]], headers=many),
        Request.build(json=5, headers=many),
        Request.build(
            data=numpy.array([[7, 8]], "<f4").tobytes(),
            headers={**many, "Content-Type": "application/octet-stream"},
        ),
    ]
    answers = send_all(client, requests)
    assert [a.status_code for a in answers] == [200, 200, 400, 400, 200]
    assert [answers[i].json() for i in (0, 1, 4)] == [[3, 7], 11, [15]]


def test_single_mode_gets_a_writable_array() -> None:
    def double(self: Any, array: Any) -> Any:
        array *= 2
        return array

    client = make_client(double, NdarrayInput(), batch=False)
    assert send(client, saved(numpy.array([1.5, 2]))).json() == [3, 4]
    assert client.post("/predict", json=[1]).json() == [2]


@pytest.mark.parametrize("dtype", ["object", "complex64", "datetime64[s]", "float128", dict])
def test_types_that_cannot_be_declared(dtype: Any) -> None:
    with pytest.raises(InvalidArgument, match="float32"):
        NdarrayInput(dtype=dtype)


@pytest.mark.parametrize("shape", [(0,), (-2,), ("a",), (1.5,)])
def test_shapes_that_cannot_be_declared(shape: Any) -> None:
    with pytest.raises(InvalidArgument, match="positive"):
        NdarrayInput(shape=shape)


def test_openapi_describes_shape_and_type() -> None:
    content = NdarrayInput("float32", (None, 4), http_input_example=[[1, 2, 3, 4]]).openapi_content()
    row = {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4}
    assert content["application/json"] == {
        "schema": {"type": "array", "items": row},
        "example": [[1, 2, 3, 4]],
    }
    assert NdarrayInput(numpy.float32, (2, None)).config == {"dtype": "float32", "shape": [2, None]}


def test_tasks_and_python_values() -> None:
    api = make_service(lambda self, a: a.sum(axis=1), NdarrayInput()).inference_apis[0]
    items = [numpy.array([1, 2]), [3, 4], "[5, 6]", saved(numpy.array([7, 8])), "[1]", "[1,"]
    results = api.infer(api.input_adapter.from_inference_job(items))
    assert [r.http_status for r in results] == [200, 200, 200, 200, 400, 400]
    assert [r.data for r in results[:4]] == ["3", "7", "11", "15"]

    def sizes(self: Any, arrays: Any, tasks: Any) -> Any:
        return [int(task.data.size) for task in tasks]

    client = make_client(sizes, NdarrayInput())
    assert client.post("/predict", json=[1, 2, 3]).json() == 3
    assert NdarrayInput().extract_user_func_args([InferenceTask(data="[1")]) == ([],)


@given(
    st.sampled_from(["bool", "int8", "uint16", "int64", "float32", "float64"]),
    st.lists(st.integers(1, 4), max_size=4),
    st.integers(0, 2**32),
    st.booleans(),
)
def test_all_three_forms_carry_the_same_array(dtype: str, shape: list[int], seed: int, fortran: bool) -> None:
    array = numpy.random.default_rng(seed).integers(0, 2, shape).astype(dtype)
    array = numpy.asfortranarray(array) if fortran and shape else array
    client = make_client(described, NdarrayInput(dtype=dtype, shape=shape))
    answers = send_all(
        client,
        [
            Request.build(data=json.dumps(array.tolist()), headers={"Content-Type": "application/json"}),
            Request.build(data=saved(array)),
            Request.build(
                data=array.tobytes(),
                headers={
                    "Content-Type": "application/octet-stream",
                    "Bentoml-Array-Shape": ",".join(map(str, shape)),
                },
            ),
        ],
    )
    assert [answer.json() for answer in answers] == [[dtype, shape, array.tolist()]] * 3

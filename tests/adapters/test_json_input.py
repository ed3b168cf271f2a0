"""JSON: what is accepted, exactness, limits."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import pytest
from contracts.probe import echo, make_client, send, send_all
from hypothesis import given
from hypothesis import strategies as st

from bentoml.adapters import DecodeLimits, JsonInput
from bentoml.adapters.json_codec import check_depth, dumps, dumps_many, has_long_integer, loads, loads_many
from bentoml.adapters.limits import DEFAULT_LIMITS
from bentoml.exceptions import BadInput
from bentoml.testing import Request

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"a":}',
        b"[1,]",
        b"{'a':1}",
        b"// x",
        b"undefined",
        b'"a\tb"',
        b"{} {}",
        b"{}x",
        b"{}\0",
        b"01",
        b"+1",
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"[1e999]",
        b"[0]]",
        b"2],3,4",
        b'"\\ud800"',
        b"tru",
        b"\xff",
    ],
)
def test_B44_B45_B46_B52_bad_json(body: bytes) -> None:
    answer = send(make_client(echo, JsonInput()), body)
    assert answer.status_code == 400
    assert answer.text.startswith("Not a valid JSON format: ")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("digits", [4301, 1_000_000])
def test_B47_endless_integers(digits: int) -> None:
    started = time.process_time()
    for body in (b"9" * digits, b"[-" + b"1" * digits + b"]"):
        assert send(make_client(echo, JsonInput()), body).status_code == 400
    assert time.process_time() - started < 2


@pytest.mark.parametrize("number", [2**63, 2**64, -(2**63) - 1, 2**63 - 1, 2**70, 10**300, 10**18])
def test_B48_integers_are_exact(number: int) -> None:
    client = make_client(echo, JsonInput())
    for text in (f"{number}", f"[{number}]", f'{{"a": {number}, "b": 0.1}}'):
        assert json.loads(send(client, text.encode()).content) == json.loads(text)


def test_B48_floats_are_exact() -> None:
    client = make_client(echo, JsonInput())
    for text in (
        "0.10000000000000001",
        "-0.0",
        "1e308",
        "5e-324",
        "0.012345678901234567890123",
        "1e0000000000000000000002",
    ):
        back = json.loads(send(client, text.encode()).content)
        assert back == json.loads(text)
        assert math.copysign(1, back) == math.copysign(1, json.loads(text))


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize("depth", [1, 127, 128, 129, 1000, 100_000])
def test_B49_depth(opening: bytes, depth: int) -> None:
    closing = b"]" if opening == b"[" else b"}"
    inner = b"" if opening == b"[" else b"1"
    body = opening * depth + inner + closing * depth
    assert send(make_client(echo, JsonInput()), body).status_code == (200 if depth <= 128 else 400)


def test_B49_brackets_in_strings_are_not_depth() -> None:
    value = {'a"[[': "[" * 5000, "b\\": '\\"{{' * 400, "c": [[]] * 500}
    assert send(make_client(echo, JsonInput()), json.dumps(value).encode()).json() == value


def test_B49_limit_is_configurable() -> None:
    client = make_client(echo, JsonInput(), limits=DecodeLimits(json_depth=3))
    assert send(client, b"[[[1]]]").status_code == 200
    assert send(client, b"[[[[1]]]]").status_code == 400


def test_B50_last_of_duplicate_keys_wins() -> None:
    client = make_client(echo, JsonInput())
    assert send(client, b'{"a":1,"a":2}').content == b'{"a":2}'
    assert send(client, b'{"a":1,"a":12345678901234567890}').content == b'{"a":12345678901234567890}'


def test_B51_many_keys_and_many_lists() -> None:
    def size(self: Any, values: Any) -> Any:
        return [len(value) for value in values]

    client = make_client(size, JsonInput())
    started = time.process_time()
    keys = b"{" + b",".join(b'"%d":0' % i for i in range(1_000_000)) + b"}"
    assert send(client, keys).json() == 1_000_000
    assert send(client, b"[" + b",".join([b"[]"] * 1_000_000) + b"]").json() == 1_000_000
    assert time.process_time() - started < 20


def test_B51_deep_and_wide_brackets_take_linear_time() -> None:
    body = b"[" + b",".join([b"[" * 127 + b"]" * 127] * 8000) + b"]"
    started = time.process_time()
    check_depth(body, 128)
    assert time.process_time() - started < 5
    with pytest.raises(BadInput):
        check_depth(b"[" + body + b"]", 128)


@pytest.mark.parametrize("key", ["__class__", "__proto__", "__reduce__", "$ref", "py/object", "__type__"])
def test_B53_magic_keys_are_plain_data(key: str) -> None:
    value = {key: {"py/object": "os.system", "args": ["true"]}}
    assert send(make_client(echo, JsonInput()), json.dumps(value).encode()).json() == value


@pytest.mark.parametrize("text", ['"x"', "3", "true", "[1]", "{}"])
def test_B54_any_top_level_value(text: str) -> None:
    assert send(make_client(echo, JsonInput()), text.encode()).text == text


def test_B55_one_string_of_19_mib() -> None:
    def size(self: Any, values: Any) -> Any:
        return [len(value) for value in values]

    body = b'"' + b"a" * (19 * 1024 * 1024) + b'"'
    assert send(make_client(size, JsonInput()), body).json() == 19 * 1024 * 1024


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "APPLICATION/JSON",
        'application/json;;charset="utf-8"',
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/octet-stream",
        "no slash",
    ],
)
def test_B56_B58_content_type_is_not_checked(kind: str) -> None:
    assert send(make_client(echo, JsonInput()), b"[1]", kind).json() == [1]


def test_B56_form_with_json_type() -> None:
    assert send(make_client(echo, JsonInput()), b"a=1&b=2").status_code == 400


def test_B57_100_bad_among_100_good() -> None:
    client = make_client(echo, JsonInput())
    requests = [Request.build(data=b"%d" % i if i % 2 else b"{bad %d" % i) for i in range(200)]
    answers = send_all(client, requests)
    assert [a.status_code for a in answers] == [400, 200] * 100
    assert [a.json() for a in answers[1::2]] == list(range(1, 200, 2))


def test_p3_halves_of_a_body_cannot_reach_each_other() -> None:
    """Bodies joined with commas would be valid JSON here and give the third client a chosen answer."""
    answers = send_all(
        make_client(echo, JsonInput()), [Request.build(data=b) for b in (b"[0]", b"[1", b"[7]", b"2],3,4")]
    )
    assert [a.status_code for a in answers] == [200, 400, 200, 400]
    assert answers[2].content == b"[7]"


@pytest.mark.parametrize(
    "kind",
    [
        "application/octet-stream",
        "application/x-python-serialize",
        "application/vnd.bentoml+pickle",
        "application/x-npy",
    ],
)
def test_B60_pickles_are_not_read(kind: str, tmp_path: Any) -> None:
    import os
    import pickle

    canary = tmp_path / "canary"

    class Canary:
        def __reduce__(self) -> Any:
            return (os.system, (f"touch {canary}",))

    assert send(make_client(echo, JsonInput()), pickle.dumps(Canary()), kind).status_code == 400
    assert not canary.exists()


@given(st.lists(VALUES, min_size=1, max_size=8))
def test_decode_then_encode_gives_the_value_back(values: list[Any]) -> None:
    bodies = [json.dumps(value).encode() for value in values]
    many = loads_many(bodies, DEFAULT_LIMITS)
    single = [loads(body, DEFAULT_LIMITS) for body in bodies]
    assert single == values
    assert many is None or many == values
    assert [json.loads(dumps(value)) for value in single] == values


@given(
    st.lists(st.integers() | st.floats() | st.booleans() | st.none())
    | st.lists(st.lists(st.integers() | st.floats()))
)
def test_numbers_written_at_once_equal_numbers_written_alone(values: list[Any]) -> None:
    at_once = dumps_many(values)
    if at_once is not None:
        assert at_once == [dumps(value) for value in values]
        for text in at_once:
            json.loads(text, parse_constant=pytest.fail)


@given(st.binary(max_size=60))
def test_any_bytes_give_a_value_or_bad_input(body: bytes) -> None:
    try:
        loads(body, DEFAULT_LIMITS)
    except BadInput as err:
        assert str(err).startswith("Not a valid JSON format")


def test_long_integers_are_noticed() -> None:
    assert has_long_integer(b"[1234567890123456789]")
    assert not has_long_integer(b"[0.1234567890123456789, 123456789012345678]")
    assert not has_long_integer(b"1" * 18)

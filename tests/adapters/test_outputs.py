"""Output adapters: JSON rules, tables, rows of an item, one bad result among good ones."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from contracts.probe import make_client, send_all
from hypothesis import given
from hypothesis import strategies as st

from bentoml.adapters import DataframeInput, DataframeOutput, DefaultOutput, JsonInput, JsonOutput
from bentoml.exceptions import APIDeprecated
from bentoml.testing import Request

numpy = pytest.importorskip("numpy")


class Opaque:
    def __str__(self) -> str:
        return "an opaque thing"


def bodies(results: Any, rows: list[int | None] | None = None, adapter: Any = None) -> list[Any]:
    count = len(results)
    replies = (adapter or JsonOutput()).encode(results, rows or [None] * count)
    return [json.loads(reply.body) if not reply.error else reply for reply in replies]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (float("nan"), "null"),
        ([float("inf"), -float("inf")], "[null,null]"),
        (numpy.int64(7), "7"),
        (numpy.float32(0.1), "0.10000000149011612"),
        (numpy.bool_(True), "true"),
        (numpy.arange(4).reshape(2, 2), "[[0,1],[2,3]]"),
        (numpy.array([0.5, float("nan")]), "[0.5,null]"),
        (numpy.array(["a"]), '["a"]'),
        ({"s": numpy.array([1]), 2: b"ok", 2.5: ()}, '{"s":[1],"2":"ok","2.5":[]}'),
        (b"\xff", '{"b64":"/w=="}'),
        (2**70, str(2**70)),
        ({"big": -(2**64), "nan": float("nan")}, '{"big":-18446744073709551616,"nan":null}'),
        (Opaque(), '{"unknown_obj":"an opaque thing"}'),
        ({1}, '{"unknown_obj":"{1}"}'),
        ("größe", '"größe"'),
        ("\ud800", '"\\ud800"'),
        ((1, "x"), '[1,"x"]'),
    ],
)
def test_values(value: Any, text: str) -> None:
    for results in ([value], [value, "neighbour"]):
        assert JsonOutput().encode(results, [None] * len(results))[0].body.decode() == text


def test_arrays_are_written_at_once_and_alone_alike() -> None:
    for array in (
        numpy.arange(5),
        numpy.linspace(0, 1, 7),
        numpy.linspace(0, 1, 7, dtype="float32"),
        numpy.array([True, False]),
        numpy.random.default_rng(1).random((4, 3)),
        numpy.zeros((3, 0)),
        numpy.zeros((2, 2, 2)),
        numpy.array([1.0, float("nan")]),
    ):
        alone = [JsonOutput().encode([row], [None])[0].body for row in array]
        assert [r.body for r in JsonOutput().encode(array, [None] * len(array))] == alone


def test_rows_of_an_item_become_a_list() -> None:
    assert bodies(numpy.array([1, 2, 3, 4, 5, 6]), [1, 2, None, 0, 2]) == [[1], [2, 3], 4, [], [5, 6]]
    assert bodies(["a,b", {"x": 1}, "c"], [2, 1]) == [["a,b", {"x": 1}], ["c"]]


def test_one_unwritable_result_fails_alone() -> None:
    loop: list[Any] = []
    loop.append(loop)
    replies = JsonOutput().encode([1, loop, {(1, 2): 3}, "x"], [None] * 4)
    assert [r.head.status for r in replies] == [200, 500, 500, 200]
    assert [r.error for r in replies] == [False, True, True, False]
    replies = JsonOutput().encode([1, loop, 2, 3], [2, 2])
    assert [r.head.status for r in replies] == [500, 200]


def test_ascii_and_charset() -> None:
    assert JsonOutput(ensure_ascii=True).encode(["grün"], [None])[0].body == b'"gr\\u00fcn"'
    reply = JsonOutput(charset="latin-1").encode(["grün"], [None])[0]
    assert reply.head.content_type == "application/json; charset=latin-1"
    assert reply.body == '"grün"'.encode("latin-1")


def test_cors_is_gone() -> None:
    for adapter in (JsonOutput, DefaultOutput, DataframeOutput):
        with pytest.raises(APIDeprecated, match="cors"):
            adapter(cors="*")


@given(
    st.lists(
        st.one_of(st.integers(), st.floats(), st.text(), st.lists(st.integers()), st.uuids()), max_size=8
    )
)
def test_every_answer_is_valid_json(results: list[Any]) -> None:
    for reply in JsonOutput().encode(results, [None] * len(results)):
        assert not reply.error
        json.loads(reply.body, parse_constant=pytest.fail)
    assert bodies([uuid.UUID(int=1)]) == ["00000000-0000-0000-0000-000000000001"]


class TestTables:
    pandas = pytest.importorskip("pandas")

    def frame(self) -> Any:
        return self.pandas.DataFrame({"a": [1, 2, 3], "b": ["x\n1", None, 'q"']})

    def test_records_of_each_item(self) -> None:
        found = bodies(self.frame(), [1, 2], DataframeOutput())
        assert found == [[{"a": 1, "b": "x\n1"}], [{"a": 2, "b": None}, {"a": 3, "b": 'q"'}]]

    @pytest.mark.parametrize("orient", ["records", "columns", "values", "split", "index"])
    def test_a_slice_is_written_as_if_it_were_alone(self, orient: str) -> None:
        adapter = DataframeOutput(output_orient=orient)
        together = adapter.encode(self.frame(), [1, 1, 1])
        for i, reply in enumerate(together):
            alone = adapter.encode(self.frame().iloc[i : i + 1].reset_index(drop=True), [1])[0]
            assert reply == alone

    def test_an_index_of_the_user_is_kept(self) -> None:
        frame = self.pandas.DataFrame({"a": [1, 2]}, index=["r", "s"])
        assert bodies(frame, [1, 1], DataframeOutput("index")) == [{"r": {"a": 1}}, {"s": {"a": 2}}]

    def test_default_output_looks_at_every_call(self) -> None:
        output = DefaultOutput()
        assert bodies([1, 2], None, output) == [1, 2]
        assert bodies(self.frame()["a"], [3], output) == [[{"a": 1}, {"a": 2}, {"a": 3}]]
        assert bodies([{"x": 1}], None, output) == [{"x": 1}]

    def test_a_frame_of_a_single_api(self) -> None:
        client = make_client(lambda self, value: TestTables().frame(), JsonInput(), batch=False)
        assert client.post("/predict", json=1).json()[0] == {"a": 1, "b": "x\n1"}

    def test_content_type_is_json(self) -> None:
        client = make_client(lambda self, df: df, DataframeInput(), output=DataframeOutput())
        for answer in send_all(client, [Request.build(json=[{"a": 1}]), Request.build(json=[{"a": 2}])]):
            assert answer.headers["content-type"] == "application/json"

    def test_wrong_orient(self) -> None:
        with pytest.raises(AssertionError, match="output_orient"):
            DataframeOutput(output_orient="rows")

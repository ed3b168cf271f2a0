"""`max_batch_rows` as workers keep to it: no call has more rows, and no answer changes by that."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any

import pytest
from contracts.probe import make_service
from hypothesis import given, settings
from hypothesis import strategies as st

import bentoml
from bentoml.adapters import DataframeInput, JsonInput
from bentoml.exceptions import InvalidArgument
from bentoml.inference.pipeline import Pipeline
from bentoml.inference.row_spans import spans
from bentoml.types import Payload, RequestHead

HEAD = RequestHead.build({"Content-Type": "application/json"})


def payloads(sizes: Sequence[int]) -> list[Payload]:
    tables = [[{"a": 100 * i + k} for k in range(size)] for i, size in enumerate(sizes)]
    return [Payload(json.dumps(table).encode(), HEAD) for table in tables]


def recording(calls: list[int]) -> Any:
    def double(self: Any, frame: Any) -> Any:
        calls.append(len(frame))
        return (frame["a"] * 2).tolist()

    return double


@given(st.lists(st.integers(0, 30), max_size=40), st.integers(1, 25))
def test_spans_cover_everything_once_and_fit(rows: list[int], most: int) -> None:
    found = list(spans(rows, most))
    assert [i for start, end in found for i in range(start, end)] == list(range(len(rows)))
    for start, end in found:
        assert end - start == 1 or sum(rows[start:end]) <= most
    for (start, _), (_, end) in itertools.pairwise(found):
        assert sum(rows[start:end]) > most, "two parts that would have fitted into one call"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=20), st.integers(1, 20))
def test_calls_are_within_the_limit_and_answers_are_the_same(sizes: list[int], most: int) -> None:
    calls: list[int] = []
    service = make_service(recording(calls), DataframeInput(), max_batch_rows=most)
    pipeline = Pipeline(service.inference_apis[0])
    replies = pipeline.run(payloads(sizes))
    assert [json.loads(reply.body) for reply in replies] == [
        [2 * (100 * i + k) for k in range(size)] for i, size in enumerate(sizes)
    ]
    assert sum(calls) == sum(sizes) == pipeline.last_times.rows
    assert max(calls) <= max(most, *sizes)


def test_an_operator_may_set_another_limit() -> None:
    calls: list[int] = []
    api = make_service(recording(calls), DataframeInput(), max_batch_rows=100).inference_apis[0]
    Pipeline(api, None, 4).run(payloads([2, 2, 2]))
    assert calls == [4, 2]


def test_a_bad_item_fails_alone_in_its_part() -> None:
    def picky(self: Any, frame: Any) -> Any:
        if 100 in list(frame["a"]):
            raise ValueError("no")
        return frame["a"].tolist()

    api = make_service(picky, DataframeInput(), max_batch_rows=4).inference_apis[0]
    replies = Pipeline(api).run([*payloads([2, 2, 2]), Payload(b"{", HEAD)])
    assert [reply.head.status for reply in replies] == [200, 500, 200, 400]


def test_items_that_are_one_row_each_are_counted_so() -> None:
    sizes: list[int] = []

    def count(self: Any, values: Any) -> Any:
        sizes.append(len(values))
        return values

    api = make_service(count, JsonInput(), max_batch_rows=3).inference_apis[0]
    Pipeline(api).run([Payload(b"1", HEAD)] * 8)
    assert sizes == [3, 3, 2]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch": False, "max_batch_rows": 5}, "needs batch=True"),
        ({"batch": True, "max_batch_rows": 0}, "whole number of rows above 0"),
        ({"batch": True, "max_batch_rows": 2.5}, "whole number of rows above 0"),
        ({"batch": True, "max_batch_rows": True}, "whole number of rows above 0"),
        ({"batch": True, "max_batch_row": 5}, "max_batch_rows"),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_is_written(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):

        @bentoml.api(input=DataframeInput(), **options)
        def predict(self: Any, frame: Any) -> Any:
            return frame

"""Does the check find answers that depend on their neighbours, and nothing else?"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from contracts.probe import make_service
from hypothesis import given
from hypothesis import strategies as st

from bentoml.adapters import DataframeInput, JsonInput, StringInput
from bentoml.exceptions import InvalidArgument
from bentoml.inference.answer_diff import Tolerance, difference
from bentoml.inference.cli_check import run_check
from bentoml.testing import check_batching
from bentoml.types import Payload, Reply, ReplyHead, RequestHead

ROWS = [[1.0, 2.0], [3.0, 5.0], [-1.0, 0.5], [8.0, 8.0], [0.0, 0.25]]


def sums(self: Any, rows: Any) -> Any:
    return [sum(row) for row in rows]


def centred(self: Any, rows: Any) -> Any:
    """The mistake: the mean is the batch's."""
    mean = sum(map(sum, rows)) / len(rows)
    return [sum(row) - mean for row in rows]


def check(func: Any, inputs: list[Any] = ROWS, adapter: Any = None, **options: Any) -> Any:
    return check_batching(make_service(func, adapter or JsonInput()), "predict", inputs, **options)


def test_a_good_function_passes() -> None:
    report = check(sums)
    assert report.ok
    assert report.compared == 5
    assert max(report.batches) == 5
    assert len(report.batches) >= 5


def test_answers_that_depend_on_the_batch_are_found_with_one_neighbour() -> None:
    report = check(centred)
    assert not report.ok
    assert [finding.item for finding in report.findings] == [0, 1, 2, 3, 4]
    assert all(len(finding.batch) == 2 for finding in report.findings)
    assert report.findings[0].alone.body == b"0.0"


def test_only_the_items_that_are_disturbed_are_named() -> None:
    def padded(self: Any, rows: Any) -> Any:
        longest = max(map(len, rows))
        return [len(row) if len(row) < 3 else longest for row in rows]

    report = check(padded, [[1], [1, 2, 3], [1, 2, 3, 4]])
    assert [finding.item for finding in report.findings] == [1]
    assert set(report.findings[0].batch) == {1, 2}


def test_results_in_another_order_are_found() -> None:
    report = check(lambda self, rows: sorted(map(sum, rows)))
    assert not report.ok


def test_a_function_that_raises_only_in_a_batch_is_found() -> None:
    def fragile(self: Any, rows: Any) -> Any:
        if len({len(row) for row in rows}) > 1:
            raise ValueError("rows of different length")
        return [len(row) for row in rows]

    report = check(fragile, [[1], [1, 2]])
    assert [finding.where for finding in report.findings] == ["status 200 and 500"] * 2


def test_items_that_are_errors_alone_are_left_out() -> None:
    report = check(sums, [b"[1, 2", [1], [2], ["x"]])
    assert sorted(report.failing) == [0, 3]
    assert report.ok
    assert report.compared == 2


def test_a_function_without_a_fixed_seed_is_not_blamed_on_batches() -> None:
    numbers = itertools.count()
    report = check(lambda self, rows: [next(numbers) for _ in rows])
    assert not report.ok
    assert report.findings == ()
    assert report.unsteady == (0, 1, 2, 3, 4)


@pytest.mark.parametrize(
    ("tolerance", "ok"), [(None, True), (0, False), (1e-3, True), (1e-9, False)], ids=str
)
def test_tolerance(tolerance: float | None, ok: bool) -> None:
    def noisy(self: Any, rows: Any) -> Any:
        return [sum(row) + 10 + 1e-6 * len(rows) for row in rows]

    assert check(noisy, tolerance=tolerance).ok is ok


def test_batches_are_no_larger_than_asked() -> None:
    report = check(sums, [[i] for i in range(20)], batch_size=3)
    assert max(report.batches) == 3
    service = make_service(sums, JsonInput(), mb_max_batch_size=4)
    assert max(check_batching(service, "predict", [[i] for i in range(20)]).batches) == 4


def test_async_functions_and_hooks_work() -> None:
    async def sums_later(self: Any, rows: Any) -> Any:
        return [sum(row) for row in rows]

    assert check(sums_later).ok


def test_what_cannot_be_checked() -> None:
    with pytest.raises(InvalidArgument, match="at least two"):
        check(sums, [[1]])
    with pytest.raises(InvalidArgument, match="batch=False"):
        check_batching(make_service(sums, JsonInput(), batch=False), "predict", ROWS)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def reply(value: Any) -> Reply:
    import json

    return Reply(ReplyHead(), json.dumps(value).encode())


@given(JSON_VALUES)
def test_an_answer_is_the_same_as_itself(value: Any) -> None:
    assert difference(reply([value]), reply([value]), Tolerance(0, 0)) is None
    assert difference(reply({"b": 1, "a": value}), reply({"a": value, "b": 1}), Tolerance(0, 0)) is None


@pytest.mark.parametrize(
    ("one", "other", "where"),
    [
        ({"a": [1, 2]}, {"a": [1, 3]}, "$.a[1]: 2 and 3"),
        ([1], [1.0], "$[0]: 1 and 1.0"),
        ([1, 2], [1], "$[1]: 2 and nothing"),
        ({"a": 1}, {}, "$.a: 1 and nothing"),
        (True, 1, "$: true and 1"),
        ("x", "y", '$: "x" and "y"'),
    ],
    ids=["nested", "kind", "length", "key", "bool", "text"],
)
def test_where_answers_differ(one: Any, other: Any, where: str) -> None:
    assert difference(reply(one), reply(other), Tolerance()) == where


def test_bytes_and_heads_differ_too() -> None:
    picture = ReplyHead(200, "image/png")
    assert difference(Reply(picture, b"\x89a"), Reply(picture, b"\x89b"), Tolerance()) == "the bodies differ"
    assert (
        difference(Reply(picture, b"1"), Reply(ReplyHead(), b"1.0"), Tolerance())
        == "the header fields differ"
    )


# the command


def command(adapter: Any, func: Any, *argv: str, **options: Any) -> int:
    return run_check(make_service(func, adapter, **options).inference_apis[0], list(argv))


def test_the_report_of_a_good_function(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(StringInput(), lambda self, texts: list(map(len, texts)), "--input", "a", "bb", "ccc") == 0
    out = capsys.readouterr().out
    assert "3 items" in out
    assert "OK: each of 3 items has the same answer" in out


def test_the_report_names_the_item_and_both_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = []
    for i, row in enumerate(ROWS):
        files.append(tmp_path / f"{i}.json")
        files[-1].write_text(str(row))
    assert command(JsonInput(), centred, "--input-file", *map(str, files)) == 1
    out = capsys.readouterr().out
    assert "item 3 (3.json): the answer depends on the batch ($: 0.0 and" in out
    assert "alone:      200 0.0" in out
    assert "with:       item" in out
    assert "FAILED: 5 of 5 items" in out


@pytest.mark.parametrize("orient", [None, "records", "columns", "values", "split", "index"])
def test_rows_of_a_table_are_items(
    orient: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pandas")
    (tmp_path / "x.csv").write_text("a,b\n1,2.5\n3,\n5,7\n")
    given = ("--input-file", str(tmp_path / "x.csv"), "--format", "csv")
    seen: list[Any] = []

    def total(self: Any, frame: Any) -> Any:
        seen.append([str(dtype) for dtype in frame.dtypes])
        return frame.fillna(0).sum(axis=1).to_numpy()

    def scaled(self: Any, frame: Any) -> Any:
        return (frame / frame.max()).fillna(0).sum(axis=1).to_numpy()

    assert command(DataframeInput(orient=orient), total, *given) == 0, capsys.readouterr()
    assert {tuple(kinds) for kinds in seen} == {("int64", "float64")}
    assert command(DataframeInput(orient=orient), scaled, *given) == 1
    assert "item 0 (row 0)" in capsys.readouterr().out


def test_wrong_flags_and_too_little_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(JsonInput(), sums, "--input", "[1]", "--batch-size", "1") == 2
    assert command(JsonInput(), sums, "--input", "[1]") == 1
    assert "at least two" in capsys.readouterr().err


def test_payloads_are_taken_as_they_are() -> None:
    head = RequestHead.build({"Content-Type": "text/plain"})
    report = check(lambda self, texts: texts, [Payload(b"a", head), Payload(b"b", head)], StringInput())
    assert report.ok

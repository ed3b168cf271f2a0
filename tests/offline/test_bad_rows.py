"""A bad row costs itself: it is written down with number and reason, and the others are right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas
import pytest
from contracts.probe import make_service

from bentoml import offline
from bentoml.adapters import DataframeInput, JsonInput
from bentoml.offline.sources.base import Wanted
from bentoml.offline.sources.csv import CsvSource
from bentoml.types import InferenceError


def bad_rows(summary: Any) -> dict[int, str]:
    lines = [json.loads(line) for line in summary.bad_rows.read_text().splitlines()]
    return {line["row"]: line["reason"] for line in lines}


@pytest.mark.parametrize("batch_size", [None, 1, 7, 1000])
def test_the_same_rows_fail_however_batches_are_cut(
    batch_size: int | None, service: Any, tmp_path: Path
) -> None:
    frame = pandas.DataFrame({"a": range(300), "b": 0.5})
    done = offline.run(
        service, "no_sevens", frame, tmp_path / "out.csv", batch_size=batch_size, keep=["a"], progress=False
    )
    assert list(bad_rows(done)) == [a + 1 for a in range(300) if a % 10 == 7]
    assert set(bad_rows(done).values()) == {"Exception happened in API function: a seven"}
    found = pandas.read_csv(tmp_path / "out.csv")
    assert found["a"].tolist() == [a for a in range(300) if a % 10 != 7]
    assert found["prediction"].tolist() == [2 * a + 0.5 for a in range(300) if a % 10 != 7]


def test_bad_lines_of_csv(service: Any, tmp_path: Path) -> None:
    good = "".join(f"{i},{i}\n" for i in range(3000))
    text = f"a,b\n{good}1,x\n1\n1,2,3\n\n4,5.5\n6,\n"
    (tmp_path / "in.csv").write_bytes(text.encode() + b"\xff,1\n7,8\n")
    source = CsvSource(str(tmp_path / "in.csv"), Wanted(), ",", chunk_bytes=4096)
    done = offline.run(service, "total", source, tmp_path / "out.csv", progress=False)
    assert (done.rows, done.failed) == (3_007, 4)
    assert bad_rows(done) == {
        3_001: "column 'b': 'x' is not a valid number",
        3_002: "1 fields; the header has 2",
        3_003: "3 fields; the header has 2",
        3_006: "the row is not UTF-8",
    }
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[-3:] == ["13.5", "", "22.0"]


def test_bad_lines_of_json(service: Any, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(
        '{"a": 1, "b": 2}\n{bad\n[1]\n\n{"a": "x", "b": 1}\n{"b": 1, "a": 2.5}\n'
    )
    done = offline.run(service, "total", tmp_path / "in.jsonl", tmp_path / "out.jsonl", progress=False)
    assert list(bad_rows(done)) == [2, 3, 4]
    assert bad_rows(done)[4] == "column 'a': 'x' is not a valid number"
    assert (tmp_path / "out.jsonl").read_text() == '{"prediction":4.0}\n{"prediction":6.0}\n'
    done = offline.run(service, "objects", tmp_path / "in.jsonl", tmp_path / "out.jsonl", progress=False)
    assert bad_rows(done)[2].startswith("Not a valid JSON format")


def test_declared_types_find_bad_values(tmp_path: Path) -> None:
    def add(self: Any, df: Any) -> Any:
        assert str(df["zip"].dtype) in ("str", "object")
        return df["zip"] + "-" + df["n"].astype(str)

    service = make_service(add, DataframeInput(dtype={"zip": str, "n": "int16"}))
    (tmp_path / "in.csv").write_text("zip,n\n00123,1\n4,two\n5,99999\n6,3\n")
    done = offline.run(service, "predict", tmp_path / "in.csv", tmp_path / "out.csv", progress=False)
    assert (tmp_path / "out.csv").read_text() == "prediction\n00123-1\n6-3\n"
    assert bad_rows(done) == {
        2: "column 'n': 'two' is not a valid int16",
        3: "column 'n': 99999 is not a valid int16",
    }


def test_errors_that_user_code_builds() -> None:
    def check(self: Any, rows: Any) -> Any:
        return [InferenceError(err_msg="odd", http_status=400) if r["a"] % 2 else r["a"] for r in rows]

    frame = pandas.DataFrame({"a": range(6)})
    done = offline.run(make_service(check, JsonInput()), "predict", frame, progress=False)
    assert (done.failed, done.table["prediction"].to_pylist()) == (3, [0, 2, 4])


def test_too_many_errors_end_the_run(service: Any, tmp_path: Path) -> None:
    frame = pandas.DataFrame({"a": range(1000), "b": 1})
    with pytest.raises(offline.TooManyErrors, match="more than --max-errors 5"):
        offline.run(service, "no_sevens", frame, tmp_path / "o.csv", max_errors=5, progress=False)
    done = offline.run(service, "no_sevens", frame, tmp_path / "o.csv", max_errors=100, progress=False)
    assert done.failed == 100


def test_a_result_of_another_length_ends_the_run() -> None:
    service = make_service(lambda self, df: [1, 2], DataframeInput())
    with pytest.raises(Exception, match="it got 6 rows and returned 2 results"):
        offline.run(service, "predict", pandas.DataFrame({"a": range(6)}), progress=False)

"""Parquet and Arrow bodies: the same tables as from JSON, bounded, whatever the bytes say."""

from __future__ import annotations

import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from contracts import served
from contracts.probe import echo, make_client, make_service, send, send_all
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bentoml.adapters import DataframeInput, DecodeLimits, ParquetInput
from bentoml.testing import Request

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
pandas = pytest.importorskip("pandas")

PARQUET, STREAM, FILE = (
    f"application/vnd.apache.{kind}" for kind in ("parquet", "arrow.stream", "arrow.file")
)


def parquet(table: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def stream(table: Any, compression: str | None = None, *, file: bool = False) -> bytes:
    out = io.BytesIO()
    make = pa.ipc.new_file if file else pa.ipc.new_stream
    with make(out, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table)
    return out.getvalue()


def bodies(table: Any) -> list[bytes]:
    return [
        parquet(table),
        parquet(table, compression="none", use_dictionary=False, data_page_version="2.0"),
        parquet(table, compression="zstd", row_group_size=1),
        parquet(table, compression="gzip"),
        *(stream(table, packing, file=file) for packing in (None, "lz4", "zstd") for file in (False, True)),
    ]


def client(**options: Any) -> Any:
    return make_client(served.frame, DataframeInput(**options))


CELLS = {
    "i": st.integers(-(2**63), 2**63 - 1),
    "f": st.floats(allow_nan=False, allow_infinity=False),
    "b": st.booleans(),
    "s": st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    "n": st.none() | st.integers(-9, 9),
    "t": st.none() | st.text("ab", max_size=2),
}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.fixed_dictionaries(CELLS), min_size=1, max_size=5))
def test_a_table_is_what_the_same_json_is(rows: list[dict[str, Any]]) -> None:
    rows = [{name: row[name] for name in CELLS} for row in rows]
    types = (pa.int64(), pa.float64(), pa.bool_(), pa.string(), pa.int64(), pa.string())
    table = pa.Table.from_pylist(rows, schema=pa.schema(list(zip(CELLS, types, strict=True))))
    probe = client()
    expected = probe.post("/predict", json=rows)
    assert expected.status_code == 200
    for body in (parquet(table), stream(table, "zstd")):
        assert probe.post("/predict", data=body).json() == expected.json()


def test_every_way_of_writing_is_read() -> None:
    table = pa.table({"a": [1, 2, 3], "b": ["x", "ä", None], "c": [0.5, None, 2.0]})
    expected = client().post("/predict", json=table.to_pylist()).json()
    for body in bodies(table):
        for kind in ("", "application/octet-stream", "application/x-www-form-urlencoded"):
            assert send(client(), body, kind).json() == expected
    upload = client().post("/predict", files={"any": ("t.parquet", parquet(table))})
    assert upload.json() == expected
    assert send(client(), parquet(table), "application/x-parquet").json() == expected


def test_types_that_json_has_not_are_kept() -> None:
    table = pa.table(
        {
            "small": pa.array([1, 2], pa.int8()),
            "float": pa.array([1.5, None], pa.float32()),
            "big": pa.array([2**64 - 1, 0], pa.uint64()),
            "time": pa.array([datetime(2026, 1, 2), None], pa.timestamp("us")),
            "zone": pa.array([datetime(2026, 1, 2), None], pa.timestamp("us", "UTC")),
            "word": pa.array(["x", None]).dictionary_encode(),
            "list": [[1], []],
            "truth": pa.array([True, None]),
            "bytes": [b"\xff", None],
        }
    )
    kinds = client().post("/predict", data=parquet(table)).json()[0][1]
    assert kinds[:5] == ["int8", "float32", "uint64", "datetime64[us]", "datetime64[us, UTC]"]
    assert kinds[6:] == ["object", "object", "object"]
    assert client().post("/predict", data=stream(table)).json()[0][1] == kinds


def test_json_and_arrow_of_one_type_share_a_call() -> None:
    calls: list[int] = []

    def note(self: Any, df: Any) -> Any:
        calls.append(len(df))
        return df["a"].tolist()

    table = pa.table({"a": [1, 2], "b": ["x", "y"]})
    time = pa.table({"a": [1], "b": pa.array([0], pa.timestamp("s"))})
    requests = [
        Request.build(json=[{"a": 5, "b": "z"}]),
        *(Request.build(data=body) for body in (parquet(table), stream(table), stream(time), parquet(time))),
    ]
    answers = send_all(make_client(note, DataframeInput()), requests)
    assert [answer.json() for answer in answers] == [[5], [1, 2], [1, 2], [1], [1]]
    assert sorted(calls) in ([1, 1, 5], [2, 5])  # Parquet keeps seconds as milliseconds


def test_B76_B77_columns_are_found_by_name() -> None:
    probe = client(columns=["a", "b"])
    swapped = pa.table({"b": ["x"], "more": [0], "a": [1]})
    assert probe.post("/predict", data=parquet(swapped)).json() == [[["a", "b"], ["int64", "str"], [1, "x"]]]
    missing = probe.post("/predict", data=parquet(pa.table({"a": [1]})))
    assert (missing.status_code, "'b'" in missing.text) == (400, True)
    double = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    assert client().post("/predict", data=stream(double)).status_code == 400


def test_B80_declared_types_hold() -> None:
    probe = client(dtype={"a": "int32", "b": "str"})
    fits = pa.table({"a": [1.0, 2.0], "b": [7, 8]})
    assert probe.post("/predict", data=stream(fits)).json()[1] == [["a", "b"], ["int32", "str"], [2, "8"]]
    for values in ([1.5], [2**40], [None], ["x"]):
        answer = probe.post("/predict", data=stream(pa.table({"a": values, "b": ["y"]})))
        assert (answer.status_code, "'a'" in answer.text) == (400, True), values


def test_an_index_of_pandas_is_no_column() -> None:
    out = io.BytesIO()
    pandas.DataFrame({"a": [1, 2]}, index=["x", "y"]).to_parquet(out)
    assert client().post("/predict", data=out.getvalue()).json()[0][0] == ["a"]


def test_B79_tables_without_rows_or_columns() -> None:
    for table in (pa.table({"a": pa.array([], pa.int64())}), pa.table({})):
        for body in bodies(table):
            assert client().post("/predict", data=body).status_code == 400


def big_tables() -> list[tuple[str, bytes]]:
    text = "a" * 100_000
    packed = {"compression": "zstd", "use_dictionary": False}
    many = pa.table({f"c{i}": pa.nulls(400_000, pa.int64()) for i in range(60)})
    lists = pa.table({"x": [[0] * 12_000_000]})
    repeated = pa.table({"x": pa.array([text] * 1000).dictionary_encode()})
    return [
        ("words of a dictionary", parquet(pa.table({"x": [text] * 1000}), compression="zstd")),
        ("pages", parquet(pa.table({"x": [text] * 1000}), **packed)),
        ("buffers", stream(pa.table({"x": [text] * 1000}), "zstd")),
        ("words of an arrow dictionary", stream(repeated)),
        ("cells", parquet(many)),
        ("nested values", parquet(lists, compression="zstd")),
        ("nested values of a stream", stream(pa.table({"x": [[0] * 12_000_000]}), "zstd")),
        ("rows", parquet(pa.table({"x": pa.nulls(1_000_001, pa.int8())}))),
        ("columns", stream(pa.table({f"c{i}": [0] for i in range(17_000)}), "zstd")),
    ]


@pytest.mark.parametrize(("what", "body"), [pytest.param(*case, id=case[0]) for case in big_tables()])
def test_B82_what_unfolds_beyond_the_limit_is_refused(what: str, body: bytes) -> None:
    assert len(body) < 3_000_000
    answer = client().post("/predict", data=body)
    assert answer.status_code == 413, answer.text


def test_B82_the_limit_is_configurable() -> None:
    table = pa.table({"x": list(range(3000))})
    small = make_client(served.frame, DataframeInput(), limits=DecodeLimits(table_rows=2999))
    assert small.post("/predict", data=parquet(table)).status_code == 413
    assert client().post("/predict", data=parquet(table)).status_code == 200


def test_repeating_types_are_refused() -> None:
    ends = pa.RunEndEncodedArray.from_arrays(pa.array([1000], pa.int32()), pa.array(["x"]))
    views = pa.array(["x"], pa.string_view())
    for array in (ends, views):
        answer = client().post("/predict", data=stream(pa.table({"x": array})))
        assert (answer.status_code, "not read" in answer.text) == (400, True)
    delta = parquet(
        pa.table({"x": ["abc", "abd"]}), use_dictionary=False, column_encoding={"x": "DELTA_BYTE_ARRAY"}
    )
    assert client().post("/predict", data=delta).status_code == 400


SAMPLES = bodies(pa.table({"a": [1, 2, 3], "b": ["x", "yy", None], "c": [[1], [], [2, 3]]}))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damaged_bodies_cost_their_request_only(data: st.DataObject) -> None:
    body = bytearray(data.draw(st.sampled_from(SAMPLES)))
    if data.draw(st.booleans()):
        del body[data.draw(st.integers(4, len(body))) :]
    for _ in range(data.draw(st.integers(0, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    good = Request.build(data=SAMPLES[0])
    answers = send_all(client(), [good, Request.build(data=bytes(body)), good])
    assert [answers[0].status_code, answers[2].status_code] == [200, 200]
    assert answers[1].status_code in (200, 400, 413)


def test_cli_and_tasks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from bentoml.inference.cli_run import run_cli

    def with_tasks(self: Any, df: Any, tasks: Any) -> Any:
        assert all(type(task.data) is bytes for task in tasks)
        return df["a"].tolist()

    table = pa.table({"a": [1, 2]})
    for function in (lambda self, df: df["a"].tolist(), with_tasks):
        api = make_service(function, DataframeInput()).inference_apis[0]
        for kind, body in (("parquet", parquet(table)), ("arrow", stream(table))):
            (tmp_path / "t").write_bytes(body)
            assert run_cli(api, ["--input-file", str(tmp_path / "t"), "--format", kind]) == 0
            assert json.loads(capsys.readouterr().out) == [1, 2]


def test_parquet_input_takes_nothing_else() -> None:
    probe = make_client(echo, ParquetInput())
    for body, kind in ((b"[[1]]", "application/json"), (b"a\n1\n", "text/csv"), (b"", "")):
        assert send(probe, body, kind).status_code == 400
    assert set(ParquetInput().openapi_content()) == {PARQUET, STREAM, "multipart/form-data"}
    assert ParquetInput().pip_dependencies == ["pandas", "pyarrow"]


def test_without_pyarrow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    body = parquet(pa.table({"a": [1]}))
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    answer = client().post("/predict", data=body)
    assert answer.status_code == 500 and "pip install 'bentoml[arrow]'" in answer.text

"""The contract suite for each input adapter."""

# ruff: noqa: RUF012 - the contract declares these as class variables
from __future__ import annotations

import gzip
import importlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from contracts import served
from contracts.adapter_contract import InputAdapterContract
from hypothesis import strategies as st

from bentoml.testing import Request


def as_json(value: Any) -> Request:
    return Request.build(json=value)


class TestStringInput(InputAdapterContract):
    MODULE = "bentoml.adapters.string_input"
    CLASS = "StringInput"

    FUNCTION = served.text
    SERVED = "text"
    EXAMPLES = [({}, "some text"), ({}, {"a": 1})]

    def requests(self) -> st.SearchStrategy[Request]:
        made = (st.text() | st.binary()).map(lambda body: Request.build(data=body))
        return made | super().requests()

    def good(self) -> list[Request]:
        return [
            Request.build(data="plain"),
            Request.build(data="grüße 🎉"),
            Request.build(
                data="caf\xe9".encode("latin-1"), headers={"Content-Type": "text/plain; charset=latin-1"}
            ),
            Request.build(data=gzip.compress(b"packed"), headers={"Content-Encoding": "gzip"}),
            Request.build(files={"any": ("a.txt", "file text", "text/plain")}),
            Request.build(data="x" * 3000),
            Request.build(data='a\r\n"b"\x00'),
        ]

    def bad(self) -> list[Request]:
        return [
            Request.build(data=b"caf\xe9"),
            Request.build(data=b"no gzip", headers={"Content-Encoding": "gzip"}),
        ]


class TestJsonInput(InputAdapterContract):
    MODULE = "bentoml.adapters.json_input"
    CLASS = "JsonInput"

    FUNCTION = served.json_value
    SERVED = "json_value"
    EXAMPLES = [({}, {"a": 1}), ({}, [1, 2]), ({}, "text"), ({"schema": list[int]}, [1, 2])]

    def requests(self) -> st.SearchStrategy[Request]:
        leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
        values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
        return values.map(lambda value: Request.build(data=json.dumps(value))) | super().requests()

    def good(self) -> list[Request]:
        values = [{"a": [1, 2.5, None]}, [1, 2], "text", 3, None, True, 2**70, {"größe": "🎉"}, [[]] * 300]
        requests = [
            Request.build(data=json.dumps(v), headers={"Content-Type": "application/json"}) for v in values
        ]
        packed = Request.build(data=gzip.compress(b"[1]"), headers={"Content-Encoding": "gzip"})
        return [*requests, packed, Request.build(files={"f": ("a.json", "{}", "application/json")})]

    def bad(self) -> list[Request]:
        bodies = [b"{bad", b"", b"[0]]", b"[1", b'"\xff"', b"NaN", b"[" * 200 + b"]" * 200]
        return [Request.build(data=body) for body in bodies]


def tables_as_inputs(self: Any, folder: Path) -> Iterator[tuple[Any, str | None, list[Request]]]:
    """Files of tables that an offline run reads by their ending, and a table that is in memory."""
    arrow = pytest.importorskip("pyarrow")
    frame = pytest.importorskip("pandas").DataFrame(
        {"a": [1, 2, 3], "b": [0.5, None, -2.0], "c": ["x", 'ä,"', None], "d": [True, False, True]}
    )
    table, out = arrow.Table.from_pandas(frame, preserve_index=False), io.BytesIO()
    importlib.import_module("pyarrow.parquet").write_table(table, out)
    parquet = Request.build(data=out.getvalue())
    (folder / "in.parquet").write_bytes(parquet.body)
    with arrow.ipc.new_file(str(folder / "in.arrow"), table.schema) as writer:
        writer.write_table(table)
    yield folder / "in.parquet", None, [parquet]
    yield folder / "in.arrow", None, [parquet]
    yield frame, None, [parquet]
    if self.CLASS == "DataframeInput":
        frame.to_csv(folder / "in.csv", index=False)
        csv = Request.build(data=(folder / "in.csv").read_bytes(), headers={"Content-Type": "text/csv"})
        yield folder / "in.csv", None, [csv]
        frame.to_json(folder / "in.jsonl", orient="records", lines=True, force_ascii=False)
        rows = [json.loads(line) for line in (folder / "in.jsonl").read_text("utf-8").splitlines()]
        yield folder / "in.jsonl", None, [as_json(rows)]


def rows_of_answers(self: Any, answers: list[Any]) -> list[Any]:
    return [row for answer in answers for row in answer.json()]


class TestDataframeInput(InputAdapterContract):
    MODULE = "bentoml.adapters.dataframe_input"
    CLASS = "DataframeInput"
    SINGLE = False

    offline_inputs = tables_as_inputs
    results_of = rows_of_answers

    FUNCTION = served.frame
    SERVED = "frame"
    TYPED = {"columns": ["a", "b"], "dtype": {"a": "int64", "b": "str"}}
    EXAMPLES = [
        ({}, [[5.1, 3.5]]),
        ({}, {"a": [1, 2]}),
        (TYPED, [{"a": 1, "b": "x"}]),
        (TYPED, {"a": [1], "b": ["x"]}),
        (TYPED, [[1, "x"]]),
        ({**TYPED, "orient": "columns"}, {"a": {"0": 1}, "b": {"0": "x"}}),
        ({**TYPED, "orient": "split"}, {"columns": ["a", "b"], "index": [0], "data": [[1, "x"]]}),
        ({**TYPED, "orient": "index"}, {"7": {"a": 1, "b": "x"}}),
        ({"columns": ["a"], "dtype": "float64"}, [{"a": 1.5}]),
    ]

    def requests(self) -> st.SearchStrategy[Request]:
        cells = (
            st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.floats(-9, 9) | st.text(max_size=2)
        )
        rows = st.lists(st.lists(cells, min_size=2, max_size=2), min_size=1, max_size=3)
        tables = rows | rows.map(lambda found: [dict(zip("ab", row, strict=True)) for row in found])
        return tables.map(as_json) | super().requests()

    def good(self) -> list[Request]:
        return [
            as_json([[5.1, 3.5, 1.4, 0.2]]),
            as_json([[5, 3, 1, 0], [1, 2, 3, 4]]),
            as_json([{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]),
            as_json([{"b": "x", "a": 1}]),
            as_json([{"a": 1.5, "b": None}]),
            as_json([{"a": None, "b": None}]),
            as_json({"a": [True, False], "b": [[1], {"c": 2}]}),
            as_json({"columns": ["b", "a"], "index": [7], "data": [["z", 2**70]]}),
        ]

    def bad(self) -> list[Request]:
        values = [[], {}, [{}], [[]], 5, [1, 2], [[1], [1, 2]], [{"a": 1}, {"b": 1}], {"a": [1], "b": []}]
        csv = Request.build(data="a,b\n1\n", headers={"Content-Type": "text/csv"})
        return [Request.build(data=json.dumps(v)) for v in values] + [csv, Request.build(data="{bad")]


class TestParquetInput(InputAdapterContract):
    MODULE = "bentoml.adapters.parquet_input"
    CLASS = "ParquetInput"
    FUNCTION = served.frame
    SERVED = "parquet"
    SINGLE = False

    offline_inputs = tables_as_inputs
    results_of = rows_of_answers

    def good(self) -> list[Request]:
        arrow = pytest.importorskip("pyarrow")
        found = []
        for columns in ({"a": [1, 2], "b": ["x", None]}, {"a": [1.5]}, {"b": ["ä"], "a": [3]}):
            table, out = arrow.table(columns), io.BytesIO()
            importlib.import_module("pyarrow.parquet").write_table(table, out)
            found.append(Request.build(data=out.getvalue()))
            out = io.BytesIO()
            with arrow.ipc.new_stream(out, table.schema) as writer:
                writer.write_table(table)
            kind = {"Content-Type": "application/vnd.apache.arrow.stream"}
            found.append(Request.build(data=out.getvalue(), headers=kind))
        return found

    def bad(self) -> list[Request]:
        whole = self.good()[0].body
        return [
            Request.build(data=body) for body in (b"", b"[[1]]", b"PAR1", whole[:-9], whole[:40] + whole[60:])
        ]


class TestFileInput(InputAdapterContract):
    MODULE = "bentoml.adapters.file_input"
    CLASS = "FileInput"

    FUNCTION = served.file
    SERVED = "file"

    def requests(self) -> st.SearchStrategy[Request]:
        made = st.binary(max_size=200).map(lambda body: Request.build(data=body))
        forms = st.binary(max_size=200).map(lambda body: Request.build(files={"f": ("a", body)}))
        return made | forms | super().requests()

    def good(self) -> list[Request]:
        return [
            Request.build(data=b"\x00\xff" * 50),
            Request.build(data=b"{}", headers={"Content-Type": "application/json"}),
            Request.build(data=gzip.compress(b"zip"), headers={"Content-Encoding": "gzip"}),
            Request.build(files={"any_name": ("a.bin", b"\xff\r\n--", "application/pdf")}),
        ]

    def bad(self) -> list[Request]:
        form = Request.build(files={"a": ("a", b"1"), "b": ("b", b"2")})
        return [Request.build(data=b""), form]


class TestImageInput(InputAdapterContract):
    MODULE = "bentoml.adapters.image_input"
    CLASS = "ImageInput"

    FUNCTION = served.image
    SERVED = "image"

    def ending(self, request: Request) -> str:
        return ".png"

    def picture(self, size: tuple[int, int], colour: tuple[int, int, int], kind: str) -> bytes:
        image = pytest.importorskip("PIL.Image")
        out = io.BytesIO()
        image.new("RGB", size, colour).save(out, kind)
        return out.getvalue()

    def requests(self) -> st.SearchStrategy[Request]:
        sizes = st.tuples(st.integers(1, 4), st.integers(1, 4))
        colours = st.tuples(*[st.integers(0, 255)] * 3)
        kinds = st.sampled_from(["PNG", "JPEG", "BMP", "TIFF", "GIF", "WEBP"])
        made = st.builds(self.picture, sizes, colours, kinds)
        cut = st.tuples(made, st.integers(0, 60)).map(lambda pair: pair[0][: pair[1]])
        return (made | cut).map(lambda body: Request.build(data=body)) | super().requests()

    def good(self) -> list[Request]:
        return [
            Request.build(
                data=self.picture((3, 2), (255, 0, 0), "PNG"), headers={"Content-Type": "image/png"}
            ),
            Request.build(data=self.picture((5, 5), (0, 255, 0), "BMP")),
            Request.build(data=self.picture((1, 1), (1, 2, 3), "TIFF")),
            Request.build(files={"image": ("a.PNG", self.picture((2, 2), (9, 9, 9), "PNG"), "image/png")}),
        ]

    def bad(self) -> list[Request]:
        whole = self.picture((40, 40), (255, 0, 0), "PNG")
        return [
            Request.build(data=b"no picture"),
            Request.build(data=whole[: len(whole) // 2]),
            Request.build(files={"image": ("a.txt", whole, "image/png")}),
        ]

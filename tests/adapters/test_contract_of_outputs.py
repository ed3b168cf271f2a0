"""The contract suite for each output adapter."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from contracts.output_contract import OutputAdapterContract

from bentoml.testing import Request

numpy = pytest.importorskip("numpy")
pandas = pytest.importorskip("pandas")
pytest.importorskip("pyarrow")
Image = pytest.importorskip("PIL.Image")

JSON, CSV = "application/json", "text/csv"
PARQUET, ARROW = "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"


class Odd:
    """No form has a type for it."""

    def __str__(self) -> str:
        raise ValueError("no text either")


def read_table(kind: str, body: bytes) -> Any:
    import pyarrow as pa

    if kind == JSON:
        return json.loads(body)
    if kind == CSV:
        frame = pandas.read_csv(io.BytesIO(body))
    elif kind == PARQUET:
        frame = pandas.read_parquet(io.BytesIO(body))
    else:
        frame = pa.ipc.open_stream(body).read_pandas()
    return frame.astype(object).where(frame.notnull(), None).to_dict("records")


class TestJsonOutput(OutputAdapterContract):
    MODULE = "bentoml.adapters.json_output"
    CLASS = "JsonOutput"
    SERVED = "json_value"
    FORMS = (JSON,)

    def results(self) -> list[Any]:
        return [{"a": [1, None]}, "text", 2.5, numpy.float32(0.5)]

    def unwritable(self) -> list[Any]:
        loop: list[Any] = []
        loop.append(loop)
        return [loop]

    def value_of(self, kind: str, body: bytes) -> Any:
        return json.loads(body)

    def served_requests(self) -> list[Request]:
        return [Request.build(json=[1, "ä"]), Request.build(data="null")]


class TestDataframeOutput(OutputAdapterContract):
    MODULE = "bentoml.adapters.dataframe_output"
    CLASS = "DataframeOutput"
    SERVED = "frame_out"
    FORMS = (JSON, CSV, PARQUET, ARROW)

    def results(self) -> list[Any]:
        return [
            pandas.DataFrame({"n": [1], "s": ['a,"b" ä\n']}),
            pandas.DataFrame({"n": [2], "s": ["x"]}),
            pandas.DataFrame({"n": [3, 4], "s": ["=cmd()", "<script>"]}),
        ]

    def unwritable(self) -> list[Any]:
        loop: list[Any] = []
        loop.append(loop)
        return [pandas.DataFrame({"n": [5], "s": [Odd()], "loop": [loop]})]

    def value_of(self, kind: str, body: bytes) -> Any:
        return read_table(kind, body)

    def served_requests(self) -> list[Request]:
        return [Request.build(json=[{"a": 1.5, "b": "ä"}, {"a": 2, "b": "y"}]), Request.build(json=[[1, 2]])]


class TestParquetOutput(TestDataframeOutput):
    MODULE = "bentoml.adapters.parquet_output"
    CLASS = "ParquetOutput"
    SERVED = "parquet_out"
    FORMS = (PARQUET, ARROW, JSON, CSV)


class TestImageOutput(OutputAdapterContract):
    MODULE = "bentoml.adapters.image_output"
    CLASS = "ImageOutput"
    SERVED = "image_out"
    FORMS = ("image/png", "image/jpeg", "image/webp")

    def results(self) -> list[Any]:
        flat = numpy.zeros((16, 16, 3), "uint8")
        flat[:] = (200, 40, 10)
        return [flat, flat[:, :, :1], numpy.ones((8, 16), bool), Image.new("CMYK", (16, 16), (0, 0, 0, 0))]

    def unwritable(self) -> list[Any]:
        return [numpy.zeros((4, 4)), numpy.zeros((4, 0, 3), "uint8"), numpy.zeros((2, 2, 5), "uint8"), "text"]

    def value_of(self, kind: str, body: bytes) -> Any:
        """Size and colour, as far as a lossy format keeps it."""
        image = Image.open(io.BytesIO(body))
        assert image.format == kind.partition("/")[2].upper()
        pixels = numpy.asarray(image.convert("RGB")).astype(float)
        return [image.size, *(numpy.round(pixels.mean(axis=(0, 1)) / 40).tolist())]

    def served_requests(self) -> list[Request]:
        out = io.BytesIO()
        Image.new("RGB", (5, 4), (10, 20, 30)).save(out, "PNG")
        return [Request.build(data=out.getvalue())]


class TestFileOutput(OutputAdapterContract):
    MODULE = "bentoml.adapters.file_output"
    CLASS = "FileOutput"
    SERVED = "file_out"
    FORMS = ("application/octet-stream",)

    def results(self) -> list[Any]:
        return [b"\xff\x00", bytearray(b"text"), memoryview(b"3")]

    def unwritable(self) -> list[Any]:
        from pathlib import Path

        return [5, None, Path("/no/such/file")]

    def value_of(self, kind: str, body: bytes) -> Any:
        return body

    def served_requests(self) -> list[Request]:
        return [Request.build(data=b"\x00\xffraw")]

"""What decoding and encoding cost per item, beside the plain parsers they are built on.

    python benchmarks/micro/codecs.py

Each figure is the best of several rounds over one batch, in microseconds per item; the ratio is to the
first line of its block.
"""

from __future__ import annotations

import io
import json
import random
from typing import Any

import numpy
import orjson
import pandas
from timing import block

import bentoml
from bentoml.adapters import DataframeInput, DataframeOutput, JsonInput, JsonOutput
from bentoml.inference.pipeline import Pipeline
from bentoml.types import Payload, RequestHead

ITEMS = 500
HEAD = RequestHead.build({"Content-Type": "application/json"})
CSV_HEAD = RequestHead.build({"Content-Type": "text/csv"})


def json_blocks() -> None:
    adapter = JsonInput()
    for title, body in (
        ("decode JSON, 17 bytes", b"[5.1,3.5,1.4,0.2]"),
        ("decode JSON, 22 numbers", json.dumps([round(i / 7, 6) for i in range(22)]).encode()),
        ("decode JSON, 64 numbers", json.dumps([round(i / 7, 6) for i in range(64)]).encode()),
    ):
        payloads = [Payload(body, HEAD)] * ITEMS
        bodies = [body] * ITEMS
        block(
            title,
            ITEMS,
            {
                "orjson.loads each": lambda bodies=bodies: list(map(orjson.loads, bodies)),
                "JsonInput.decode_many": lambda payloads=payloads: adapter.decode_many(payloads),
                "json.loads each": lambda bodies=bodies: list(map(json.loads, bodies)),
            },
        )
    output = JsonOutput()
    rows: list[int | None] = [None] * ITEMS
    ints = numpy.arange(ITEMS)
    proba = numpy.random.default_rng(0).random((ITEMS, 3))
    dicts = [{"label": "setosa", "score": 0.5}] * ITEMS
    for title, results in (
        ("encode an array of labels", ints),
        ("encode rows of 3", proba),
        ("encode dicts", dicts),
    ):
        values = results if isinstance(results, list) else results.tolist()
        block(
            title,
            ITEMS,
            {
                "orjson.dumps each": lambda values=values: list(map(orjson.dumps, values)),
                "JsonOutput.encode": lambda results=results: output.encode(results, rows),
                "json.dumps each": lambda values=values: list(map(json.dumps, values)),
            },
        )


def frame_blocks() -> None:
    names = [f"feature_{i}" for i in range(20)]
    rng = random.Random(0)
    table = [[round(rng.random(), 4) for _ in names] for _ in range(64)]
    records = json.dumps([dict(zip(names, row, strict=True)) for row in table]).encode()
    split = json.dumps({"columns": names, "index": list(range(64)), "data": table}).encode()
    text = "\n".join([",".join(names), *(",".join(map(str, row)) for row in table)])
    adapter = DataframeInput()
    for title, body, head, plain in (
        ("records, 64 rows of 20", records, HEAD, lambda: pandas.DataFrame(json.loads(records))),
        ("split, 64 rows of 20", split, HEAD, lambda: pandas.read_json(io.BytesIO(split), orient="split")),
        ("CSV, 64 rows of 20", text.encode(), CSV_HEAD, lambda: pandas.read_csv(io.StringIO(text))),
    ):
        payloads = [Payload(body, head)] * 32
        block(
            f"decode {title}, into frames",
            32,
            {
                "pandas, a frame per request": lambda plain=plain: [plain() for _ in range(32)],
                "DataframeInput, one frame": lambda p=payloads: adapter.merge(adapter.decode_many(p)),
            },
            rounds=10,
        )
    frame = pandas.DataFrame(numpy.random.default_rng(0).random((ITEMS, 3)), columns=list("abc"))
    counts: list[int | None] = [1] * ITEMS
    block(
        "encode a frame, records of one row",
        ITEMS,
        {
            "to_json of each slice": lambda: [
                frame.iloc[i : i + 1].to_json(orient="records") for i in range(ITEMS)
            ],
            "DataframeOutput.encode": lambda: DataframeOutput().encode(frame, counts),
        },
        rounds=5,
    )


def pipeline_block() -> None:
    labels = numpy.arange(ITEMS)

    class Probe(bentoml.BentoService):
        @bentoml.api(input=JsonInput(), batch=True)
        def predict(self, values: Any) -> Any:
            return labels[: len(values)]

        @bentoml.api(input=JsonInput(), batch=True)
        def with_tasks(self, values: Any, tasks: Any) -> Any:
            return labels[: len(values)]

    service = Probe()
    payloads = [Payload(b"[5.1,3.5,1.4,0.2]", HEAD)] * ITEMS
    roads = {name: Pipeline(service.get_inference_api(name)) for name in ("predict", "with_tasks")}
    block(
        "whole pipeline, labels of an array",
        ITEMS,
        {name: lambda pipeline=pipeline: pipeline.run(payloads) for name, pipeline in roads.items()},
    )


if __name__ == "__main__":
    print(f"orjson {orjson.__version__}, numpy {numpy.__version__}, pandas {pandas.__version__}")
    json_blocks()
    frame_blocks()
    pipeline_block()

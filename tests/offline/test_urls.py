"""Inputs and outputs behind URLs: an S3 that really answers over HTTP, and a web server for reading."""

from __future__ import annotations

import gc
import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import pandas
import pytest

from bentoml import offline
from bentoml.exceptions import InvalidArgument

from .test_formats import EXPECTED, FRAME, ROWS


@pytest.fixture(scope="module")
def s3(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A bucket on a real S3-compatible server of this process."""
    pytest.importorskip("s3fs")
    server_module = pytest.importorskip("moto.server")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    patch = pytest.MonkeyPatch()
    for name, value in (
        ("AWS_ENDPOINT_URL", f"http://{host}:{port}"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        patch.setenv(name, value)
    fs = fsspec.filesystem("s3", skip_instance_cache=True)
    fs.mkdir("bucket")
    yield fs
    patch.undo()
    server.stop()
    type(fs).clear_instance_cache()


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "csv.gz"])
def test_s3_to_s3(kind: str, s3: Any, service: Any) -> None:
    source, sink = f"s3://bucket/{kind}/in.{kind}", f"s3://bucket/out.{kind}"
    frame = FRAME[["a", "b"]]
    data = {
        "csv": lambda: frame.to_csv(index=False).encode(),
        "csv.gz": lambda: __import__("gzip").compress(frame.to_csv(index=False).encode()),
        "jsonl": lambda: frame.to_json(orient="records", lines=True).encode(),
        "parquet": frame.to_parquet,
    }[kind]()
    s3.pipe(source, data)
    done = offline.run(service, "total", source, sink, keep=["a"], progress=False)
    assert (done.rows, done.failed, done.output) == (ROWS, 0, sink)
    s3.invalidate_cache()
    with fsspec.open(sink, "rb", compression="infer") as stream:
        read = {"csv": pandas.read_csv, "csv.gz": pandas.read_csv, "parquet": pandas.read_parquet}
        lines = partial(pandas.read_json, lines=True)
        found = read.get(kind, lines)(stream)
    assert found["prediction"].tolist() == EXPECTED
    assert found["a"].tolist() == FRAME["a"].tolist()


def test_globs_and_jobs_on_s3(s3: Any, service: Any, tmp_path: Path) -> None:
    for number in range(3):
        part = FRAME[number * 100 : number * 100 + 100]
        s3.pipe(f"bucket/parts/{number}.parquet", part.to_parquet())
    sink = "s3://bucket/job.csv"
    arguments: Any = (service, "no_sevens", "s3://bucket/parts/*.parquet", sink)
    options: dict[str, Any] = {
        "job": tmp_path / "job",
        "batch_size": 10,
        "checkpoint_s": 0,
        "progress": False,
    }
    with pytest.raises(offline.TooManyErrors):
        offline.run(*arguments, **options, max_errors=12)
    s3.invalidate_cache()
    assert not s3.exists(sink)
    done = offline.run(*arguments, **options)
    assert (done.rows, done.failed) == (300, 30)
    assert done.resumed > 100
    s3.invalidate_cache()
    with s3.open(sink) as stream:
        assert len(pandas.read_csv(stream)) == 270


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", ["none.csv", "none.csv.gz", "none.parquet"])
def test_a_failed_run_leaves_no_object(name: str, s3: Any, service: Any) -> None:
    with pytest.raises(offline.TooManyErrors):
        offline.run(
            service, "no_sevens", FRAME, f"s3://bucket/{name}", max_errors=3, batch_size=10, progress=False
        )
    gc.collect()  # nothing that is dropped may finish the upload, or complain
    s3.invalidate_cache()
    assert not s3.exists(f"bucket/{name}")
    assert s3.call_s3("list_multipart_uploads", Bucket="bucket").get("Uploads", []) == []


def test_files_from_and_to_s3(s3: Any, service: Any) -> None:
    for name in ("a", "b"):
        s3.pipe(f"bucket/letters/{name}.txt", b"four" * (1 + (name == "b")))
    done = offline.run(service, "size", "s3://bucket/letters/", "s3://bucket/sizes/", progress=False)
    assert (done.rows, done.failed) == (2, 0)
    s3.invalidate_cache()
    assert {path.rpartition("/")[2]: s3.cat(path) for path in s3.find("bucket/sizes")} == {
        "a.json": b"4",
        "b.json": b"8",
    }


def test_a_bucket_that_is_not_there_is_said(s3: Any, service: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"s3://no-such-bucket/in\.csv"):
        offline.run(service, "total", "s3://no-such-bucket/in.csv", progress=False)


def test_reading_over_http(service: Any, tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    FRAME.to_csv(tmp_path / "in.csv", index=False)
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/in.csv"
        done = offline.run(service, "total", url, progress=False)
    finally:
        server.shutdown()
        server.server_close()
    assert done.table["prediction"].to_pylist() == EXPECTED

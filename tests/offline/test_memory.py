"""Inputs that are larger than the memory a run may take: they stream, whatever they are."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pyarrow
import pytest
from pyarrow import csv, parquet

MIB = 1 << 20
INPUT_BYTES = 384 * MIB
GROWTH_BYTES = 96 * MIB
ROWS = 100_000
PROGRAM = """
import sys, threading
import pandas
from bentoml import offline

def private():
    status = open("/proc/self/status").read()
    return int(status.partition("RssAnon:")[2].split()[0]) << 10

bundle, source, sink = sys.argv[1:]
options = {"keep": ["text"], "progress": False, "memory_bytes": 16 << 20}
offline.run(bundle, "total", pandas.DataFrame({"a": [1.0], "b": [2.0], "text": "x"}), **options)
start, peak, over = private(), [0], threading.Event()

def watch():
    while not over.wait(0.01):
        peak[0] = max(peak[0], private())

watcher = threading.Thread(target=watch)
watcher.start()
done = offline.run(bundle, "total", source, sink, **options)
over.set()
watcher.join()
print(done.rows, done.failed, peak[0] - start)
"""


def tables() -> Iterator[Any]:
    generator = numpy.random.default_rng(0)
    texts = pyarrow.array([f"{i:040d}" for i in range(ROWS)])
    while True:
        yield pyarrow.table({"a": generator.random(ROWS), "b": generator.random(ROWS), "text": texts})


def write(kind: str, path: Path) -> int:
    """A file of `INPUT_BYTES`; returns its rows."""
    rows = 0
    with open(path, "wb") as stream:
        writer: Any = None
        for table in tables():
            if kind == "jsonl":
                stream.write(table.to_pandas().to_json(orient="records", lines=True).encode())
            else:
                writer = writer or _writer(kind, stream, table.schema)
                writer.write_table(table)
            rows += ROWS
            if stream.tell() >= INPUT_BYTES:
                break
        if writer is not None:
            writer.close()
    return rows


def _writer(kind: str, stream: Any, schema: Any) -> Any:
    if kind == "csv":
        return csv.CSVWriter(stream, schema)
    if kind == "arrow":
        return pyarrow.ipc.new_file(stream, schema)
    return parquet.ParquetWriter(stream, schema, compression="none", use_dictionary=False)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl", "arrow"])
def test_an_input_of_four_times_the_memory(kind: str, bundle: Path, tmp_path: Path) -> None:
    source = tmp_path / f"in.{kind}"
    rows = write(kind, source)
    assert source.stat().st_size >= 4 * GROWTH_BYTES
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(bundle), str(source), str(tmp_path / f"out.{kind}")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found, failed, growth = map(int, done.stdout.split())
    print(f"{kind}: {growth / MIB:.0f} MiB for {source.stat().st_size / MIB:.0f} MiB")
    assert (found, failed) == (rows, 0)
    assert growth <= GROWTH_BYTES

"""Inputs of any size, made of one block of rows again and again, and a look at what was predicted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy
import pyarrow
from pyarrow import csv, ipc, parquet

BLOCK_ROWS = 1 << 16
_NOTES = pyarrow.array([f"{i:08x}" * 25 for i in range(BLOCK_ROWS)])


def block(number: int) -> Any:
    """A row number, `a` and `b` for the model, and a long text that it does not need."""
    first = number * BLOCK_ROWS
    ids = numpy.arange(first, first + BLOCK_ROWS)
    return pyarrow.table({"id": ids, "a": ids * 0.5, "b": ids * 0.25, "note": _NOTES})


def write(kind: str, path: Path, size: int) -> int:
    """A file of `size` bytes or more; returns its rows."""
    blocks = -(-size // block(0).nbytes)
    with open(path, "wb") as stream:
        add, close = _writer(kind, stream)
        for number in range(blocks):
            add(block(number))
        close()
    assert path.stat().st_size >= size
    return blocks * BLOCK_ROWS


def _writer(kind: str, stream: IO[bytes]) -> tuple[Callable[[Any], Any], Callable[[], Any]]:
    if kind == "jsonl":
        return lambda table: stream.write(_lines(table)), lambda: None
    schema = block(0).schema
    if kind == "csv":
        writer: Any = csv.CSVWriter(stream, schema)
    elif kind == "arrow":
        writer = ipc.new_file(stream, schema)
    else:
        writer = parquet.ParquetWriter(stream, schema, compression="none", use_dictionary=False)
    return writer.write_table, writer.close


def _lines(table: Any) -> bytes:
    text: str = table.to_pandas().to_json(orient="records", lines=True)
    return text.encode()


def join_groups(source: Path, path: Path) -> None:
    """The same Parquet file with a single row group, as some programs write it."""
    table = parquet.read_table(source)
    parquet.write_table(table, path, row_group_size=table.num_rows, compression="none", use_dictionary=False)


def check(path: Path, rows: int) -> None:
    """Every row has its prediction, in order. Reads `id` and `prediction` only, a little at a time."""
    with parquet.ParquetFile(path) as file:
        assert file.metadata.num_rows == rows
        first = 0
        for batch in file.iter_batches(BLOCK_ROWS, columns=["id", "prediction"]):
            ids = numpy.arange(first, first + batch.num_rows)
            assert numpy.array_equal(batch.column(0).to_numpy(), ids)
            assert numpy.array_equal(batch.column(1).to_numpy(), ids * 1.25)
            first += batch.num_rows

"""The loops anybody would write: read a batch, predict, write. Run as a program of its own."""

from __future__ import annotations

import sys

import joblib
import pandas
import pyarrow as pa
from pyarrow import parquet

BATCH_ROWS = 131_072


def of_parquet(model: object, source: str, sink: str) -> None:
    writer = None
    for batch in parquet.ParquetFile(source).iter_batches(BATCH_ROWS):
        table = pa.table({"prediction": model.predict(batch.to_pandas().to_numpy())})  # type: ignore[attr-defined]
        writer = writer or parquet.ParquetWriter(sink, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def of_jsonl(model: object, source: str, sink: str) -> None:
    with open(sink, "w", encoding="utf-8") as out:
        for frame in pandas.read_json(source, lines=True, chunksize=BATCH_ROWS):
            predictions = model.predict(frame.to_numpy())  # type: ignore[attr-defined]
            pandas.DataFrame({"prediction": predictions}).to_json(out, orient="records", lines=True)


if __name__ == "__main__":
    _, home, source, sink = sys.argv
    loop = of_parquet if source.endswith(".parquet") else of_jsonl
    loop(joblib.load(f"{home}/model.joblib"), source, sink)

"""Score digits.csv from Python: into a Parquet file, as a job that goes on after a crash, and in memory."""

import json

import pandas as pd
from service import PIXELS

from bentoml import offline

TAG = "DigitScorer:latest"


def main():
    summary = offline.run(TAG, "predict", "digits.csv", "read.parquet", keep=["id", "written"], job="job")
    print(summary)
    found = pd.read_parquet("read.parquet")
    right = (found["prediction"] == found["written"]).mean()
    print(f"{right:.0%} of {len(found)} digits were read as they were written")
    for line in summary.bad_rows.read_text(encoding="utf-8").splitlines():
        bad = json.loads(line)
        print(f"row {bad['row']} has no prediction: {bad['reason']}")

    again = offline.run(TAG, "predict", "digits.csv", "read.parquet", keep=["id", "written"], job="job")
    print(f"the job is finished: {again.resumed} of {again.rows} rows were done before")

    frame = pd.read_csv("digits.csv").head(3).astype(dict.fromkeys(PIXELS, float))
    table = offline.run(TAG, "predict", frame, keep=["id"], progress=False).table
    print(table.to_pylist())


if __name__ == "__main__":
    main()

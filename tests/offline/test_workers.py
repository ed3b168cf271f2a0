"""Several processes: the same output in the same order, and a worker that dies loses no row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas
import pytest
from contracts.probe import echo, make_service

from bentoml import offline
from bentoml.adapters import DataframeInput
from bentoml.exceptions import InvalidArgument

FRAME = pandas.DataFrame({"a": range(3000), "b": 0.25})


def test_workers_keep_the_order(bundle: Path, tmp_path: Path) -> None:
    for workers in (1, 2):
        done = offline.run(
            str(bundle), "no_sevens", FRAME, tmp_path / f"{workers}.csv", workers=workers, progress=False
        )
        assert (done.rows, done.failed) == (3000, 300)
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()
    assert (tmp_path / "1.csv.bad-rows.jsonl").read_bytes() == (
        tmp_path / "2.csv.bad-rows.jsonl"
    ).read_bytes()


def test_a_row_that_kills_its_worker_is_a_bad_row(bundle: Path, tmp_path: Path) -> None:
    done = offline.run(
        str(bundle), "dies_at_13", FRAME[:16], tmp_path / "out.jsonl", workers=2, batch_size=8, progress=False
    )
    assert (done.rows, done.failed) == (16, 1)
    assert done.bad_rows is not None
    assert "died with exit code 3 on this row" in done.bad_rows.read_text()
    found = pandas.read_json(tmp_path / "out.jsonl", lines=True)
    assert found["prediction"].tolist() == [a for a in range(16) if a != 13]


def test_workers_need_a_saved_service() -> None:
    service: Any = make_service(echo, DataframeInput())
    with pytest.raises(InvalidArgument, match="2 workers the service has to be saved"):
        offline.run(service, "predict", FRAME, workers=2, progress=False)

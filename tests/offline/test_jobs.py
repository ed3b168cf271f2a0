"""A job that is killed goes on where it was, and its output is that of one clean run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas
import pytest

from bentoml import offline
from bentoml.exceptions import FailedPrecondition, LockUnavailable
from bentoml.offline.checkpoint import Job
from bentoml.offline.values import InputChanged

PROGRAM = """
import sys
from bentoml import offline
bundle, source, sink, job, workers = sys.argv[1:]
offline.run(bundle, "no_sevens", source, sink, job=job, workers=int(workers), keep=["id", "a"],
            progress=False, checkpoint_s=0.05)
"""


def start(*arguments: object, seconds_per_row: float) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "SECONDS_PER_ROW": str(seconds_per_row)}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)], env=environment, stderr=subprocess.DEVNULL
    )


def kill_and_continue(bundle: Path, folder: Path, kind: str, *, kills: int, workers: int, seed: int) -> None:
    """Kill a job `kills` times, each at a random moment of its work, then let it finish."""
    rows = 1500
    source = folder / "in.jsonl"
    frame = pandas.DataFrame({"id": [f"r{i}" for i in range(rows)], "a": range(rows), "b": 0.25})
    frame.to_json(source, orient="records", lines=True)
    clean = offline.run(
        str(bundle), "no_sevens", source, folder / f"clean.{kind}", keep=["id", "a"],
        bad_rows=folder / "clean.bad", progress=False,
    )  # fmt: skip
    arguments = (bundle, source, folder / f"out.{kind}", folder / "job", workers)
    parts, moments = folder / "job" / "parts", random.Random(seed)
    for _ in range(kills):
        before = len(list(parts.glob("*.json"))) if parts.is_dir() else 0
        process = start(*arguments, seconds_per_row=0.0005)
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if parts.is_dir() and len(list(parts.glob("*.json"))) > before:
                break
            time.sleep(0.005)
        time.sleep(moments.random() * 0.1)  # not to wait for anything: the moment itself is the test
        process.send_signal(signal.SIGKILL)
        process.wait()
    last = start(*arguments, seconds_per_row=0)
    assert last.wait(120) == 0
    assert (folder / f"out.{kind}").read_bytes() == (folder / f"clean.{kind}").read_bytes()
    assert (folder / "job" / "bad-rows.jsonl").read_bytes() == (folder / "clean.bad").read_bytes()
    assert clean.failed == rows // 10


@pytest.mark.parametrize(("kind", "workers"), [("csv", 1), ("jsonl", 2)])
def test_two_kills(kind: str, workers: int, bundle: Path, tmp_path: Path) -> None:
    kill_and_continue(bundle, tmp_path, kind, kills=2, workers=workers, seed=workers)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "workers"), [("csv", 1), ("jsonl", 2)])
def test_twenty_kills(kind: str, workers: int, bundle: Path, tmp_path: Path) -> None:
    kill_and_continue(bundle, tmp_path, kind, kills=20, workers=workers, seed=workers)


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet", "arrow", "sql", "chain"])
def test_a_stopped_job_goes_on_from_every_kind_of_input(kind: str, service: Any, tmp_path: Path) -> None:
    from .test_formats import FRAME, write

    if kind == "chain":
        for number in range(7):
            FRAME[number * 100 : number * 100 + 100].to_parquet(tmp_path / f"{number}.parquet")
        source: Any = tmp_path / "*.parquet"
    else:
        source = write(kind, tmp_path)
    options: dict[str, Any] = {"keep": ["a"], "batch_size": 9, "progress": False, "checkpoint_s": 0}
    out = tmp_path / "out.parquet"
    for limit in (3, 20, 41, None):
        try:
            done = offline.run(
                service, "no_sevens", source, out, job=tmp_path / "job", max_errors=limit, **options
            )
        except offline.TooManyErrors:
            assert not out.exists()
    assert (done.rows, done.failed) == (700, 70)
    assert 0 < done.resumed < 700
    found = pandas.read_parquet(out)
    assert found["a"].tolist() == [a for a in range(700) if a % 10 != 7]
    assert found["prediction"].tolist() == [2.25 * a for a in range(700) if a % 10 != 7]


def test_a_finished_job_is_not_run_again(service: Any, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("a,b\n1,2\n")
    arguments: Any = (service, "total", tmp_path / "in.csv", tmp_path / "out.csv")
    first = offline.run(*arguments, job=tmp_path / "job", progress=False)
    again = offline.run(*arguments, job=tmp_path / "job", progress=False)
    assert (first.rows, first.resumed, again.rows, again.resumed) == (1, 0, 1, 1)
    (tmp_path / "out.csv").unlink()
    with pytest.raises(FailedPrecondition, match="its output is gone"):
        offline.run(*arguments, job=tmp_path / "job", progress=False)


def test_a_job_of_another_input_is_refused(service: Any, tmp_path: Path) -> None:
    source, job = tmp_path / "in.csv", tmp_path / "job"
    source.write_text("a,b\n1,2\n")
    offline.run(service, "total", source, tmp_path / "out.csv", job=job, progress=False)
    with pytest.raises(InputChanged, match="another keep"):
        offline.run(service, "total", source, tmp_path / "out.csv", job=job, keep=["a"], progress=False)
    source.write_text("a,b\n1,2\n3,4\n")
    with pytest.raises(InputChanged, match="another input"):
        offline.run(service, "total", source, tmp_path / "out.csv", job=job, progress=False)


def test_a_job_has_one_process_at_a_time(tmp_path: Path) -> None:
    held = Job(tmp_path / "job", {"input": 1})
    with pytest.raises(LockUnavailable):
        Job(tmp_path / "job", {"input": 1})
    held.close()
    Job(tmp_path / "job", {"input": 1}).close()


def test_types_are_found_from_the_whole_job(tmp_path: Path) -> None:
    from contracts.probe import make_service

    from bentoml.adapters import JsonInput

    service = make_service(
        lambda self, rows: [r["a"] if r["a"] < 5 else r["a"] / 2 for r in rows], JsonInput()
    )
    frame = pandas.DataFrame({"a": range(8)})
    options: dict[str, Any] = {"batch_size": 2, "progress": False, "checkpoint_s": 0}
    for kind in ("jsonl", "parquet"):
        offline.run(service, "predict", frame, tmp_path / f"o.{kind}", job=tmp_path / kind, **options)
    assert (tmp_path / "o.jsonl").read_text().split("\n")[:6:5] == ['{"prediction":0}', '{"prediction":2.5}']
    assert pandas.read_parquet(tmp_path / "o.parquet")["prediction"].tolist() == [0, 1, 2, 3, 4, 2.5, 3, 3.5]

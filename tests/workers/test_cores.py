"""Threads of numeric libraries: each worker gets its share of the cores, and what a user said holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from bentoml.workers.cores import THREAD_VARIABLES, thread_environment, usable_cores


def cores_here(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr("bentoml.workers.cores.usable_cores", lambda: count)


@pytest.mark.parametrize(("cores", "workers", "share"), [(8, 1, "8"), (8, 3, "2"), (2, 2, "1"), (2, 5, "1")])
def test_workers_share_the_cores(
    monkeypatch: pytest.MonkeyPatch, cores: int, workers: int, share: str
) -> None:
    cores_here(monkeypatch, cores)
    assert thread_environment(workers, {}) == dict.fromkeys(THREAD_VARIABLES, share)


def test_the_general_variable_of_a_user_speaks_for_every_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """MKL_NUM_THREADS=8 beside a user's OMP_NUM_THREADS=1 gave MKL eight threads that only fought."""
    cores_here(monkeypatch, 8)
    assert thread_environment(1, {"OMP_NUM_THREADS": "1"}) == {}


def test_the_variable_of_one_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    cores_here(monkeypatch, 8)
    given = thread_environment(2, {"MKL_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": ""})
    assert given == {name: "4" for name in THREAD_VARIABLES if name != "MKL_NUM_THREADS"}


@pytest.mark.parametrize(
    ("text", "cores"),
    [("150000 100000", 2), ("50000 100000", 1), ("max 100000", 64), ("nonsense", 64), ("100000 0", 64)],
)
def test_a_container_has_the_cores_it_was_promised(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, cores: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(64)), raising=False)
    (tmp_path / "cpu.max").write_text(text + "\n")
    assert usable_cores(tmp_path) == cores


@pytest.mark.parametrize(("quota", "cores"), [("300000", 3), ("-1", 64)])
def test_older_containers_say_it_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quota: str, cores: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(64)), raising=False)
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota + "\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert usable_cores(tmp_path) == cores


def test_without_any_limit_all_cores_count(tmp_path: Path) -> None:
    assert usable_cores(tmp_path) == len(os.sched_getaffinity(0))


COUNT = """
import json, os, torch
a = torch.rand(1, 4, 768); b = torch.rand(768, 50257)
for _ in range(5):
    a @ b
print(json.dumps([torch.get_num_threads(), len(os.listdir("/proc/self/task"))]))
"""


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads are counted in /proc")
def test_torch_computes_on_as_many_threads_as_a_user_said(monkeypatch: pytest.MonkeyPatch) -> None:
    cores_here(monkeypatch, 4)
    own = {k: v for k, v in os.environ.items() if k not in THREAD_VARIABLES}
    environ = {**own, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", COUNT],
        env={**environ, **thread_environment(1, environ)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert json.loads(done.stdout) == [1, 1]

"""One program after the other: wall time from start to exit, CPU time, and the largest resident size."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Run:
    """What one program took. CPU time is that of user and kernel, its ended children included."""

    seconds: float
    peak_mib: float
    cpu_s: float


def run_program(command: list[str]) -> Run:
    """Run to the end. Raises when it fails. The peak is that of the largest single process."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        raise RuntimeError(f"{' '.join(command)} failed:\n{errors.decode(errors='replace')[-2000:]}")
    return Run(seconds, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime)


def bare(home: Path, source: Path, sink: Path) -> list[str]:
    return [sys.executable, "-m", "benchmarks.offline.bare", str(home), str(source), str(sink)]


def ours(home: Path, source: Path, sink: Path, *options: str, python: str = sys.executable) -> list[str]:
    command = [python, "-m", "bentoml", "run", str(home / "bundle"), "predict"]
    return [*command, "--input-file", str(source), "--output-file", str(sink), *options]


def as_dict(run: Run) -> dict[str, Any]:
    return {name: round(value, 3) for name, value in asdict(run).items()}

"""How many cores there are for this process, and each worker's share of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from math import ceil
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_MAX_THREADS")


def usable_cores(cgroups: Path = CGROUPS) -> int:
    """Cores that this process may run on, no more than its container was promised."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(cgroups)
    return max(1, min(cores, ceil(quota))) if quota else cores


def thread_environment(workers: int, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Variables that keep the numeric libraries of several workers from fighting for the cores.

    A variable that is set already is left alone. OMP_NUM_THREADS speaks for all of them: each library
    falls back to it, and would take more threads if its own variable said so.
    """
    if environ.get("OMP_NUM_THREADS"):
        return {}
    share = str(max(1, usable_cores() // max(1, workers)))
    return {name: share for name in THREAD_VARIABLES if not environ.get(name)}


def _quota(cgroups: Path) -> float:
    """Cores' worth of time that a container may use, by either version of cgroups; 0 without a limit."""
    try:
        quota, period = (cgroups / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota, period = (
                (cgroups / "cpu" / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period")
            )
        except OSError:
            return 0.0
    try:
        return max(0.0, int(quota) / int(period))
    except (ValueError, ZeroDivisionError):  # "max": no limit
        return 0.0

"""What a process and its descendants use: CPU and memory."""

from __future__ import annotations

import contextlib
import importlib
from dataclasses import replace
from typing import TYPE_CHECKING

from .base import Counters

if TYPE_CHECKING:
    from psutil import Process


def with_usage(counters: Counters, pid: int, started_at: float | None = None) -> Counters:
    """The counters with what the processes below `pid` use, as far as they can be looked at.

    Args:
        started_at: when the process began; another one that has its number is not looked at.
    """
    try:
        psutil = importlib.import_module("psutil")  # comes with the extra `yatai`
    except ImportError:
        return counters
    try:
        first = psutil.Process(pid)
        if started_at is not None and abs(first.create_time() - started_at) > 5.0:
            return counters
        family = [first, *first.children(recursive=True)]
    except psutil.Error:
        return counters
    cpu_s = memory = 0.0
    for process in family:
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            cpu_s += times.user + times.system + times.children_user + times.children_system
            memory += _memory_of(process, psutil.Error)
    return replace(counters, cpu_s=cpu_s, memory_bytes=memory)


def _memory_of(process: Process, error: type[Exception]) -> float:
    """Proportional set size: workers that share a model's weights do not count them again."""
    with contextlib.suppress(error, AttributeError):
        return float(process.memory_full_info().pss)
    return float(process.memory_info().rss)

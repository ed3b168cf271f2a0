"""A bound on the memory of a command that really holds: a control group, else a limit of each process."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

_ROOT = Path("/sys/fs/cgroup")
_GONE_S = 10.0


@contextmanager
def limited_to(limit_bytes: int) -> Iterator[list[str]]:
    """What to put in front of a command, so that it and its children have so much memory.

    In a control group the sum of all processes counts, and mapped files only while nobody needs their
    pages. Where no group can be made, each process may allocate half as much again: the limit of a
    process counts what libraries reserve and never touch.
    """
    group = _group(limit_bytes)
    if group is None:
        yield ["sh", "-c", f'ulimit -d {limit_bytes * 3 // 2 >> 10} && exec "$@"', "sh"]
        return
    try:
        yield ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"]
    finally:
        _remove(group)


def _group(limit_bytes: int) -> Path | None:
    for parent, limit, swap in (
        (_ROOT / "memory", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
        (_ROOT, "memory.max", "memory.swap.max"),
    ):
        group = parent / f"bentoml-test-{uuid4().hex}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / limit).write_text(str(limit_bytes))
            if (group / swap).exists():
                (group / swap).write_text("0" if parent == _ROOT else str(limit_bytes))
        except OSError:
            group.rmdir()
            continue
        if os.access(group / "cgroup.procs", os.W_OK):
            return group
        group.rmdir()
    return None


def _remove(group: Path) -> None:
    """Its last processes may still be about to end."""
    end = time.monotonic() + _GONE_S
    while time.monotonic() < end:
        with suppress(OSError):
            group.rmdir()
            return
        time.sleep(0.05)

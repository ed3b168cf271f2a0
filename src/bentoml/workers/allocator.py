"""Freed memory stays with a process while it has work, and goes back when it has none.

A batch's largest arrays, and the frames of large bodies, are tens of MiB. glibc takes blocks of that size
from the kernel one by one and returns each when it is freed, so every batch pays for fresh, zeroed pages.
Here both thresholds are raised (`M_MMAP_THRESHOLD`, `M_TRIM_THRESHOLD` of mallopt(3)), and malloc_trim(3)
gives everything free back after some idle seconds. Other allocators and systems are left alone.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from pathlib import Path
from time import monotonic
from typing import Any

from .cores import CGROUPS

M_TRIM_THRESHOLD = -1  # both from malloc.h
M_MMAP_THRESHOLD = -3
KEPT_BYTES = 512 << 20  # more than a batch's largest block; a larger one goes back at once, as ever
KEPT_ANYWAY_BYTES = 32 << 20  # glibc's own threshold grows up to this
KEPT_SHARE = 16  # of the memory there is, so that processes that keep their peaks still fit in together
IDLE_S = 10.0
CHOSEN_BY_USER = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_")


def _glibc() -> Any:
    """The C library where it is glibc, else None."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    has_all = all(hasattr(library, name) for name in ("gnu_get_libc_version", "mallopt", "malloc_trim"))
    return library if has_all else None


def keep_freed_memory() -> bool:
    """Have this process reuse large blocks; False where that can't be had or the user set thresholds."""
    tuned = "_threshold" in os.environ.get("GLIBC_TUNABLES", "")
    library = _glibc()
    if library is None or tuned or any(name in os.environ for name in CHOSEN_BY_USER):
        return False
    most = min(KEPT_BYTES, usable_memory() // KEPT_SHARE)
    return most > KEPT_ANYWAY_BYTES and all(
        library.mallopt(name, most) for name in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD)
    )


def usable_memory(cgroups: Path = CGROUPS) -> int:
    """Bytes of memory of this machine, or those that its container may use."""
    there_is = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for name in ("memory.max", "memory/memory.limit_in_bytes"):  # the two versions of cgroups
        with contextlib.suppress(OSError, ValueError):  # "max": no limit
            return min(there_is, int((cgroups / name).read_text()))
    return there_is


def give_back_memory() -> None:
    """Return the pages of all freed blocks to the system; takes milliseconds."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


class IdleMemory:
    """Gives memory back once a process has been idle for `idle_s` seconds, once for each time it was busy."""

    def __init__(self, idle_s: float = IDLE_S) -> None:
        self._idle_s = idle_s
        self._done = 0
        self._busy_at: float | None = None

    def look(self, done: int) -> None:
        """To be called about once a second; `done` is a count that grows with every piece of work."""
        now = monotonic()
        if done != self._done:
            self._done = done
            self._busy_at = now
        elif self._busy_at is not None and now - self._busy_at >= self._idle_s:
            self._busy_at = None
            give_back_memory()

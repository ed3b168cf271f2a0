"""When a worker that works is replaced by a new one: after so many requests, or with so much memory.

For models that leak. The new worker loads beside the old one and takes over when it is ready, so no
request is lost and none waits for the loading; for that time both are in memory.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from .slot import READY, Slot

MIB = 1 << 20
RETRY_AFTER_S = 60.0  # a successor that could not be loaded is not tried again before
STOP_HOOKS_S = 10.0


@dataclass(frozen=True)
class WearLimits:
    """Both are optional; a worker is replaced when it reaches either.

    Attributes:
        max_requests: requests it was given.
        max_memory_mib: its resident memory; looked at on Linux only.
    """

    max_requests: int | None = None
    max_memory_mib: int | None = None

    def worn_out(self, slot: Slot) -> str | None:
        """Why the worker of a slot should be replaced now, None if it should not."""
        child = slot.child
        if slot.state != READY or child is None or child.link is None:
            return None
        if self.max_requests is not None and child.link.requests >= self.max_requests:
            return f"it has had {child.link.requests} requests"
        if self.max_memory_mib is not None:
            used = resident_bytes(child.pid)
            if used >= self.max_memory_mib * MIB:
                return f"it holds {used // MIB} MiB of memory"
        return None


def resident_bytes(pid: int) -> int:
    """Resident memory of a process; 0 where that is not known."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            pages = int(file.read().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")

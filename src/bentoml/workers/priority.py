"""Who goes first when there are fewer cores than processes with work.

The front has a few microseconds of work for each request, a worker milliseconds for each batch. A worker that
takes the front's core in the middle of its turn keeps every client waiting, and in the end itself, for nobody
reads its next batch. So workers ask for less: a higher niceness, and no right to interrupt others when
they wake up. On a core of their own neither changes anything.
"""

from __future__ import annotations

import contextlib
import os
import sys


def after_the_front(niceness: int) -> None:
    """Have this process, and the threads it starts from now on, give way to the front.

    Args:
        niceness: added to the process's own, 0 to 19; 0 changes nothing.
    """
    if not niceness or sys.platform == "win32":
        return
    with contextlib.suppress(OSError):  # a sandbox may forbid it
        os.nice(niceness)
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            if os.sched_getscheduler(0) == os.SCHED_OTHER:
                os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))

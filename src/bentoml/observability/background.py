"""Write to a stream that may block (a pipe with a slow reader) without ever waiting for it.

A server must answer when nobody reads its stdout. Lines go through a bounded buffer to a daemon
thread; when the buffer is full, lines are dropped and their number is written once there is room.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress


class BackgroundWriter:
    """A bounded buffer in front of a blocking write.

    Args:
        write: called from the writer's own thread with whole lines; an `OSError` of it is ignored.
        max_bytes: buffered bytes over which lines are dropped.
    """

    def __init__(self, write: Callable[[bytes], object], max_bytes: int = 4 * 1024 * 1024) -> None:
        self._write = write
        self._max_bytes = max_bytes
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._dropped = 0
        self._busy = False
        self._closed = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def put(self, lines: bytes) -> bool:
        """Queue whole lines; False when they were dropped. Never blocks."""
        if os.getpid() != self._pid:  # a forked child has no writer thread
            self._reset()
        with self._changed:
            if self._closed or self._bytes + len(lines) > self._max_bytes:
                self._dropped += 1
                return False
            self._waiting.append(lines)
            self._bytes += len(lines)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="bentoml-log-writer", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        return True

    def flush(self, timeout_s: float = 1.0) -> bool:
        """Wait until everything queued is written; False when that took too long."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, timeout_s)

    def close(self, timeout_s: float = 1.0) -> None:
        """Write what is queued, for at most `timeout_s`, and stop."""
        self.flush(timeout_s)
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                lines = b"".join(self._waiting)
                self._waiting.clear()
                self._bytes, self._busy = 0, True
                dropped, self._dropped = self._dropped, 0
            if dropped:
                lines += b"[%d log entries were dropped here: nobody read them in time]\n" % dropped
            with suppress(OSError, ValueError):
                self._write(lines)
            with self._changed:
                self._busy = False
                self._changed.notify_all()

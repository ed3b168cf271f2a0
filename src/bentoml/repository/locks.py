"""Locks between processes that the operating system releases when their holder dies.

A lock is a small file held by `flock` (a byte range on Windows). The holder may remove the file: a
waiter that then gets the lock of the removed file notices, and tries again with the new one.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path
from types import TracebackType

from bentoml.exceptions import LockUnavailable

_POLL_S = 0.01


def _try_lock(descriptor: int) -> bool:
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - exists on Windows only

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl  # noqa: PLC0415 - exists on POSIX only

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class FileLock:
    """An exclusive lock named by a file; also a context manager.

    Args:
        path: the lock file; its directory must exist. It is removed on release.
        timeout_s: how long entering the context waits before `LockUnavailable`.
    """

    def __init__(self, path: Path, timeout_s: float = 15.0) -> None:
        self.path = path
        self.timeout_s = timeout_s
        self._descriptor: int | None = None

    def try_acquire(self) -> bool:
        """Take the lock if nobody holds it; never waits."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if _try_lock(descriptor) and self._is_current(descriptor):
                self._descriptor = descriptor
                return True
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return False

    def acquire(self) -> None:
        """Wait for the lock. Raises `LockUnavailable` after `timeout_s`."""
        deadline = time.monotonic() + self.timeout_s
        while not self.try_acquire():
            if time.monotonic() >= deadline:
                raise LockUnavailable(
                    f"Another process has been working on '{self.path.stem}' for more than "
                    f"{self.timeout_s:g} seconds. Try again when it has finished."
                )
            time.sleep(_POLL_S)

    def release(self) -> None:
        if self._descriptor is None:
            return
        with contextlib.suppress(OSError):  # Windows cannot remove an open file
            self.path.unlink()
        os.close(self._descriptor)
        self._descriptor = None

    def _is_current(self, descriptor: int) -> bool:
        """False when the file was removed, and perhaps made anew, while this process waited."""
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except FileNotFoundError:
            return False

    def __enter__(self) -> FileLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

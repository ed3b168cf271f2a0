"""A log file that several processes append to and that any of them may rotate.

`logging.handlers.RotatingFileHandler` renames the file under the feet of the other processes. Here
every write looks at the path first (one `stat`), so a file that somebody rotated is opened anew,
and only the holder of a lock file renames. One write is one `os.write` to an append-only
descriptor: lines of two processes never mix.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class RotatingFile:
    """Append-only file with numbered backups (`name.1` is the newest).

    Args:
        path: the file; its directory is made on the first write.
        max_bytes: size over which the file is rotated.
        backups: how many old files are kept.
    """

    def __init__(self, path: Path, max_bytes: int, backups: int) -> None:
        self.path = path
        self.max_bytes = max_bytes
        self.backups = backups
        self._fd = -1
        self._inode = (0, 0)
        self._torn = False
        self._lock = threading.Lock()

    def write(self, lines: bytes) -> None:
        """Append whole lines (`lines` ends with a line break). Raises `OSError`."""
        with self._lock:
            self._write(lines)

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _write(self, lines: bytes) -> None:
        size = self._ready()
        if size and size + len(lines) > self.max_bytes:
            self._rotate()
        data = memoryview(b"\n" + lines if self._torn else lines)
        while data:
            try:
                written = os.write(self._fd, data)
            except OSError:
                self._torn = self._torn or len(data) < len(lines)
                raise
            data = data[written:]
        self._torn = False

    def _ready(self) -> int:
        """Open what the path names now; return its size."""
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            found = None
        if found is not None and self._fd >= 0 and self._inode == (found.st_dev, found.st_ino):
            return found.st_size
        return self._open()

    def _open(self) -> int:
        self._drop()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(self.path, _FLAGS, 0o640)
        found = os.fstat(self._fd)
        self._inode = (found.st_dev, found.st_ino)
        return found.st_size

    def _drop(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _rotate(self) -> None:
        before = self._inode
        with self._exclusive():
            size = self._ready()
            if size == 0 or self._inode != before:
                return  # another process rotated while this one waited
            self._drop()
            with suppress(OSError):  # a file that cannot be renamed goes on growing, and is not lost
                self._shift()
        self._open()

    def _shift(self) -> None:
        if self.backups < 1:
            self.path.unlink()
            return
        for number in range(self.backups - 1, 0, -1):
            with suppress(FileNotFoundError):
                os.replace(self._backup(number), self._backup(number + 1))
        os.replace(self.path, self._backup(1))

    def _backup(self, number: int) -> str:
        return f"{self.path}.{number}"

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        fd = os.open(f"{self.path}.lock", _FLAGS, 0o640)
        try:
            if sys.platform != "win32":  # there, a lost rename race leaves one file too big
                fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

"""A log file of limited size: full, it becomes `NAME.1`, and the oldest is dropped."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from pathlib import Path

MAX_TAIL_BYTES = 1 << 20


class RotatingLog:
    """Appends lines. A full disk loses lines, never the service.

    Args:
        max_bytes: size at which the file is put aside.
        kept: how many older files stay.
    """

    def __init__(self, path: Path, max_bytes: int, kept: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._kept = kept
        self._file = path.open("ab", buffering=0)
        self._size = os.fstat(self._file.fileno()).st_size

    def write(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            if self._size and self._size + len(data) > self._max_bytes:
                self._rotate()
            self._size += self._file.write(data) or 0

    def close(self) -> None:
        self._file.close()

    def _rotate(self) -> None:
        self._file.close()
        for number in range(self._kept, 0, -1):
            older = self._numbered(number - 1)
            if older.exists():
                os.replace(older, self._numbered(number))
        if self._kept == 0:
            self._path.unlink(missing_ok=True)
        self._file = self._path.open("ab", buffering=0)
        self._size = 0

    def _numbered(self, number: int) -> Path:
        return self._path if number == 0 else self._path.with_name(f"{self._path.name}.{number}")


def tail(path: Path, lines: int) -> list[str]:
    """The last lines of a log, across its rotation, oldest first; 1 MiB at most."""
    found: deque[str] = deque(maxlen=max(0, lines))
    for part in (path.with_name(f"{path.name}.1"), path):
        with contextlib.suppress(OSError), part.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - MAX_TAIL_BYTES))
            text = file.read(MAX_TAIL_BYTES).decode("utf-8", "replace")
            found.extend(text.splitlines())
    return list(found)

"""Ending a build from another thread."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bentoml.exceptions import FailedPrecondition


class BuildControl:
    """Knows the engine's running process; `cancel` ends it and refuses further ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[str]] = set()
        self._is_cancelled = False

    @contextmanager
    def running(self, process: subprocess.Popen[str]) -> Iterator[None]:
        """While the process runs."""
        with self._lock:
            self._processes.add(process)
            if self._is_cancelled:
                process.terminate()
        try:
            yield
        finally:
            with self._lock:
                self._processes.discard(process)

    def cancel(self) -> None:
        with self._lock:
            self._is_cancelled = True
            for process in self._processes:
                process.terminate()

    def check(self) -> None:
        """Raise `FailedPrecondition` after `cancel`."""
        if self._is_cancelled:
            raise FailedPrecondition("The build was ended before it was finished")

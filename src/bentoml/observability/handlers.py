"""The two log handlers of this library: the console, and a rotating file shared by processes."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress

from .background import BackgroundWriter
from .rotating_file import RotatingFile


class ConsoleHandler(logging.Handler):
    """Writes to what `sys.stdout` is at that moment, so redirection and notebooks work.

    Args:
        background: never wait for the reader of stdout (server processes).
    """

    def __init__(self, background: bool = False) -> None:
        super().__init__()
        self.writer = BackgroundWriter(write_stdout) if background else None

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record) + "\n"
        if self.writer is not None:
            self.writer.put(text.encode("utf-8", "backslashreplace"))
            return
        with suppress(OSError, ValueError):  # a closed stdout is no reason to fail the caller
            sys.stdout.write(text)
            sys.stdout.flush()

    def flush(self) -> None:
        if self.writer is not None:
            self.writer.flush()

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
        super().close()


class SharedFileHandler(logging.Handler):
    """Writes lines to a `RotatingFile`; when that fails it says so once on stderr and goes on."""

    def __init__(self, file: RotatingFile) -> None:
        super().__init__()
        self.file = file
        self._failing = False

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record) + "\n"
        try:
            self.file.write(line.encode("utf-8", "backslashreplace"))
        except OSError as err:
            if not self._failing:
                self._failing = True
                with suppress(OSError, ValueError):
                    sys.stderr.write(f"Cannot write to {self.file.path}: {err}; going on without it.\n")
        else:
            self._failing = False

    def close(self) -> None:
        self.file.close()
        super().close()


def write_stdout(lines: bytes) -> None:
    """Write bytes to stdout, whatever stands in for it."""
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        sys.stdout.write(lines.decode("utf-8", "replace"))
    else:
        buffer.write(lines)
    sys.stdout.flush()

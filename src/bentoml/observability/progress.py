"""A progress bar on standard error, for what takes longer than a second while somebody is watching."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

SHOWN_AFTER_S = 1.0
Advance = Callable[[int], None]


@contextmanager
def progress_bar(what: str, total: int, unit: Literal["bytes", "items"] = "bytes") -> Iterator[Advance]:
    """Gives a function that is told how much more is done; draws only on a terminal, after a second."""
    if not sys.stderr.isatty():
        yield lambda _more: None
        return
    bar = _Bar(what, total, unit)
    try:
        yield bar.advance
    finally:
        bar.close()


class _Bar:
    def __init__(self, what: str, total: int, unit: str) -> None:
        self._what, self._total, self._unit = what, total, unit
        self._done = 0
        self._shown_from = time.monotonic() + SHOWN_AFTER_S
        self._shown: tuple[Progress, TaskID] | None = None

    def advance(self, more: int) -> None:
        self._done += more
        if self._shown is not None:
            progress, task = self._shown
            progress.update(task, completed=self._done)
        elif time.monotonic() >= self._shown_from:
            progress = _rich_progress(self._unit)
            progress.start()
            task = progress.add_task(self._what, total=self._total or None, completed=self._done)
            self._shown = progress, task

    def close(self) -> None:
        if self._shown is not None:
            self._shown[0].stop()


class WatchedReader:
    """A readable stream that tells how much was read from it."""

    def __init__(self, stream: IO[bytes], advance: Advance) -> None:
        self._stream = stream
        self._advance = advance

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._advance(len(data))
        return data


def _rich_progress(unit: str) -> Progress:
    from rich.console import Console  # noqa: PLC0415 - only where it is seen
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    amount: tuple[Any, ...] = (
        (DownloadColumn(), TransferSpeedColumn()) if unit == "bytes" else (MofNCompleteColumn(),)
    )
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        *amount,
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )

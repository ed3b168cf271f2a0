"""What a user sees while a run goes on: a bar on a terminal or in a notebook, else a line now and then."""

from __future__ import annotations

import sys
from datetime import timedelta
from time import monotonic
from types import TracebackType
from typing import Any

LINE_EVERY_S = 10.0


class Progress:
    """Rows, speed and time left, on standard error.

    Args:
        total: rows of the input, None when only the share that is done is known.
        done: rows that earlier runs of the job did.
        show: False shows nothing; None decides by what standard error is.
    """

    def __init__(self, total: int | None, done: int = 0, *, show: bool | None = None) -> None:
        self.rows = done
        self.failed = 0
        self._total = total
        self._first = done
        self._share: float | None = None
        self._first_share: float | None = None
        self._started = self._last_line = monotonic()
        self._bar: Any = None
        self._is_shown = show is not False

    def __enter__(self) -> Progress:
        if self._is_shown:
            from rich.console import Console  # noqa: PLC0415 - not needed for a quiet run

            console = Console(file=sys.stderr)
            if console.is_terminal or console.is_jupyter:
                self._bar = _make_bar(console)
                self._task = self._bar.add_task("rows", total=1.0, info="")
                self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._show_bar()
            self._bar.stop()

    def advance(self, rows: int, failed: int, share: float | None) -> None:
        """Count rows that are finished; `share` of the whole input is behind us."""
        self.rows += rows
        self.failed += failed
        self._share = self.rows / self._total if self._total else share
        if self._first_share is None:
            self._first_share = self._share if not self._total else self._first / self._total
        if not self._is_shown:
            return
        if self._bar is not None:
            self._show_bar()
        elif monotonic() - self._last_line >= LINE_EVERY_S:
            self._last_line = monotonic()
            sys.stderr.write(f"{self.line()}\n")
            sys.stderr.flush()

    def line(self) -> str:
        """The state in one line, such as `12,000 rows (40 %), 900 rows/s, 0:00:20 left`."""
        text = f"{self.rows:,} rows"
        if self._share is not None:
            text += f" ({100 * self._share:.0f} %)"
        text += f", {self.speed():,.0f} rows/s"
        left = self.seconds_left()
        if left is not None:
            text += f", {timedelta(seconds=round(left))} left"
        return f"{text}, {self.failed:,} failed" if self.failed else text

    def speed(self) -> float:
        """Rows of this run per second."""
        return (self.rows - self._first) / max(monotonic() - self._started, 1e-9)

    def seconds_left(self) -> float | None:
        if self._share is None or self._first_share is None or self._share <= self._first_share:
            return None
        elapsed = monotonic() - self._started
        return max(0.0, elapsed * (1 - self._share) / (self._share - self._first_share))

    def _show_bar(self) -> None:
        self._bar.update(self._task, completed=self._share or 0.0, info=self.line())


def _make_bar(console: Any) -> Any:
    from rich.progress import BarColumn, TextColumn  # noqa: PLC0415 - see __enter__
    from rich.progress import Progress as Bar  # noqa: PLC0415

    return Bar(BarColumn(), TextColumn("{task.fields[info]}"), console=console, transient=True)

"""What a user is told while a run goes on: rows, speed and the time that is left."""

from __future__ import annotations

from datetime import timedelta
from time import monotonic
from types import TracebackType

from .bars import Bar, bar_for_stderr


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
        self._first_at = 0.0
        self._started = monotonic()
        self._bar: Bar | None = None
        self._is_shown = show is not False

    def __enter__(self) -> Progress:
        if self._is_shown:
            self._bar = bar_for_stderr()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close(self._share, self.line())

    def advance(self, rows: int, failed: int, share: float | None) -> None:
        """Count rows that are finished; `share` of the whole input is behind us."""
        self.rows += rows
        self.failed += failed
        self._share = self.rows / self._total if self._total else share
        if self._first_share is None:
            self._first_share, self._first_at = self._share, monotonic()
        if self._bar is not None:
            self._bar.show(self._share, self.line())

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
        """As fast as from the first rows on, so that the start of an engine does not count."""
        if self._share is None or self._first_share is None or not self._first_share < self._share < 1:
            return None
        elapsed = monotonic() - self._first_at
        return max(0.0, elapsed * (1 - self._share) / (self._share - self._first_share))

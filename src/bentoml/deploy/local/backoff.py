"""How long to wait before starting again what ended: double each time, forgotten after steady running."""

from __future__ import annotations

LOOP_AFTER = 3


class Backoff:
    """Counts failures in a row. Times are of a monotonic clock.

    Args:
        steady_s: running that long makes earlier failures forgotten.
    """

    def __init__(self, first_s: float, longest_s: float, steady_s: float) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._steady_s = steady_s
        self._ready_at: float | None = None
        self.failures = 0

    @property
    def is_loop(self) -> bool:
        """Whether it fails again and again."""
        return self.failures >= LOOP_AFTER

    def forget(self) -> None:
        """Something new is tried, which has not failed yet."""
        self.failures = 0

    def ready(self, now: float) -> None:
        self._ready_at = now

    def failed(self, now: float) -> float:
        """Seconds to wait; none for the first failure after steady running."""
        if self._ready_at is not None and now - self._ready_at >= self._steady_s:
            self.failures = 0
        self._ready_at = None
        self.failures += 1
        if self.failures == 1:
            return 0.0
        return float(min(self._longest_s, self._first_s * 2 ** min(self.failures - 2, 30)))

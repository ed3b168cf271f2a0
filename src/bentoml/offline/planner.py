"""How many rows one call gets: as many as make it fast, as few as time and memory ask for.

Sizes are powers of two. Each size keeps its measured speed; the planner moves to the next larger one
while calls are short and larger is not slower, and back when it is.
"""

from __future__ import annotations

TARGET_S = 0.5
MEMORY_BYTES = 512 << 20
_START = 6  # 2**6 rows
_LARGEST = 20
_WEIGHT = 0.3


class BatchPlanner:
    """Chooses the rows of the next call.

    Args:
        fixed: always this many rows; None adapts.
        target_s: a call should not take much longer than this, so that progress and a stop are prompt.
        memory_bytes: how much the largest resident size of a process may grow over its first call.
    """

    def __init__(
        self, fixed: int | None = None, *, target_s: float = TARGET_S, memory_bytes: int = MEMORY_BYTES
    ) -> None:
        self._fixed = fixed
        self._target_s = target_s
        self._memory_bytes = memory_bytes
        self._level = _START
        self._highest = _LARGEST
        self._speed: dict[int, float] = {}
        self._first_peak: int | None = None

    @property
    def rows(self) -> int:
        return self._fixed or 1 << self._level

    def note(self, rows: int, seconds: float, peak_bytes: int = 0) -> None:
        """Learn from a finished call."""
        if self._fixed or rows <= 0:
            return
        self._note_memory(peak_bytes)
        level = min(_LARGEST, rows.bit_length() - 1)
        speed = rows / max(seconds, 1e-9)
        known = self._speed.get(level)
        self._speed[level] = speed if known is None else known + _WEIGHT * (speed - known)
        if level == self._level:
            self._move(seconds)

    def _note_memory(self, peak_bytes: int) -> None:
        if not peak_bytes:
            return
        if self._first_peak is None:
            self._first_peak = peak_bytes
        elif peak_bytes - self._first_peak > self._memory_bytes:
            self._first_peak = peak_bytes  # the size of today is the most; the peak never shrinks
            self._highest = max(0, self._level - 1)
            self._level = min(self._level, self._highest)

    def _move(self, seconds: float) -> None:
        level, speed = self._level, self._speed
        larger, smaller = speed.get(level + 1), speed.get(level - 1)
        if seconds > 2 * self._target_s or (smaller is not None and smaller > 1.1 * speed[level]):
            self._level = max(0, level - 1)
        elif 2 * seconds <= self._target_s and (larger is None or larger > speed[level]):
            self._level = min(self._highest, level + 1)

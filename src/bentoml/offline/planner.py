"""How many rows one call gets: as many as make it fast, as few as time and memory ask for.

Sizes are powers of two. Each size keeps its measured speed; the planner moves to the next larger one
while calls are short and larger is not slower, and back when it is. A larger size that was slower is
tried again after a while, as the machine may only have been busy.
"""

from __future__ import annotations

from .values import Mode

TARGET_S = 0.5
MEMORY_BYTES = 512 << 20
_FIRST_ROWS = 64
_LARGEST = 20  # 2**20 rows
_WEIGHT = 0.3
_LEAST_WAIT, _MOST_WAIT = 8, 64  # calls


class BatchPlanner:
    """Chooses the rows of the next call.

    Args:
        fixed: always this many rows; None adapts.
        target_s: a call should not take much longer than this, so that progress and a stop are prompt.
        memory_bytes: how much the largest resident size of a process may grow over its first call.
        first_rows: of the first call, a power of two.
    """

    def __init__(
        self,
        fixed: int | None = None,
        *,
        target_s: float = TARGET_S,
        memory_bytes: int = MEMORY_BYTES,
        first_rows: int = _FIRST_ROWS,
    ) -> None:
        self._fixed = fixed
        self._target_s = target_s
        self._memory_bytes = memory_bytes
        self._level = first_rows.bit_length() - 1
        self._highest = _LARGEST
        self._wait = self._left = _LEAST_WAIT
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
        elif 2 * seconds <= self._target_s and (larger is None or larger > speed[level] or self._is_time()):
            self._level = min(self._highest, level + 1)

    def _is_time(self) -> bool:
        """Whether to try the larger size again; every time it takes twice as many calls."""
        self._left -= 1
        if self._left > 0:
            return False
        self._wait = self._left = min(_MOST_WAIT, 2 * self._wait)
        self._speed.pop(self._level + 1, None)
        return True


def planner_for(mode: Mode, fixed: int | None, memory_bytes: int) -> BatchPlanner:
    """The planner of a run. A file may be a photograph of 100 MiB once decoded, so one comes first."""
    return BatchPlanner(fixed, memory_bytes=memory_bytes, first_rows=1 if mode == "files" else _FIRST_ROWS)
